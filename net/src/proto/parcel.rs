//! A signal or a request to spawn that is ready to be sent: what the program's own code has to
//! say about it, its payload, is encoded already.
//!
//! It is made before any lock is taken, so that no code of the program runs under one, and
//! nobody waits for it. The same holds for the destructor of a message: its value is taken out of
//! the parcel before ([`Parcel::take_value`]). How the connection's numbers stand for names is
//! decided when it goes out.

use std::sync::Arc;

use bytes::Bytes;
use fika_runtime::message::{Buffer, NodeList, encode_message, encode_postcard, encode_with_nodes};
use fika_runtime::{
    EncodeError, Envelope, ExitReason, MessageType, Pid, Signal, SpawnRequest, WireType,
};

use super::control::SendError;
use super::limits::{COPIED_BYTES_MAX, Limits, MESSAGE_NODES_MAX, WHOLE_BYTES_MAX};

/// Room for most messages from the start.
const SMALL_BYTES: usize = 128;

/// What counts for each parcel beside its payload, about, where one waits.
const OVERHEAD_BYTES: usize = 64;

/// What a payload's bytes are in.
#[derive(Debug)]
pub(super) enum Body {
    /// To be copied.
    Own(Vec<u8>),
    /// To be shared where they are large, in this order.
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

    /// All of it, in parts.
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
    /// The nodes that are named in it.
    pub(super) nodes: NodeList,
    /// The wire type of a message in the described form; `None` for the type of the envelope.
    pub(super) described: Option<Arc<WireType>>,
}

impl Payload {
    /// Encodes a message, which may be too large.
    ///
    /// # Errors
    /// When it can't leave the node.
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
        // The list of nodes is written where it stays: moving what was just written costs a stall.
        let mut payload = Payload::none();
        let mut buffer = Buffer::with_capacity(SMALL_BYTES);
        encode_message(&mut buffer, &mut payload.nodes, encode)?;
        if buffer.is_described() {
            payload.described = Some(described().into());
        }
        payload.body = Body::of(buffer);
        Ok(payload)
    }

    /// Encodes a reason, which is always in the plain form.
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

    /// # Errors
    /// When it is too large.
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

/// What is sent.
#[derive(Debug)]
pub(crate) enum Cargo {
    Signal(Signal),
    Spawn(SpawnRequest),
    /// A message whose value was taken out.
    Message(MessageType),
}

/// See the file's head.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(super) cargo: Cargo,
    pub(super) payload: Payload,
}

impl Parcel {
    /// A message, which this is the payload of.
    pub(crate) fn message(message: Envelope, payload: Payload) -> Parcel {
        Parcel { cargo: Cargo::Signal(Signal::Message(message)), payload }
    }

    /// Encodes what a signal has for its receiver's program. An end is told in any case, if need
    /// be without its reason: `replaced` is then set to the cause, for the caller to report.
    ///
    /// # Errors
    /// When it can't leave the node, or is too large.
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

    /// The same for a request to spawn, whose arguments are encoded.
    ///
    /// # Errors
    /// When it is too large.
    pub(crate) fn spawn(
        request: SpawnRequest,
        limits: &Limits,
    ) -> Result<Parcel, (SendError, Box<SpawnRequest>)> {
        match Payload::shared(&request.args.bytes, &request.args.nodes).checked(limits) {
            Ok(payload) => Ok(Parcel { cargo: Cargo::Spawn(request), payload }),
            Err(why) => Err((why, request.into())),
        }
    }

    /// Takes out the value of a message, which is encoded already. Its destructor is the program's,
    /// and may send: the caller drops it when no lock is held.
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

    /// How many bytes it will be, about.
    pub(crate) fn size(&self) -> usize {
        self.payload.len() + OVERHEAD_BYTES
    }

    /// Whether it goes in pieces.
    pub(crate) fn is_large(&self) -> bool {
        self.payload.is_large()
    }

    /// What was to be sent.
    pub(crate) fn into_cargo(self) -> Cargo {
        self.cargo
    }

    pub(crate) fn cargo(&self) -> &Cargo {
        &self.cargo
    }

    /// The process that it comes from, where it says so.
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
