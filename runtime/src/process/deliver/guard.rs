//! Protects the services of a node: processes of the runtime and of the network layer, without
//! which the node would lose its name or its connections.
//!
//! | | a process of another node | a process of this node |
//! |---|---|---|
//! | link | answered with `noproc` | as with any process; `noproc` if the service is the root |
//! | exit signal | dropped | as with any process; dropped if the service is the root |
//! | group leader | dropped | as with any process |
//! | message, down, answer | dropped, unless the service is open | as with any process |
//! | monitor | as with any process | as with any process |
//!
//! An exit signal by a link counts only if the service itself has made the link.

use crate::node::Inner;
use crate::pid::Pid;
use crate::process::core::Running;
use crate::process::failure::contain;
use crate::report;
use crate::signal::Signal;
use crate::table::{DEAF, ROOT, SERVICE};

impl Inner {
    /// Returns whether a signal of another node is refused, because its receiver is a service.
    pub(super) fn is_guarded(&self, to: Pid, signal: &Signal) -> bool {
        let marks = match signal {
            Signal::Link { .. }
            | Signal::Exit { by_link: false, .. }
            | Signal::GroupLeader { .. } => SERVICE,
            Signal::Message(_) | Signal::Down { .. } | Signal::SpawnReply { .. } => DEAF,
            _ => return false,
        };
        self.table.get(to.local()).is_some_and(|slot| slot.has_mark(marks))
    }

    /// Refuses a signal of another node to a service.
    pub(in crate::process) fn refuse(&self, to: Pid, signal: Signal) {
        let (what, from) = match &signal {
            Signal::Link { from } => ("a link", Some(*from)),
            Signal::Exit { from, .. } => ("an exit signal", Some(*from)),
            Signal::GroupLeader { .. } => ("a group leader", None),
            Signal::Message(_) => ("a message", None),
            _ => ("an answer", None),
        };
        self.logs.guarded.line(self.env.now(), |left_out| {
            let from = from.map(tracing::field::display);
            report!(
                warn, %to, from, what, left_out,
                "refused: a process of another node must not do this to a process of the runtime"
            );
        });
        match signal {
            Signal::Link { .. } => self.undeliverable(to, signal),
            signal => contain(|| drop(signal)),
        }
    }
}

impl Running<'_> {
    /// Returns whether only the end of the node ends this process.
    pub(in crate::process) fn is_root(self) -> bool {
        self.control.slot.has_mark(ROOT) && !self.node.is_stopping()
    }
}
