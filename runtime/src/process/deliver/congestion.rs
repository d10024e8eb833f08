//! Senders over a congested connection: they wait until there is room.
//!
//! The connection always takes what a process sends. If the connection is congested, the process
//! stops at its next suspension point, and goes on when it receives the signal `ConnectionRoom` of
//! the last connection that it waits for. Meanwhile it takes in its signals, so it can be ended. A
//! process that sends over several connections in one turn waits for all of them.
//!
//! A process that has been suspended for a second is reported, since its author may not know that
//! this can happen. For this a timer sends it a request, which a process handles even while it is
//! suspended.
//!
//! # Invariant
//! For each connection in `HeldUp`, a `ConnectionRoom` is on its way, or will be sent when there is
//! room. A signal that a `send_timeout` requested may arrive first and end the wait early. The next
//! send then finds the connection still congested.
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

/// A process that has been suspended for this long is reported. A connection sends the output of
/// one turn in less time.
const REPORT_AFTER: Duration = Duration::from_secs(1);

impl Inner {
    /// Makes the running process wait for room, if it is a process of this node.
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

    /// Returns whether the running process would wait for room.
    pub(super) fn may_be_held_up(&self) -> bool {
        context::try_process(|me| std::ptr::eq(me.node, self) && me.may_be_held_up())
            .unwrap_or(true)
    }
}

impl Running<'_> {
    /// BUSY-6. A process that ends does not wait for room for the messages of its destructors.
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
                "a process is suspended: it has sent more to these nodes than they accept, and \
                 handles no messages meanwhile. Use `try_send`, `send_timeout` or `send_with` with \
                 `nosuspend` to be told instead, `async_dist(true)` to go on, or a process for each \
                 peer; see `fika::guide::back_pressure`"
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
            // A wake-up may have come meanwhile.
            self.control.works.set(true);
        }
    }
}
