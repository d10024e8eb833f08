//! Decodes bytes into signals.
//!
//! A message's payload is not decoded here, but by its receiver. An exit reason is decoded here,
//! since links and monitors act on it. A reason that can't be decoded is replaced, so that the end
//! of the process is always reported.

use std::cell::Cell;
use std::sync::Arc;

use fika_runtime::message::{NodeList, decode_postcard, decode_with_nodes, hash_tag};
use fika_runtime::{
    Alias, ConnectionId, Creation, Encoded, Envelope, ExitReason, LocalId, Name, NodeId, NodeName,
    Pid, Reference, Signal, SpawnError, SpawnRequest, Target, Undecodable, UndecodablePart,
    WireType, printable,
};

use super::event::{Event, Events, NotTaken};
use super::{
    DEFINE_NAME, DEFINE_NODE, DEFINE_TYPE, DEMONITOR, DOWN, EXIT, GROUP_LEADER, LARGE, LINK,
    MESSAGE, MONITOR, PARTS, PIECE, SIGNALS, SPAWN, SPAWN_ERRORS, SPAWN_LINK, SPAWN_MONITOR,
    SPAWN_PRIORITIES, SPAWN_PRIORITY_SHIFT, SPAWN_REPLY, SPAWNED, TO_ALIAS, TO_NAME, UNDECODABLE,
    UNLINK, UNLINK_ACK,
};
use crate::proto::atom_cache::ReceiveCache;
use crate::proto::codec::Reader;
use crate::proto::connection::Config;
use crate::proto::error::{InvalidMessage, PeerMisbehaved, ProtocolError};
use crate::proto::limits::{
    MESSAGE_NODES_MAX, NAME_BYTES_MAX, NAME_NUMBERS_MAX, NODE_NAME_BYTES_MAX, NODE_NUMBERS_MAX,
    TAG_BYTES_MAX, TYPE_NUMBERS_MAX, WHY_BYTES_MAX,
};

const SEQUENCE: &str = "the sequence of a message in pieces";

/// The kind and the sequence of a piece.
pub(crate) const PIECE_HEAD_BYTES: usize = 2;

/// The meaning of a frame, besides the events that it emits.
pub(crate) enum Decoded {
    /// Nothing else: the frame was an event or a definition.
    Nothing,
    /// The head of a message whose payload comes in pieces.
    Large(Box<Large>),
    /// A piece of a payload.
    Piece { sequence: u8, at: usize },
}

/// The head of a message in pieces.
pub(crate) struct Large {
    pub(crate) sequence: u8,
    /// The number of bytes in the payload.
    pub(crate) total: usize,
    /// The nodes that the payload names.
    pub(crate) nodes: NodeList,
    /// The event without its payload.
    pub(crate) event: Event,
}

/// Whether a payload's bytes are in the frame.
#[derive(Clone, Copy)]
enum Bytes<'a> {
    Here,
    /// They come in pieces. Their nodes and their number are stored here.
    Later(&'a Cell<Later>),
}

/// The nodes and the number of bytes of a payload that comes later.
#[derive(Default)]
struct Later {
    nodes: NodeList,
    total: usize,
}

/// The receiving half of a connection.
pub(crate) struct Decoder {
    connection: ConnectionId,
    local: NodeId,
    peer: NodeId,
    nodes: ReceiveCache<NodeId>,
    names: ReceiveCache<Name>,
    types: ReceiveCache<Arc<WireType>>,
}

impl Decoder {
    pub(crate) fn new(config: &Config) -> Decoder {
        let Config { id: connection, local, peer, .. } = *config;
        Decoder {
            connection,
            local,
            peer,
            nodes: ReceiveCache::new("node", [peer, local], NODE_NUMBERS_MAX),
            names: ReceiveCache::new("name", [], NAME_NUMBERS_MAX),
            types: ReceiveCache::new("message type", [], TYPE_NUMBERS_MAX),
        }
    }

    /// Returns the sequence of the piece whose frame body begins like this, if it is a piece.
    pub(crate) fn piece(head: &[u8]) -> Option<u8> {
        match head {
            [PIECE, sequence, ..] => Some(*sequence),
            _ => None,
        }
    }

