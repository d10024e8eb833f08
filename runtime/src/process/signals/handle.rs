//! The effect of each signal on the process that receives it.
//!
//! The process handles its signals itself, when it runs, in the order in which they came. Messages
//! go to its mailbox on the way.

use crate::carrier::ConnectionId;
use crate::exit_reason::ExitReason;
use crate::message::{By, Chain, Envelope, Stamp};
use crate::node_id::NodeId;
use crate::pid::Pid;
use crate::process::core::Running;
use crate::process::core::relations::{
    Asked, ByAlias, Delivery, LOCAL, LinkOpts, Lost, Monitor, Spawning, Tag,
};
use crate::process::failure::contain;
use crate::reference::Reference;
use crate::signal::{Signal, SpawnError};
use crate::system_message::{Down, Exit, Object, SpawnReply};

/// The way by which an exit signal came.
#[derive(Clone, Copy, Default)]
pub(super) struct Way {
    /// By a link, which was active.
    pub(in crate::process) by_link: bool,
    /// Once trapped, it goes ahead of the ordinary messages.
    pub(in crate::process) priority: bool,
}

impl Running<'_> {
    /// Handles the signals that have arrived. Returns whether there were messages among them.
    pub(in crate::process) fn take_signals(self) -> bool {
        let Some(signals) = self.control.slot.queue.take_signals() else { return false };
        let before = self.control.message_count();
        self.handle_all(signals);
        self.control.message_count() > before
    }

    /// Handles the signals that have arrived, in the middle of a poll. A receive that waits
    /// meanwhile, in another branch of the process's future, looks again.
    pub(in crate::process) fn take_signals_aside(self) {
        if self.take_signals() && self.control.receiving.get().is_some() {
            let slot = self.control.slot;
            slot.wake(slot.queue.notify());
        }
    }

    pub(in crate::process) fn handle_all(self, signals: Chain) {
        let own = self.control.usual_address();
        for envelope in signals {
            if envelope.word().address() == own {
                self.handle_envelope(envelope);
            } else {
                self.handle_other(envelope);
            }
        }
    }

    /// Handles a signal to the process itself. Most signals are messages, which are passed on
    /// unchanged.
    fn handle_envelope(self, envelope: Envelope) {
        if envelope.is_message() && !self.control.is_doomed() {
            self.control.works.set(true);
            self.control.put(envelope);
        } else {
            self.handle(envelope.into_signal());
        }
    }

    /// Handles a signal that was sent by an alias, or to an earlier process of this slot.
    fn handle_other(self, envelope: Envelope) {
        match envelope.word().address().by() {
            By::Alias { serial, priority } => {
                self.handle_by_alias(serial, priority, envelope.into_signal());
            }
            By::Pid(generation) if generation == self.pid().local().generation => {
                self.handle_envelope(envelope);
            }
            // It was sent to an earlier process of this slot.
            By::Pid(generation) => {
                let mut to = self.pid().local();
                to.generation = generation;
                self.node.undeliverable(Pid::new(self.node.id, to), envelope.into_signal());
            }
        }
    }

    fn handle(self, signal: Signal) {
        if self.control.is_doomed() {
            return self.handle_late(signal);
        }
        if signal.may_end_a_wait() {
            self.control.works.set(true);
        }
        let relations = || self.control.relations();
        match signal {
            Signal::Message(envelope) => self.control.put(envelope),
            Signal::Link { .. } if self.is_root() => self.node.undeliverable(self.pid(), signal),
            Signal::Link { from } => relations().linked(from),
            Signal::Unlink { from, id } => self.handle_unlink(from, id),
            Signal::UnlinkAck { from, id } => relations().unlink_acknowledged(from, id),
            Signal::Exit { from, reason, by_link: true } => self.handle_link_exit(from, reason),
            Signal::Exit { from, reason, by_link: false } => {
                self.exit_signal(from, reason, Way::default());
            }
            Signal::Monitor { from, reference } => relations().add_watcher(reference, from),
            Signal::Demonitor { from, reference } => relations().remove_watcher(reference, from),
            Signal::Down { from, reference, reason } => self.handle_down(from, reference, reason),
            Signal::SpawnReply { connection, reference, result } => {
                self.handle_spawn_reply(connection, reference, result);
            }
            Signal::GroupLeader { leader } => self.control.slot.vitals.set_group_leader(leader),
            Signal::Request(request) => self.handle_request(request),
            Signal::ConnectionLost { node, connection } => self.handle_loss(node, connection),
            Signal::ConnectionRoom { connection } => self.handle_room(connection),
        }
    }

    /// Handles a signal after a fatal one, which has no effect, but may need an answer (EXIT-16).
    /// The answer that there is no such process waits until the process has ended (PROC-6). So does
    /// the answer to a request to spawn: the end of the process is then sent to the child (SPAWN-7).
    fn handle_late(self, signal: Signal) {
        match signal {
            Signal::Link { .. }
            | Signal::Monitor { .. }
            | Signal::SpawnReply { .. }
            | Signal::ConnectionLost { .. } => {
                self.control.extras().late.borrow_mut().push(signal);
            }
            other => self.node.undeliverable(self.pid(), other),
        }
    }

    /// Handles a signal by an alias, if the alias is active now (ALIAS-2).
    fn handle_by_alias(self, serial: u64, priority: bool, signal: Signal) {
        if self.control.is_doomed() {
            return self.node.nobody(signal);
        }
        self.control.works.set(true);
        let reference = self.alias(serial);
        match signal {
            Signal::Message(envelope) => {
                let relations = self.control.relations_if_any();
                let by = relations.and_then(|mut of| of.received_by_alias(reference));
                let Some(ByAlias { priority: allowed, monitor, tag }) = by else {
                    self.uncount(&envelope);
                    return contain(|| drop(envelope));
                };
                let stamp = Stamp::NONE.with_priority(priority && allowed);
                let stamp = stamp.with_counted(envelope.word().is_counted());
                self.control.put_stamped(envelope, stamp);
                if let Some(monitor) = monitor {
                    self.node.demonitor(self.pid(), reference, &monitor, false);
                }
                drop(tag);
            }
            Signal::Exit { from, reason, by_link: false } => {
                let relations = self.control.relations_if_any();
                let alias = relations.and_then(|of| of.aliases.get(serial));
                if let Some(alias) = alias {
                    let priority = priority && alias.priority;
                    self.exit_signal(from, reason, Way { by_link: false, priority });
                }
            }
            other => self.node.nobody(other),
        }
    }

    /// Returns the reference of this process's own alias.
    fn alias(self, serial: u64) -> Reference {
        Reference::owned(self.node.id, serial, Some(self.pid().local().slot))
    }

    fn handle_unlink(self, peer: Pid, id: u64) {
        self.control.relations().unlinked(peer);
        self.node.signal(peer, Signal::UnlinkAck { from: self.pid(), id });
    }

    fn handle_link_exit(self, from: Pid, reason: ExitReason) {
        let fired = self.control.relations().link_fired(from);
        if let Some(priority) = fired {
            self.exit_signal(from, reason, Way { by_link: true, priority });
        }
    }

    /// Handles an exit signal that has an effect.
    pub(super) fn exit_signal(self, from: Pid, reason: ExitReason, way: Way) {
        let Way { by_link, priority } = way;
        if self.is_root() {
            return;
        }
        if !by_link && reason == ExitReason::Kill {
            self.control.doom(ExitReason::Killed);
        } else if self.control.trap_exit.get() {
            let exit = Envelope::new(Exit { from, reason });
            self.control.put_stamped(exit, Stamp::NONE.with_priority(priority));
        } else if reason != ExitReason::Normal || (from == self.pid() && !by_link) {
            self.control.doom(reason);
        }
    }

    /// Handles a `Down`. Another node can report only the end of its own processes.
    fn handle_down(self, from: Option<Pid>, reference: Reference, reason: ExitReason) {
        let from = from.map(Pid::node).filter(|node| *node != self.node.id);
        let relations = self.control.relations_if_any();
        let held = relations.and_then(|mut of| {
            let may_tell = from.is_none_or(|node| of.is_monitor_of(reference, node));
            may_tell.then(|| of.take_monitor(reference)).flatten()
        });
        if let Some(held) = held {
            self.put_down(reference, held, reason);
        }
    }

    /// Delivers the `Down` of a monitor whose process has ended.
    fn put_down(self, monitor: Reference, held: Monitor, reason: ExitReason) {
        let Monitor { object, delivery: Delivery { tag, priority }, .. } = held;
        self.node.observed.tell(|observer| observer.down(self.pid(), monitor));
        if let Some(down) = Tag::down(tag, Down { monitor, object, reason }) {
            self.control.put_stamped(down, Stamp::down(monitor.serial()).with_priority(priority));
        }
    }

    /// Handles the answer to a request to spawn. It must have arrived over the connection of the
    /// request: another node may have guessed the reference.
    fn handle_spawn_reply(
        self,
        connection: Option<ConnectionId>,
        reference: Reference,
        result: Result<Pid, SpawnError>,
    ) {
        let relations = self.control.relations_if_any();
        let spawning = relations.and_then(|mut of| of.take_spawn(reference, connection?));
        if let Some(spawning) = spawning {
            self.spawn_answered(reference, spawning, result);
        }
    }

    /// Handles the answer to a request to spawn: records the relations, and delivers the answer.
    pub(in crate::process) fn spawn_answered(
        self,
        reference: Reference,
        spawning: Spawning,
        result: Result<Pid, SpawnError>,
    ) {
        let abandoned = spawning.is_abandoned();
        let Spawning { connection, link, monitor, reply, reply_tag, never, .. } = spawning;
        if reply.wants(result.is_ok()) {
            let reply = Tag::spawn_reply(reply_tag, SpawnReply { reference, result });
            reply.into_iter().for_each(|reply| self.control.put(reply));
        } else {
            drop(reply_tag);
        }
        match result {
            Ok(child) => {
                match link {
                    Some(_) if abandoned => self.abandon_child(child),
                    Some(link) => {
                        self.control.relations().linked_child(child, connection, link.priority);
                    }
                    None => {}
                }
                self.monitor_answered(reference, child, connection, monitor);
            }
            Err(error) => {
                // The alias is useless if the process was never spawned, so it ends here in any
                // case.
                self.control.relations().aliases.remove(reference.serial());
                if let Some(never) = never {
                    self.never_spawned(reference, never, error, link, monitor);
                }
            }
        }
    }

    /// Reports the end of a child that was never spawned to its link and monitor.
    fn never_spawned(
        self,
        reference: Reference,
        child: Pid,
        error: SpawnError,
        link: Option<LinkOpts>,
        monitor: Asked,
    ) {
        if let Asked::Yes(delivery) = monitor {
            let (object, target) = (Object::Pid(child), Some(child));
            let held = Monitor { object, target, connection: LOCAL, delivery };
            self.put_down(reference, held, error.into());
        }
        if let Some(link) = link {
            let way = Way { by_link: true, priority: link.priority };
            self.exit_signal(child, error.into(), way);
        }
    }

    fn monitor_answered(
        self,
        reference: Reference,
        child: Pid,
        connection: ConnectionId,
        monitor: Asked,
    ) {
        match monitor {
            Asked::No => {}
            Asked::Yes(delivery) => {
                let mut relations = self.control.relations();
                relations.add_child_monitor(reference, child, connection, delivery);
            }
            Asked::TakenBack => {
                let signal = Signal::Demonitor { from: self.pid(), reference };
                self.node.signal_as(child, signal, false);
            }
        }
    }

    /// The child has its half of the link.
    fn abandon_child(self, child: Pid) {
        let (from, reason) = (self.pid(), ExitReason::Abandoned);
        self.node.signal(child, Signal::Exit { from, reason, by_link: true });
    }

    fn handle_loss(self, node: Option<NodeId>, connection: ConnectionId) {
        let relations = self.control.relations_if_any();
        let lost = relations.map(|mut of| of.connection_lost(node, connection));
        let Lost { links, monitors, spawns } = lost.unwrap_or_default();
        for (reference, spawning) in spawns {
            self.spawn_answered(reference, spawning, Err(SpawnError::Noconnection));
        }
        for (peer, priority) in links {
            self.exit_signal(peer, ExitReason::Noconnection, Way { by_link: true, priority });
        }
        for (reference, held) in monitors {
            self.put_down(reference, held, ExitReason::Noconnection);
        }
    }
}
