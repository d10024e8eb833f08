//! Suspends processes that send over a congested connection until it has room.
//!
//! A connection accepts everything that a process sends. If the connection is congested, the
//! process is suspended at its next suspension point. If it has sent over several congested
//! connections in one turn, it waits for all of them. It continues when each of them has sent it a
//! `ConnectionRoom`. A suspended process still handles its signals, so it can be killed.
//!
//! A process that has been suspended for a second is reported, since its author might not know that
//! a send can suspend. A timer sends the process a request to report itself, which it handles while
//! it is suspended.
//!
//! # Invariant
//! For each connection in `HeldUp`, a `ConnectionRoom` is on its way, or will be sent when there is
//! room. A `ConnectionRoom` that a `send_timeout` requested may arrive first and end the wait
//! early. If the connection is still congested then, the next send suspends the process again.
//!
//! Semantics BUSY-1 to BUSY-6. Prior art: `erts_dsig_send`, and its `ERTS_DSIG_SEND_YIELD`.

use std::sync::Arc;
use std::time::Duration;

use super::system_monitor::tell_busy_dist;
use crate::carrier::{Congested, ConnectionId};
use crate::contain::wake;
use crate::context;
use crate::node::Inner;
use crate::process::core::{Running, WaitsForRoom};
use crate::report;

/// How long a process is suspended before it is reported. A connection normally writes the output
/// of one turn in much less time.
const REPORT_AFTER: Duration = Duration::from_secs(1);

impl Inner {
    /// Suspends the running process until the connection has room, if it is a process of this node.
    #[cold]
    pub(in crate::process) fn hold_up(
        &self,
        connection: ConnectionId,
        congested: &Arc<dyn Congested>,
    ) {
        context::try_process(|me| {
            if std::ptr::eq(me.node, self) && me.may_be_held_up() {
                me.hold_up(connection, congested);
            }
        });
    }

    /// Returns whether a congested connection would suspend the running process.
    pub(super) fn may_be_held_up(&self) -> bool {
        context::try_process(|me| std::ptr::eq(me.node, self) && me.may_be_held_up())
            .unwrap_or(true)
    }
}

impl Running<'_> {
    /// Returns whether a congested connection may suspend this process. A process with `async_dist`
    /// is never suspended (BUSY-6), nor is a process that is ending: its destructors can't wait.
    fn may_be_held_up(self) -> bool {
        !self.control.slot.vitals.is_async_dist() && !self.control.is_ending()
    }

    fn hold_up(self, connection: ConnectionId, congested: &Arc<dyn Congested>) {
        if !congested.wait(self.pid()) {
            return;
        }
        let (node, pid) = (self.node, self.pid());
        let start_report = || {
            let now = node.env.now();
            (now, node.start_report(now, now + REPORT_AFTER, pid))
        };
        let mut held_up = self.control.extras().held_up.borrow_mut();
        let begins = held_up.add(connection, congested, start_report);
        drop(held_up);
        self.control.slot.vitals.set_held_up(true);
        self.control.cut_turn();
        if begins {
            tell_busy_dist(node, pid, connection, &**congested);
        }
    }

    /// Reports that the process is suspended, if it still is.
    pub(in crate::process) fn report_held_up(self) {
        let Some(extras) = self.control.extras_if_any() else { return };
        let held_up = extras.held_up.borrow();
        let Some(since) = held_up.since() else { return };
        let peers: Vec<String> = held_up.peers().iter().map(ToString::to_string).collect();
        drop(held_up);
        let (pid, now) = (self.pid(), self.node.env.now());
        let name = self.node.registry.name_of(pid).map(|name| name.as_str().to_owned());
        let (label, peers) = (extras.label.borrow().clone(), peers.join(", "));
        let label = label.as_deref();
        self.node.logs.held_ups.line(now, |left_out| {
            report!(
                warn, %pid, name, label, %peers, ms = now.since(since).as_millis(), left_out,
                "a process is suspended: it sends to these nodes faster than they accept, and handles \
                 no messages until they catch up. To get an error instead, use `try_send`, \
                 `send_timeout` or `send_with` with `nosuspend`; to keep running, use \
                 `async_dist(true)` or a process for each peer. See `fika::guide::back_pressure`"
            );
        });
    }

    /// Handles the signal that a connection has room.
    pub(in crate::process) fn handle_room(self, connection: ConnectionId) {
        let Some(extras) = self.control.extras_if_any() else { return };
        let is_told = |waits: &mut WaitsForRoom| waits.connection == connection;
        let told: Vec<_> = extras.waits_for_room.borrow_mut().extract_if(.., is_told).collect();
        if !told.is_empty() {
            self.control.works.set(true);
        }
        told.into_iter().for_each(|waits| wake(waits.task));
        let goes_on = extras.held_up.borrow_mut().has_room(connection);
        if let Some(timer) = goes_on {
            self.node.cancel_timer(timer);
            self.control.slot.vitals.set_held_up(false);
            // The process may have been woken while it was suspended.
            self.control.works.set(true);
        }
    }
}