    /// Handles a frame, and emits its event.
    pub(crate) fn frame(
        &mut self,
        body: &[u8],
        events: &mut impl Events,
    ) -> Result<Decoded, ProtocolError> {
        let mut reader = Reader::new(body);
        let kind = reader.u8("the kind of a frame")?;
        match kind {
            DEFINE_NODE => self.define_node(reader, events)?,
            DEFINE_NAME => self.define_name(reader)?,
            DEFINE_TYPE => self.define_type(reader)?,
            LARGE => return self.large(reader).map(|large| Decoded::Large(large.into())),
            UNDECODABLE => self.undecodable(reader, events)?,
            PIECE => {
                return Ok(Decoded::Piece { sequence: reader.u8(SEQUENCE)?, at: PIECE_HEAD_BYTES });
            }
            _ => self.event(kind, reader, Bytes::Here, events)?,
        }
        Ok(Decoded::Nothing)
    }

    /// Emits the event of a frame that is neither a definition nor in pieces.
    #[inline]
    fn event(
        &mut self,
        kind: u8,
        reader: Reader<'_>,
        bytes: Bytes<'_>,
        events: &mut impl Events,
    ) -> Result<(), ProtocolError> {
        if kind == SPAWN {
            let request = self.spawn(reader, bytes)?;
            events.event(Event::Spawn(request.into()));
            return Ok(());
        }
        self.signal(kind, reader, bytes, events)
    }

    /// Decodes the head of a message in pieces: a frame without the bytes of its payload.
    fn large(&mut self, mut reader: Reader<'_>) -> Result<Large, ProtocolError> {
        let sequence = reader.u8(SEQUENCE)?;
        let kind = reader.u8("the kind of a message in pieces")?;
        let has_payload =
            matches!(kind & !(TO_NAME | TO_ALIAS), MESSAGE | EXIT | DOWN) || kind == SPAWN;
        if !has_payload {
            let what = "the kind of a message in pieces";
            return Err(InvalidMessage::UnknownValue { what, value: kind }.into());
        }
        let later = Cell::default();
        let mut head = Vec::new();
        self.event(kind, reader, Bytes::Later(&later), &mut head)?;
        let event = head.pop().expect("an event was just appended");
        let Later { nodes, total } = later.take();
        Ok(Large { sequence, total, nodes, event })
    }

    fn define_node(
        &mut self,
        mut reader: Reader<'_>,
        events: &mut impl Events,
    ) -> Result<(), ProtocolError> {
        let number = reader.var_u32("the number of a node")?;
        let creation = Creation(reader.u32("a creation")?);
        let name = reader.text("the name of a node", NODE_NAME_BYTES_MAX)?;
        reader.finish("the definition of a node")?;
        let name: NodeName = name.parse().map_err(InvalidMessage::BadNodeName)?;
        let node = events.meet(&name, creation).ok_or(PeerMisbehaved::TooManyNodes)?;
        Ok(self.nodes.define(number, node)?)
    }

    fn define_name(&mut self, mut reader: Reader<'_>) -> Result<(), ProtocolError> {
        let number = reader.var_u32("the number of a name")?;
        let name = reader.text("a name", NAME_BYTES_MAX)?;
        reader.finish("the definition of a name")?;
        Ok(self.names.define(number, name.into())?)
    }

    fn define_type(&mut self, mut reader: Reader<'_>) -> Result<(), ProtocolError> {
        let number = reader.var_u32("the number of a message type")?;
        let fingerprint = reader.u64("a fingerprint")?;
        let tag = reader.text("the tag of a message type", TAG_BYTES_MAX)?;
        reader.finish("the definition of a message type")?;
        // The hash is not sent: a peer can't give a tag the hash of another one.
        let (tag, hash, connection) = (tag.into(), hash_tag(tag), Some(self.connection));
        let wire_type = WireType { tag, hash, fingerprint, connection };
        Ok(self.types.define(number, wire_type.into())?)
    }

    /// Decodes a report that the peer could not decode a value of this node.
    fn undecodable(
        &self,
        mut reader: Reader<'_>,
        events: &mut impl Events,
    ) -> Result<(), ProtocolError> {
        let r = &mut reader;
        let what = "what did not decode";
        let value = r.u8(what)?;
        let part = PARTS.get(usize::from(value));
        let part = *part.ok_or(InvalidMessage::UnknownValue { what, value })?;
        let sender = process_if_any(r)?.map(|local| Pid::new(self.local, local));
        let receiver = process_if_any(r)?.map(|local| Pid::new(self.peer, local));
        let tag = r.text("the tag of what did not decode", TAG_BYTES_MAX)?.into();
        let why = r.text("why it did not decode", WHY_BYTES_MAX)?.to_owned();
        let more = r.var_u64("how many more did not decode")?;
        reader.finish("a report of what did not decode")?;
        let lost = Undecodable { part, sender, receiver, tag, why };
        events.event(Event::NotTaken(NotTaken { lost, more }.into()));
        Ok(())
    }

