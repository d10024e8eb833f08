//! A signal or a spawn request that is ready to be sent: the part that needs the program's code,
//! its payload, is already encoded.
//!
//! A parcel is made before any lock is taken, so no code of the program runs under a lock and
//! delays others. For the destructor of a message, its value is taken out of the parcel first
//! ([`Parcel::take_value`]). The numbers that stand for names are chosen when the parcel is
//! written.

use std::sync::Arc;

use bytes::Bytes;
use fika_runtime::message::{Buffer, NodeList, encode_message, encode_postcard, encode_with_nodes};
use fika_runtime::{
    EncodeError, Envelope, ExitReason, MessageType, Pid, Signal, SpawnRequest, WireType,
};

use super::control::SendError;
use super::limits::{COPIED_BYTES_MAX, Limits, MESSAGE_NODES_MAX, WHOLE_BYTES_MAX};

/// The initial capacity, enough for most messages.
const SMALL_BYTES: usize = 128;

/// Roughly the bytes that count for a waiting parcel besides its payload.
const OVERHEAD_BYTES: usize = 64;

/// The bytes of a payload.
#[derive(Debug)]
pub(super) enum Body {
    /// Bytes to be copied.
    Own(Vec<u8>),
    /// Bytes in this order. Large parts are shared.
    Parts(Vec<Bytes>),
}

impl Body {
    fn of(buffer: Buffer) -> Body {
        match buffer.len() {
            0..COPIED_BYTES_MAX => buffer.into_own().map_or_else(Body::parts_of, Body::Own),
            _ => Body::parts_of(buffer),
        }
    }

    fn parts_of(buffer: Buffer) -> Body {
        Body::Parts(buffer.into_parts())
    }

    /// Returns all bytes, in parts.
    pub(super) fn parts(&self) -> Vec<Bytes> {
        match self {
            Body::Own(bytes) => vec![Bytes::copy_from_slice(bytes)],
            Body::Parts(parts) => parts.clone(),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Body::Own(bytes) => bytes.len(),
            Body::Parts(parts) => parts.iter().map(Bytes::len).sum(),
        }
    }
}

/// The encoded part: of a message, a reason, or the arguments of a function.
#[derive(Debug)]
pub(crate) struct Payload {
    pub(super) body: Body,
    /// The nodes that the payload names.
    pub(super) nodes: NodeList,
    /// The wire type of a message in the described form; `None` for the type of the envelope.
    pub(super) described: Option<Arc<WireType>>,
}

impl Payload {
    /// Encodes a message. The result may be too large.
    ///
    /// # Errors
    /// If the message can't leave the node.
    pub(crate) fn message(message: &Envelope) -> Result<Payload, SendError> {
        if let Some(encoded) = message.as_encoded() {
            return Ok(Payload::shared(&encoded.bytes, &encoded.nodes));
        }
        Payload::encode(|out| message.encode(out), || message.wire_type().described())
    }

    fn none() -> Payload {
        Payload { body: Body::Own(Vec::new()), nodes: NodeList::new(), described: None }
    }

    fn encode(
        encode: impl Fn(&mut Buffer) -> Result<(), EncodeError>,
        described: impl FnOnce() -> WireType,
    ) -> Result<Payload, SendError> {
        // The list of nodes is written to its final place: moving what was just written stalls the
        // processor.
        let mut payload = Payload::none();
        let mut buffer = Buffer::with_capacity(SMALL_BYTES);
        encode_message(&mut buffer, &mut payload.nodes, encode)?;
        if buffer.is_described() {
            payload.described = Some(described().into());
        }
        payload.body = Body::of(buffer);
        Ok(payload)
    }

    /// Encodes a reason. It always has the plain form.
    fn reason(reason: &ExitReason) -> Result<Payload, SendError> {
        let (mut buffer, mut nodes) = (Buffer::with_capacity(SMALL_BYTES), NodeList::new());
        encode_with_nodes(&mut nodes, || encode_postcard(reason, &mut buffer))?;
        Ok(Payload { body: Body::of(buffer), nodes, described: None })
    }

    fn shared(bytes: &Bytes, nodes: &NodeList) -> Payload {
        let body = Body::Parts(vec![bytes.clone()]);
        Payload { body, nodes: nodes.clone(), described: None }
    }

    pub(super) fn len(&self) -> usize {
        self.body.len()
    }

    pub(super) fn is_large(&self) -> bool {
        self.len() > WHOLE_BYTES_MAX
    }

    fn checked(self, limits: &Limits) -> Result<Payload, SendError> {
        self.check(limits)?;
        Ok(self)
    }

    /// Checks the size of the payload.
    ///
    /// # Errors
    /// If it is too large.
    pub(crate) fn check(&self, limits: &Limits) -> Result<(), SendError> {
        let (bytes, max) = (self.len(), limits.message_bytes_max);
        if bytes > max {
            return Err(SendError::TooLarge { bytes, max });
        }
        let (nodes, max) = (self.nodes.len(), MESSAGE_NODES_MAX);
        if nodes > max {
            return Err(SendError::TooManyNodes { nodes, max });
        }
        Ok(())
    }
}

