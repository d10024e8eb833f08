//! Encodes signals as frames, and ensures that no frame speaks for another node.

use fika_runtime::{
    Alias, Envelope, LocalId, MessageType, NodeId, Pid, Priority, Reference, Signal, SpawnError,
    SpawnRequest, Target, Undecodable,
};

use super::writer::Writer;
use super::{
    DEMONITOR, DOWN, EXIT, GROUP_LEADER, LINK, MESSAGE, MONITOR, PARTS, SPAWN, SPAWN_ERRORS,
    SPAWN_LINK, SPAWN_MONITOR, SPAWN_NOTSUP, SPAWN_PRIORITIES, SPAWN_PRIORITY_SHIFT, SPAWN_REPLY,
    SPAWNED, SendError, TO_ALIAS, TO_NAME, UNDECODABLE, UNLINK, UNLINK_ACK,
};
use crate::proto::limits::{TAG_BYTES_MAX, WHY_BYTES_MAX};
use crate::proto::output::{Batch, Start};
use crate::proto::parcel::{Body, Cargo, Parcel, Payload};

/// The sending half of a connection.
pub(crate) struct Encoder {
    writer: Writer,
    parties: Parties,
}

/// The two nodes of the connection.
#[derive(Clone, Copy)]
struct Parties {
    local: NodeId,
    peer: NodeId,
    /// Whether the peer supports priority messages.
    priority: bool,
}

impl Encoder {
    pub(crate) fn new(local: NodeId, peer: NodeId, priority: bool) -> Encoder {
        let writer = Writer::new(local, peer);
        Encoder { writer, parties: Parties { local, peer, priority } }
    }

    pub(crate) fn output_bytes(&self) -> usize {
        self.writer.output_bytes()
    }

    pub(crate) fn take_output(&mut self, batch: &mut Batch) {
        self.writer.take_output(batch);
    }

    pub(crate) fn tick(&mut self) {
        self.writer.tick();
    }

    /// Writes the frame, or the head of a message in pieces. A signal has a target.
    pub(crate) fn frame(
        &mut self,
        sender: Option<Pid>,
        target: Option<&Target>,
        parcel: &Parcel,
        large: Option<u8>,
    ) -> Result<(), SendError> {
        let p = self.parties;
        self.writer.whole_frame(large, |w| p.frame(w, sender, target, parcel))
    }

    /// Writes the frame of a message to a process.
    pub(crate) fn message(
        &mut self,
        sender: Option<Pid>,
        to: LocalId,
        message: &Envelope,
        payload: &Payload,
    ) -> Result<(), SendError> {
        let sender = self.parties.sender(sender);
        let of = message.message_type();
        self.writer.whole_frame(None, |w| w.message_to(sender, to, &of, payload))
    }

    /// Checks that [`frame`](Self::frame) would write the parcel.
    pub(crate) fn check(
        &mut self,
        sender: Option<Pid>,
        target: Option<&Target>,
        parcel: &Parcel,
    ) -> Result<(), SendError> {
        let p = self.parties;
        let mut result = Ok(());
        let given_up = self.writer.whole_frame(Some(0), |w| {
            result = p.frame(w, sender, target, parcel);
            Err(SendError::LocalOnly)
        });
        debug_assert!(given_up.is_err());
        result
    }

    pub(crate) fn undecodable(&mut self, lost: &Undecodable, more: u64) -> Result<(), SendError> {
        let p = self.parties;
        self.writer.whole_frame(None, |w| p.undecodable(w, lost, more))
    }

    pub(crate) fn piece(&mut self, sequence: u8, body: &Body) {
        self.writer.piece(sequence, body);
    }
}

impl Parties {
    /// Returns the sender of a message, if it is a process of this node.
    fn sender(self, sender: Option<Pid>) -> Option<LocalId> {
        sender.filter(|sender| sender.node() == self.local).map(Pid::local)
    }

    fn frame(
        self,
        w: &mut Writer,
        sender: Option<Pid>,
        target: Option<&Target>,
        parcel: &Parcel,
    ) -> Result<(), SendError> {
        let payload = &parcel.payload;
        match (&parcel.cargo, target) {
            (Cargo::Spawn(request), _) => self.spawn(w, request, payload),
            (Cargo::Message(of), Some(target)) => self.message(w, sender, target, of, payload),
            (Cargo::Signal(Signal::Message(message)), Some(target)) => {
                self.message(w, sender, target, &message.message_type(), payload)
            }
            (Cargo::Signal(signal), Some(target)) => self.signal(w, target, signal, payload),
            (Cargo::Signal(_) | Cargo::Message(_), None) => Err(SendError::LocalOnly),
        }
    }