    fn spawn(
        &mut self,
        mut reader: Reader<'_>,
        bytes: Bytes<'_>,
    ) -> Result<SpawnRequest, ProtocolError> {
        let what = "the flags of a request to spawn";
        let flags = reader.u8(what)?;
        let bits = flags & (SPAWN_LINK | SPAWN_MONITOR);
        let priority = SPAWN_PRIORITIES.get(usize::from((flags ^ bits) >> SPAWN_PRIORITY_SHIFT));
        let unknown = InvalidMessage::UnknownValue { what, value: flags };
        let priority = *priority.ok_or(unknown)?;
        let request = SpawnRequest {
            reference: self.their_reference(&mut reader)?,
            from: self.their_process(&mut reader)?,
            group_leader: self.any_process(&mut reader)?,
            function: self.name(&mut reader)?,
            args: self.encoded(&mut reader, bytes)?,
            link: flags & SPAWN_LINK != 0,
            monitor: flags & SPAWN_MONITOR != 0,
            priority,
        };
        reader.finish("a request to spawn")?;
        Ok(request)
    }

    fn signal(
        &mut self,
        kind: u8,
        mut reader: Reader<'_>,
        bytes: Bytes<'_>,
        events: &mut impl Events,
    ) -> Result<(), ProtocolError> {
        if kind == MESSAGE {
            // The most frequent frame.
            let to = Pid::new(self.local, process(&mut reader)?);
            let message = self.message(&mut reader, bytes)?;
            reader.finish("a signal")?;
            events.message(to, message);
            return Ok(());
        }
        let r = &mut reader;
        let (to, kind_alone) = (kind & (TO_NAME | TO_ALIAS), kind & !(TO_NAME | TO_ALIAS));
        // The kind is checked before the rest is read as if the kind were known.
        let is_known = SIGNALS.contains(&kind_alone)
            && to != TO_NAME | TO_ALIAS
            && (to != TO_ALIAS || matches!(kind_alone, MESSAGE | EXIT));
        if !is_known {
            return Err(unknown_kind(kind));
        }
        let target = match to {
            TO_NAME => Target::Name(self.name(r)?),
            TO_ALIAS => Target::Alias(self.alias(r)?),
            _ => Target::Pid(Pid::new(self.local, process(r)?)),
        };
        let signal = match kind_alone {
            MESSAGE => Signal::Message(self.message(r, bytes)?),
            LINK => self.link(r)?,
            UNLINK => self.unlink(r)?,
            UNLINK_ACK => self.unlink_ack(r)?,
            EXIT => self.exit(r, bytes, &target, events)?,
            MONITOR => self.monitor(r)?,
            DEMONITOR => self.demonitor(r)?,
            DOWN => self.down(r, bytes, &target, events)?,
            SPAWN_REPLY => self.spawn_reply(r)?,
            GROUP_LEADER => self.group_leader(r)?,
            _ => return Err(unknown_kind(kind)),
        };
        reader.finish("a signal")?;
        events.event(Event::Signal { target, signal });
        Ok(())
    }

    #[inline]
    fn message(&self, r: &mut Reader<'_>, bytes: Bytes<'_>) -> Result<Envelope, ProtocolError> {
        // The message is completed in place: reading what was just written to memory would cost
        // more than the rest.
        let sender = process_if_any(r)?;
        Envelope::encoded_with(self.head(r, sender)?, |encoded| {
            let payload = self.payload(r, bytes, &mut encoded.nodes)?;
            encoded.bytes = bytes::Bytes::copy_from_slice(payload);
            Ok(())
        })
    }

    fn link(&mut self, r: &mut Reader<'_>) -> Result<Signal, ProtocolError> {
        Ok(Signal::Link { from: self.their_process(r)? })
    }

    fn unlink(&mut self, r: &mut Reader<'_>) -> Result<Signal, ProtocolError> {
        Ok(Signal::Unlink { from: self.their_process(r)?, id: unlink_id(r)? })
    }

    fn unlink_ack(&mut self, r: &mut Reader<'_>) -> Result<Signal, ProtocolError> {
        Ok(Signal::UnlinkAck { from: self.their_process(r)?, id: unlink_id(r)? })
    }

