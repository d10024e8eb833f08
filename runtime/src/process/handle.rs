//! What a signal does to the process that receives it.
//!
//! The process does this itself, when it runs, in the order in which the signals came:
//! messages go to its mailbox on the way.

use super::control::Running;
use super::relations::Lost;
use crate::carrier::ConnectionId;
use crate::exit_reason::ExitReason;
use crate::message::{Chain, Envelope, Message};
use crate::node_id::NodeId;
use crate::pid::Pid;
use crate::reference::Reference;
use crate::signal::{Signal, SpawnError};
use crate::system_message::{Down, Exit, SpawnReply};

impl Running<'_> {
    /// Takes in what has come; true if there were messages among it.
    pub(super) fn take_signals(self) -> bool {
        let Some(signals) = self.control.slot.queue.take_signals() else { return false };
        let before = self.control.mailbox.borrow().len();
        self.handle_all(signals);
        self.control.mailbox.borrow().len() > before
    }

    /// Takes in what has come, in the middle of something else. A receive that waits
    /// meanwhile, in another branch of the process's future, looks again.
    pub(super) fn take_signals_aside(self) {
        if self.take_signals() && self.control.receiving.get() {
            let slot = self.control.slot;
            slot.wake(slot.queue.notify());
        }
    }

    pub(super) fn handle_all(self, signals: Chain) {
        let generation = self.pid().local().generation;
        for envelope in signals {
            if envelope.generation() == generation {
                self.handle_envelope(envelope);
            } else {
                // It was sent to an earlier process of this slot.
                let mut to = self.pid().local();
                to.generation = envelope.generation();
                self.node.undeliverable(Pid::new(self.node.id, to), envelope.into_signal());
            }
        }
    }

    /// Messages are most of what comes: they go on as they are.
    fn handle_envelope(self, envelope: Envelope) {
        if envelope.is_message() && !self.control.is_doomed() {
            self.control.mailbox.borrow_mut().push(envelope);
        } else {
            self.handle(envelope.into_signal());
        }
    }

    fn handle(self, signal: Signal) {
        if self.control.is_doomed() {
            // EXIT-16: nothing after a fatal signal has an effect, but to be answered.
            return self.node.undeliverable(self.pid(), signal);
        }
        let relations = || self.control.relations();
        match signal {
            Signal::Message(envelope) => self.control.mailbox.borrow_mut().push(envelope),
            Signal::Link { from } => relations().linked(from),
            Signal::Unlink { from, id } => self.handle_unlink(from, id),
            Signal::UnlinkAck { from, id } => relations().unlink_acknowledged(from, id),
            Signal::Exit { from, reason, by_link } => self.handle_exit(from, reason, by_link),
            Signal::Monitor { from, reference } => {
                relations().add_watcher(reference, from);
            }
            Signal::Demonitor { from, reference } => {
                relations().remove_watcher(reference, from);
            }
            Signal::Down { reference, reason, .. } => self.handle_down(reference, reason),
            Signal::SpawnReply { reference, result } => self.handle_spawn_reply(reference, result),
            Signal::ConnectionLost { node, connection } => self.handle_loss(node, connection),
        }
    }

    fn put(self, message: impl Message) {
        self.control.mailbox.borrow_mut().push(Envelope::new(message));
    }

    fn handle_unlink(self, peer: Pid, id: u64) {
        self.control.relations().unlinked(peer);
        self.node.signal(peer, Signal::UnlinkAck { from: self.pid(), id });
    }

    fn handle_exit(self, from: Pid, reason: ExitReason, by_link: bool) {
        if by_link && !self.control.relations().link_fired(from) {
            return;
        }
        self.exit_signal(from, reason, by_link);
    }

    /// An exit signal that counts.
    pub(super) fn exit_signal(self, from: Pid, reason: ExitReason, by_link: bool) {
        if !by_link && reason == ExitReason::Kill {
            self.control.doom(ExitReason::Killed);
        } else if self.control.trap_exit.get() {
            self.put(Exit { from, reason });
        } else if reason != ExitReason::Normal || (from == self.pid() && !by_link) {
            self.control.doom(reason);
        }
    }

    fn handle_down(self, monitor: Reference, reason: ExitReason) {
        let held = self.control.relations().take_monitor(monitor);
        if let Some(held) = held {
            self.put(Down { monitor, object: held.object, reason });
        }
    }

    fn handle_spawn_reply(self, reference: Reference, result: Result<Pid, SpawnError>) {
        let mut relations = self.control.relations();
        let Some(spawning) = relations.take_spawn(reference) else { return };
        if let Ok(child) = result {
            if spawning.link {
                relations.linked(child);
                relations.linked_over(child, spawning.connection);
            }
            if spawning.monitor {
                relations.add_child_monitor(reference, child, spawning.connection);
            }
        }
        drop(relations);
        self.put(SpawnReply { reference, result });
    }

    fn handle_loss(self, node: Option<NodeId>, connection: ConnectionId) {
        let lost = self.control.relations().connection_lost(node, connection);
        let Lost { links, monitors, spawns } = lost;
        for reference in spawns {
            self.put(SpawnReply { reference, result: Err(SpawnError::Noconnection) });
        }
        for peer in links {
            self.exit_signal(peer, ExitReason::Noconnection, true);
        }
        for (monitor, object) in monitors {
            self.put(Down { monitor, object, reason: ExitReason::Noconnection });
        }
    }
}