/// The thing that is sent.
#[derive(Debug)]
pub(crate) enum Cargo {
    Signal(Signal),
    Spawn(SpawnRequest),
    /// A message whose value was taken out.
    Message(MessageType),
}

/// A parcel; see the head of the file.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(super) cargo: Cargo,
    pub(super) payload: Payload,
}

impl Parcel {
    /// Makes a parcel from a message and its payload.
    pub(crate) fn message(message: Envelope, payload: Payload) -> Parcel {
        Parcel { cargo: Cargo::Signal(Signal::Message(message)), payload }
    }

    /// Makes a parcel from a signal, and encodes its payload. The end of a process is always
    /// reported, if necessary with another reason. `replaced` is then set to the cause, for the
    /// caller to report.
    ///
    /// # Errors
    /// If the payload can't leave the node, or is too large.
    pub(crate) fn signal(
        signal: Signal,
        limits: &Limits,
        replaced: &mut Option<SendError>,
    ) -> Result<Parcel, (SendError, Signal)> {
        let encode_reason = |reason: &ExitReason| Payload::reason(reason)?.checked(limits);
        let encoded = match &signal {
            Signal::Message(message) => {
                Payload::message(message).and_then(|payload| payload.checked(limits))
            }
            Signal::Exit { reason, .. } | Signal::Down { reason, .. } => encode_reason(reason),
            _ => Ok(Payload::none()),
        };
        let why = match encoded {
            Ok(payload) => return Ok(Parcel { cargo: Cargo::Signal(signal), payload }),
            Err(why) => why,
        };
        let reason = ExitReason::SystemLimit;
        let Ok(payload) = encode_reason(&reason) else { return Err((why, signal)) };
        let instead = match signal {
            Signal::Exit { from, by_link, .. } => Signal::Exit { from, reason, by_link },
            Signal::Down { from, reference, .. } => Signal::Down { from, reference, reason },
            signal => return Err((why, signal)),
        };
        *replaced = Some(why);
        Ok(Parcel { cargo: Cargo::Signal(instead), payload })
    }

    /// Makes a parcel from a spawn request, whose arguments are already encoded.
    ///
    /// # Errors
    /// If the arguments are too large.
    pub(crate) fn spawn(
        request: SpawnRequest,
        limits: &Limits,
    ) -> Result<Parcel, (SendError, Box<SpawnRequest>)> {
        match Payload::shared(&request.args.bytes, &request.args.nodes).checked(limits) {
            Ok(payload) => Ok(Parcel { cargo: Cargo::Spawn(request), payload }),
            Err(why) => Err((why, request.into())),
        }
    }

    /// Takes out the value of a message, which is already encoded. Its destructor belongs to the
    /// program and may send, so the caller drops it without holding a lock.
    pub(crate) fn take_value(&mut self) -> Option<Envelope> {
        let Cargo::Signal(Signal::Message(message)) = &self.cargo else { return None };
        let without = Cargo::Message(message.message_type());
        match std::mem::replace(&mut self.cargo, without) {
            Cargo::Signal(Signal::Message(message)) => Some(message),
            _ => None,
        }
    }

    /// Puts back what [`take_value`](Self::take_value) returned.
    pub(crate) fn put_back(&mut self, value: Option<Envelope>) {
        if let Some(message) = value {
            self.cargo = Cargo::Signal(Signal::Message(message));
        }
    }

    /// Returns roughly the size on the wire, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.payload.len() + OVERHEAD_BYTES
    }

    /// Returns whether the parcel is sent in pieces.
    pub(crate) fn is_large(&self) -> bool {
        self.payload.is_large()
    }

    pub(crate) fn into_cargo(self) -> Cargo {
        self.cargo
    }

    pub(crate) fn cargo(&self) -> &Cargo {
        &self.cargo
    }

    /// Returns the process that it comes from, if the signal says so.
    pub(crate) fn from(&self) -> Option<Pid> {
        match &self.cargo {
            Cargo::Message(_) => None,
            Cargo::Spawn(request) => Some(request.from),
            Cargo::Signal(signal) => match signal {
                Signal::Link { from }
                | Signal::Unlink { from, .. }
                | Signal::UnlinkAck { from, .. }
                | Signal::Exit { from, .. }
                | Signal::Monitor { from, .. }
                | Signal::Demonitor { from, .. } => Some(*from),
                Signal::Down { from, .. } => *from,
                Signal::Message(_)
                | Signal::SpawnReply { .. }
                | Signal::GroupLeader { .. }
                | Signal::Request(_)
                | Signal::ConnectionLost { .. }
                | Signal::ConnectionRoom { .. } => None,
            },
        }
    }
}
