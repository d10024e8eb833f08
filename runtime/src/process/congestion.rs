//! Senders over a connection that is congested: they wait until there is room.
//!
//! What a process sends is taken in any case. Where that was more than goes out, it is told
//! so, stops at its next suspension point, and goes on when it receives the signal
//! `ConnectionRoom` of the last connection that it waits for. It takes in its signals meanwhile,
//! so that it can be ended. One that sends over several connections in one turn waits for all
//! of them.
//!
//! # Invariant
//! For each connection in `held_up_by` a `ConnectionRoom` is on its way, or will be when there
//! is room. It can't come too early: a process handles its signals after the call in which it
//! has begun to wait.
//!
//! Semantics BUSY-1 to BUSY-6. Prior art: `erts_dsig_send`, and its `ERTS_DSIG_SEND_YIELD`.

use super::control::Running;
use crate::carrier::{Congested, ConnectionId};
use crate::context;
use crate::node::Inner;

impl Inner {
    /// The running process, if it is one of this node, waits for room.
    #[cold]
    pub(super) fn hold_up(&self, connection: ConnectionId, congested: &dyn Congested) {
        context::try_process(|me| {
            if std::ptr::eq(me.node, self) && me.may_be_held_up() {
                me.hold_up(connection, congested);
            }
        });
    }

    /// Whether the running process would wait for room.
    pub(super) fn may_be_held_up(&self) -> bool {
        context::try_process(|me| std::ptr::eq(me.node, self) && me.may_be_held_up())
            .unwrap_or(true)
    }
}

impl Running<'_> {
    /// BUSY-6. What is sent by a process that ends is not its own any more.
    fn may_be_held_up(self) -> bool {
        !self.control.slot.vitals.is_async_dist() && !self.control.ending.get()
    }

    fn hold_up(self, connection: ConnectionId, congested: &dyn Congested) {
        if !congested.wait(self.pid()) {
            return;
        }
        let begins = self.control.extras().held_up_by.borrow_mut().insert(connection);
        self.control.slot.vitals.set_held_up(true);
        self.control.cut_turn();
        if begins {
            self.node.tell_busy_dist(self.pid(), connection, congested);
        }
    }

    pub(super) fn handle_room(self, connection: ConnectionId) {
        let Some(extras) = self.control.extras_if_any() else { return };
        let mut held_up_by = extras.held_up_by.borrow_mut();
        if held_up_by.remove(&connection) && held_up_by.is_empty() {
            self.control.slot.vitals.set_held_up(false);
            // A wake-up may have come meanwhile.
            self.control.works.set(true);
        }
    }
}