    fn signal(
        self,
        w: &mut Writer,
        target: &Target,
        signal: &Signal,
        payload: &Payload,
    ) -> Result<(), SendError> {
        match signal {
            Signal::Link { from } => self.link(w, target, *from),
            Signal::Unlink { from, id } => self.unlink(w, UNLINK, target, *from, *id),
            Signal::UnlinkAck { from, id } => self.unlink(w, UNLINK_ACK, target, *from, *id),
            Signal::Exit { from, by_link, .. } => self.exit(w, target, *from, *by_link, payload),
            Signal::Monitor { from, reference } => {
                self.monitor(w, MONITOR, target, *from, *reference)
            }
            Signal::Demonitor { from, reference } => {
                self.monitor(w, DEMONITOR, target, *from, *reference)
            }
            Signal::Down { from, reference, .. } => {
                self.down(w, target, *from, *reference, payload)
            }
            Signal::SpawnReply { reference, result, .. } => {
                self.spawn_reply(w, target, *reference, *result)
            }
            Signal::GroupLeader { leader } => self.group_leader(w, target, *leader),
            Signal::Message(_)
            | Signal::Request(_)
            | Signal::ConnectionLost { .. }
            | Signal::ConnectionRoom { .. } => Err(SendError::LocalOnly),
        }
    }

    fn message(
        self,
        w: &mut Writer,
        sender: Option<Pid>,
        target: &Target,
        of: &MessageType,
        payload: &Payload,
    ) -> Result<(), SendError> {
        if let Target::Pid(to) = target {
            self.check_theirs(to.node())?;
            return w.message_to(self.sender(sender), to.local(), of, payload);
        }
        let type_number = w.type_of(of, payload)?;
        w.define_nodes(payload);
        let start = self.begin(w, MESSAGE, target)?;
        w.put_sender(self.sender(sender));
        w.put_var(type_number);
        w.end_with(start, payload)
    }

    fn link(self, w: &mut Writer, target: &Target, from: Pid) -> Result<(), SendError> {
        let start = self.begin(w, LINK, target)?;
        w.put_process(self.ours(from)?);
        w.end(start)
    }

    fn unlink(
        self,
        w: &mut Writer,
        kind: u8,
        target: &Target,
        from: Pid,
        id: u64,
    ) -> Result<(), SendError> {
        let start = self.begin(w, kind, target)?;
        w.put_process(self.ours(from)?);
        w.put_var(id);
        w.end(start)
    }

    fn exit(
        self,
        w: &mut Writer,
        target: &Target,
        from: Pid,
        by_link: bool,
        payload: &Payload,
    ) -> Result<(), SendError> {
        if by_link && matches!(target, Target::Alias(_)) {
            return Err(SendError::NotByAlias);
        }
        w.define_nodes(payload);
        let start = self.begin(w, EXIT, target)?;
        w.put_process(self.ours(from)?);
        w.put_u8(by_link.into());
        w.end_with(start, payload)
    }

    fn monitor(
        self,
        w: &mut Writer,
        kind: u8,
        target: &Target,
        from: Pid,
        reference: Reference,
    ) -> Result<(), SendError> {
        let start = self.begin(w, kind, target)?;
        w.put_process(self.ours(from)?);
        self.put_our_reference(w, reference)?;
        w.end(start)
    }

    fn down(
        self,
        w: &mut Writer,
        target: &Target,
        from: Option<Pid>,
        reference: Reference,
        payload: &Payload,
    ) -> Result<(), SendError> {
        w.define_nodes(payload);
        let start = self.begin(w, DOWN, target)?;
        w.put_u8(from.is_some().into());
        if let Some(from) = from {
            w.put_process(self.ours(from)?);
        }
        self.put_their_reference(w, reference)?;
        w.end_with(start, payload)
    }

    fn spawn_reply(
        self,
        w: &mut Writer,
        target: &Target,
        reference: Reference,
        result: Result<Pid, SpawnError>,
    ) -> Result<(), SendError> {
        let start = self.begin(w, SPAWN_REPLY, target)?;
        self.put_their_reference(w, reference)?;
        match result {
            Ok(pid) => {
                w.put_u8(SPAWNED);
                w.put_process(self.ours(pid)?);
            }
            Err(error) => w.put_u8(spawn_error(error)),
        }
        w.end(start)
    }

    fn group_leader(self, w: &mut Writer, target: &Target, leader: Pid) -> Result<(), SendError> {
        let node = w.node(leader.node());
        let start = self.begin(w, GROUP_LEADER, target)?;
        w.put_var(node);
        w.put_process(leader.local());
        w.end(start)
    }