    fn exit(
        &mut self,
        r: &mut Reader<'_>,
        bytes: Bytes<'_>,
        target: &Target,
        events: &mut impl Events,
    ) -> Result<Signal, ProtocolError> {
        let from = self.their_process(r)?;
        let by_link = r.bool("whether an exit comes by a link")?;
        if by_link && matches!(target, Target::Alias(_)) {
            let what = "whether an exit by an alias comes by a link";
            return Err(InvalidMessage::UnknownValue { what, value: 1 }.into());
        }
        let reason = self.reason(r, bytes, Some(from), target, events)?;
        Ok(Signal::Exit { from, by_link, reason })
    }

    fn monitor(&mut self, r: &mut Reader<'_>) -> Result<Signal, ProtocolError> {
        let from = self.their_process(r)?;
        Ok(Signal::Monitor { from, reference: self.their_reference(r)? })
    }

    fn demonitor(&mut self, r: &mut Reader<'_>) -> Result<Signal, ProtocolError> {
        let from = self.their_process(r)?;
        Ok(Signal::Demonitor { from, reference: self.their_reference(r)? })
    }

    fn down(
        &mut self,
        r: &mut Reader<'_>,
        bytes: Bytes<'_>,
        target: &Target,
        events: &mut impl Events,
    ) -> Result<Signal, ProtocolError> {
        let from = match r.bool("whether a process went down")? {
            true => Some(self.their_process(r)?),
            false => None,
        };
        let reference = self.our_reference(r)?;
        let reason = self.reason(r, bytes, from, target, events)?;
        Ok(Signal::Down { from, reference, reason })
    }

    fn spawn_reply(&mut self, r: &mut Reader<'_>) -> Result<Signal, ProtocolError> {
        let reference = self.our_reference(r)?;
        let what = "the answer to a request to spawn";
        let result = match r.u8(what)? {
            SPAWNED => Ok(self.their_process(r)?),
            value => Err(spawn_error(value).ok_or(InvalidMessage::UnknownValue { what, value })?),
        };
        Ok(Signal::SpawnReply { connection: Some(self.connection), reference, result })
    }

    fn group_leader(&mut self, r: &mut Reader<'_>) -> Result<Signal, ProtocolError> {
        Ok(Signal::GroupLeader { leader: self.any_process(r)? })
    }

    /// Reads a process that is only mentioned, and so may be on any node.
    fn any_process(&self, reader: &mut Reader<'_>) -> Result<Pid, ProtocolError> {
        let node = *self.nodes.get(reader.var_u32("the number of a node")?)?;
        Ok(Pid::new(node, process(reader)?))
    }

    fn their_process(&self, reader: &mut Reader<'_>) -> Result<Pid, InvalidMessage> {
        Ok(Pid::new(self.peer, process(reader)?))
    }

    fn their_reference(&self, reader: &mut Reader<'_>) -> Result<Reference, InvalidMessage> {
        reference(self.peer, reader)
    }

    fn our_reference(&self, reader: &mut Reader<'_>) -> Result<Reference, InvalidMessage> {
        reference(self.local, reader)
    }

    fn alias(&self, reader: &mut Reader<'_>) -> Result<Alias, InvalidMessage> {
        let owner = reader.var_u32("the owner of an alias")?;
        let serial = reader.var_u64("the serial of an alias")?;
        let reference = Reference::owned(self.local, serial, Some(owner));
        let priority = reader.bool("whether it goes ahead of ordinary messages")?;
        Ok(Alias { reference, priority })
    }

    fn name(&self, reader: &mut Reader<'_>) -> Result<Name, ProtocolError> {
        let number = reader.var_u32("the number of a name")?;
        Ok(self.names.get(number)?.clone())
    }

    fn encoded(&self, reader: &mut Reader<'_>, bytes: Bytes<'_>) -> Result<Encoded, ProtocolError> {
        let mut encoded = self.head(reader, None)?;
        let payload = self.payload(reader, bytes, &mut encoded.nodes)?;
        encoded.bytes = bytes::Bytes::copy_from_slice(payload);
        Ok(encoded)
    }

