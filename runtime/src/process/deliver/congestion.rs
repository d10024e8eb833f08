//! Senders over a connection that is congested: they wait until there is room.
//!
//! What a process sends is taken in any case. Where that was more than goes out, it is told
//! so, stops at its next suspension point, and goes on when it receives the signal
//! `ConnectionRoom` of the last connection that it waits for. It takes in its signals meanwhile,
//! so that it can be ended. One that sends over several connections in one turn waits for all
//! of them.
//!
//! A process that has been suspended for a second is reported, since its author may not know that
//! this can happen. For this a timer sends it a request, which a process handles even while it is
//! suspended.
//!
//! # Invariant
//! For each connection in `HeldUp`, a `ConnectionRoom` is on its way, or will be sent when there is
//! room. One that a `send_timeout` requested may arrive first and end the wait early; the next send
//! then finds the connection still congested.
//!
//! Semantics BUSY-1 to BUSY-6. Prior art: `erts_dsig_send`, and its `ERTS_DSIG_SEND_YIELD`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use crate::carrier::{Congested, ConnectionId};
use crate::contain::wake;
use crate::context;
use crate::env::Time;
use crate::node::Inner;
use crate::process::core::Running;
use crate::report;
use crate::timers::TimerRef;

/// A process that has been suspended for this long is reported. This is longer than a connection
/// takes to send what one turn can produce.
const REPORT_AFTER: Duration = Duration::from_secs(1);

/// The connections that a process waits for.
#[derive(Default)]
pub(in crate::process) struct HeldUp {
    by: BTreeMap<ConnectionId, Arc<dyn Congested>>,
    /// When it began to wait, and the timer of its report.
    since: Option<(Time, TimerRef)>,
}

/// A task inside the process's future that waits for room, while the process itself goes on.
pub(in crate::process) struct WaitsForRoom {
    /// Identifies the waiting task.
    pub(in crate::process) key: u64,
    pub(in crate::process) connection: ConnectionId,
    pub(in crate::process) task: Waker,
}

impl HeldUp {
    pub(in crate::process) fn is_empty(&self) -> bool {
        self.by.is_empty()
    }
}

impl Inner {
    /// The running process, if it is one of this node, waits for room.
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

    /// Whether the running process would wait for room.
    pub(in crate::process) fn may_be_held_up(&self) -> bool {
        context::try_process(|me| std::ptr::eq(me.node, self) && me.may_be_held_up())
            .unwrap_or(true)
    }
}

impl Running<'_> {
    /// BUSY-6. What is sent by a process that ends is not its own any more.
    fn may_be_held_up(self) -> bool {
        !self.control.slot.vitals.is_async_dist() && !self.control.ending.get()
    }

    fn hold_up(self, connection: ConnectionId, congested: &Arc<dyn Congested>) {
        if !congested.wait(self.pid()) {
            return;
        }
        let mut held_up = self.control.extras().held_up.borrow_mut();
        let begins = held_up.by.insert(connection, congested.clone()).is_none();
        let (node, pid) = (self.node, self.pid());
        held_up.since.get_or_insert_with(|| {
            let now = node.env.now();
            (now, node.start_report(now, now + REPORT_AFTER, pid))
        });
        drop(held_up);
        self.control.slot.vitals.set_held_up(true);
        self.control.cut_turn();
        if begins {
            node.tell_busy_dist(pid, connection, &**congested);
        }
    }

    /// Reports that the process is suspended, if it still is.
    pub(in crate::process) fn report_held_up(self) {
        let Some(extras) = self.control.extras_if_any() else { return };
        let held_up = extras.held_up.borrow();
        let Some((since, _)) = held_up.since else { return };
        let (pid, now) = (self.pid(), self.node.env.now());
        let peers: Vec<String> = held_up.by.values().map(|peer| peer.node().to_string()).collect();
        drop(held_up);
        let name = self.node.registry.name_of(pid).map(|name| name.as_str().to_owned());
        let (label, peers) = (extras.label.borrow().clone(), peers.join(", "));
        let label = label.as_deref();
        self.node.held_ups.line(now, |left_out| {
            report!(
                warn, %pid, name, label, %peers, ms = now.since(since).as_millis(), left_out,
                "a process is suspended: it has sent more to these nodes than they accept, and \
                 handles no messages meanwhile. Use `try_send`, `send_timeout` or `send_with` with \
                 `nosuspend` to be told instead, `async_dist(true)` to go on, or a process for each \
                 peer; see `fika::guide::back_pressure`"
            );
        });
    }

    pub(in crate::process) fn handle_room(self, connection: ConnectionId) {
        let Some(extras) = self.control.extras_if_any() else { return };
        let is_told = |waits: &mut WaitsForRoom| waits.connection == connection;
        let told: Vec<_> = extras.waits_for_room.borrow_mut().extract_if(.., is_told).collect();
        if !told.is_empty() {
            self.control.works.set(true);
        }
        told.into_iter().for_each(|waits| wake(waits.task));
        let mut held_up = extras.held_up.borrow_mut();
        if held_up.by.remove(&connection).is_some() && held_up.by.is_empty() {
            let since = held_up.since.take();
            drop(held_up);
            if let Some((_, timer)) = since {
                self.node.cancel_timer(timer);
            }
            self.control.slot.vitals.set_held_up(false);
            // A wake-up may have come meanwhile.
            self.control.works.set(true);
        }
    }
}