    fn spawn(
        self,
        w: &mut Writer,
        request: &SpawnRequest,
        payload: &Payload,
    ) -> Result<(), SendError> {
        let function = w.name("a function's name", &request.function)?;
        let type_number = w.wire_type(&request.args.wire_type)?;
        let leader_node = w.node(request.group_leader.node());
        w.define_nodes(payload);
        let link = if request.link { SPAWN_LINK } else { 0 };
        let monitor = if request.monitor { SPAWN_MONITOR } else { 0 };
        let start = w.begin(SPAWN);
        w.put_u8(link | monitor | priority(request.priority));
        self.put_our_reference(w, request.reference)?;
        w.put_process(self.ours(request.from)?);
        w.put_var(leader_node);
        w.put_process(request.group_leader.local());
        w.put_var(function);
        w.put_var(type_number);
        w.end_with(start, payload)
    }

    fn undecodable(self, w: &mut Writer, lost: &Undecodable, more: u64) -> Result<(), SendError> {
        let Undecodable { part, sender, receiver, tag, why } = lost;
        let part = PARTS.iter().position(|known| known == part).unwrap_or(0);
        let start = w.begin(UNDECODABLE);
        w.put_u8(part as u8);
        w.put_sender(sender.filter(|pid| pid.node() == self.peer).map(Pid::local));
        w.put_sender(self.sender(*receiver));
        w.put_text("the tag of what did not decode", tag, TAG_BYTES_MAX)?;
        w.put_text("why it did not decode", why, WHY_BYTES_MAX)?;
        w.put_var(more);
        w.end(start)
    }

    /// Begins a frame to `target`, after the definition of its name if it needs one.
    fn begin(self, w: &mut Writer, kind: u8, target: &Target) -> Result<Start, SendError> {
        match target {
            Target::Pid(pid) if pid.node() == self.peer => {
                let start = w.begin(kind);
                w.put_process(pid.local());
                Ok(start)
            }
            Target::Pid(pid) => Err(SendError::NotThePeers(pid.node())),
            Target::Alias(alias) => self.begin_to_alias(w, kind, *alias),
            Target::Name(name) => {
                let number = w.name("a name", name)?;
                let start = w.begin(kind | TO_NAME);
                w.put_var(number);
                Ok(start)
            }
        }
    }

    fn begin_to_alias(self, w: &mut Writer, kind: u8, alias: Alias) -> Result<Start, SendError> {
        let Alias { reference, priority } = alias;
        self.check_theirs(reference.node())?;
        let owner = reference.owner().filter(|_| matches!(kind, MESSAGE | EXIT));
        let owner = owner.ok_or(SendError::NotByAlias)?;
        let start = w.begin(kind | TO_ALIAS);
        w.put_var(owner);
        w.put_var(reference.serial());
        // SIG-14: for a peer that does not support priority messages, it is an ordinary one.
        w.put_u8((priority && self.priority).into());
        Ok(start)
    }

    fn ours(self, from: Pid) -> Result<LocalId, SendError> {
        self.check_ours(from.node())?;
        Ok(from.local())
    }

    fn put_our_reference(self, w: &mut Writer, reference: Reference) -> Result<(), SendError> {
        self.check_ours(reference.node())?;
        put_reference(w, reference);
        Ok(())
    }

    fn put_their_reference(self, w: &mut Writer, reference: Reference) -> Result<(), SendError> {
        self.check_theirs(reference.node())?;
        put_reference(w, reference);
        Ok(())
    }

    fn check_theirs(self, node: NodeId) -> Result<(), SendError> {
        if node == self.peer { Ok(()) } else { Err(SendError::NotThePeers(node)) }
    }

    fn check_ours(self, node: NodeId) -> Result<(), SendError> {
        if node == self.local { Ok(()) } else { Err(SendError::NotOurs(node)) }
    }
}

fn put_reference(w: &mut Writer, reference: Reference) {
    w.put_var(reference.serial());
    // There are fewer slots than 2^32, so the sum fits.
    w.put_var(reference.owner().map_or(0, |owner| owner + 1));
}

/// Returns the bits of a priority in the flags of a spawn request.
fn priority(priority: Priority) -> u8 {
    let number = SPAWN_PRIORITIES.iter().position(|known| *known == priority);
    (number.unwrap_or(0) as u8) << SPAWN_PRIORITY_SHIFT
}

fn spawn_error(error: SpawnError) -> u8 {
    // An error without a number in this version is sent as `notsup`, since the peer might not know
    // it.
    let known = SPAWN_ERRORS.iter().find(|(known, _)| *known == error);
    known.map_or(SPAWN_NOTSUP, |(_, byte)| *byte)
}