    /// Reads a value without its payload.
    #[inline]
    fn head(
        &self,
        reader: &mut Reader<'_>,
        sender: Option<LocalId>,
    ) -> Result<Encoded, ProtocolError> {
        let number = reader.var_u32("the number of a message type")?;
        let wire_type = Arc::clone(self.types.get(number)?);
        let (nodes, bytes) = (NodeList::new(), bytes::Bytes::new());
        Ok(Encoded { from: Some(self.peer), sender, wire_type, nodes, bytes })
    }

    fn reason(
        &self,
        reader: &mut Reader<'_>,
        bytes: Bytes<'_>,
        from: Option<Pid>,
        target: &Target,
        events: &mut impl Events,
    ) -> Result<ExitReason, ProtocolError> {
        let mut nodes = NodeList::new();
        let payload = self.payload(reader, bytes, &mut nodes)?;
        Ok(match bytes {
            Bytes::Here => reason(payload, &nodes, from, target, events),
            Bytes::Later(_) => ExitReason::Normal,
        })
    }

    /// Reads a payload, and appends the nodes that it names. If the bytes come later, the payload
    /// is empty here and names no nodes.
    #[inline]
    fn payload<'a>(
        &self,
        reader: &mut Reader<'a>,
        bytes: Bytes<'_>,
        nodes: &mut NodeList,
    ) -> Result<&'a [u8], ProtocolError> {
        let what = "the nodes of a payload";
        let count = reader.var_u32(what)? as usize;
        if count > MESSAGE_NODES_MAX {
            let length = count as u64;
            return Err(InvalidMessage::TooLong { what, length, max: MESSAGE_NODES_MAX }.into());
        }
        // Each number takes at least one byte, so the remaining bytes limit the reserved memory.
        nodes.reserve_exact(count.min(reader.remaining()));
        for _ in 0..count {
            nodes.push(*self.nodes.get(reader.var_u32(what)?)?);
        }
        let what = "a payload";
        let length = reader.u32("the length of a payload")?;
        let total = usize::try_from(length).map_err(|_| InvalidMessage::MissingData(what))?;
        match bytes {
            Bytes::Here => Ok(reader.take(what, total)?),
            Bytes::Later(later) => {
                later.set(Later { nodes: std::mem::take(nodes), total });
                Ok(&[])
            }
        }
    }
}

/// Decodes the reason of a signal from this process to this target. If it can't be decoded, an
/// event that reports this comes before the signal.
pub(super) fn reason(
    payload: &[u8],
    nodes: &[NodeId],
    from: Option<Pid>,
    target: &Target,
    events: &mut impl Events,
) -> ExitReason {
    decode_with_nodes(nodes, || decode_postcard(payload)).unwrap_or_else(|error| {
        let receiver = match target {
            Target::Pid(pid) => Some(*pid),
            Target::Alias(_) | Target::Name(_) => None,
        };
        let (part, tag, why) = (UndecodablePart::Reason, "".into(), printable(error));
        let lost = Undecodable { part, sender: from, receiver, tag, why };
        events.event(Event::Undecodable(lost.into()));
        ExitReason::badarg("the exit reason from another node could not be decoded")
    })
}

/// Reads the sender of a message, if it has one.
#[inline]
fn process_if_any(reader: &mut Reader<'_>) -> Result<Option<LocalId>, InvalidMessage> {
    let Some(slot) = reader.var_u32("the sender of a message")?.checked_sub(1) else {
        return Ok(None);
    };
    let generation = reader.var_u32("the generation of a process")?;
    Ok(Some(LocalId { slot, generation }))
}

#[inline]
fn process(reader: &mut Reader<'_>) -> Result<LocalId, InvalidMessage> {
    let slot = reader.var_u32("the slot of a process")?;
    let generation = reader.var_u32("the generation of a process")?;
    Ok(LocalId { slot, generation })
}

fn reference(node: NodeId, reader: &mut Reader<'_>) -> Result<Reference, InvalidMessage> {
    let serial = reader.var_u64("the serial of a reference")?;
    let owner = reader.var_u32("the owner of a reference")?;
    Ok(Reference::owned(node, serial, owner.checked_sub(1)))
}

fn unknown_kind(value: u8) -> ProtocolError {
    InvalidMessage::UnknownValue { what: "the kind of a frame", value }.into()
}

fn unlink_id(reader: &mut Reader<'_>) -> Result<u64, InvalidMessage> {
    reader.var_u64("the id of an unlink")
}

fn spawn_error(byte: u8) -> Option<SpawnError> {
    SPAWN_ERRORS.iter().find(|(_, known)| *known == byte).map(|(error, _)| *error)
}
