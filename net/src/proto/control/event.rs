//! What a peer asks of this node, and who takes it.

use fika_runtime::message::NodeList;
use fika_runtime::{Encoded, Envelope, NodeId, Pid, Signal, SpawnRequest, Target};

use super::decoder::reason;
use crate::proto::error::ProtocolError;

/// What a peer asks of this node.
#[derive(Debug)]
pub(crate) enum Event {
    /// A signal for a process or a name of this node.
    Signal {
        /// Whom it is for.
        target: Target,
        /// The signal.
        signal: Signal,
    },
    /// A request to spawn, which is much larger than what most events are.
    Spawn(Box<SpawnRequest>),
}

/// Who takes what a peer asks for, in order.
pub(crate) trait Events {
    /// A message to a process of this node, which is what most events are. It is not made an
    /// [`Event`]: that is much larger, and would cost more than all the rest.
    fn message(&mut self, to: Pid, message: Envelope);

    /// Anything else, and messages that have come in pieces.
    fn event(&mut self, event: Event);

    /// A node that the peer has named for the first time, before what names it.
    fn named(&mut self, node: NodeId);
}

impl Events for Vec<Event> {
    fn message(&mut self, to: Pid, message: Envelope) {
        let (target, signal) = (Target::Pid(to), Signal::Message(message));
        self.push(Event::Signal { target, signal });
    }

    fn event(&mut self, event: Event) {
        self.push(event);
    }

    fn named(&mut self, _: NodeId) {}
}

impl Event {
    /// Gives an event the payload that it lacks.
    pub(crate) fn complete(
        self,
        payload: Vec<u8>,
        nodes: NodeList,
    ) -> Result<Event, ProtocolError> {
        let fill = |encoded: &mut Encoded, payload: Vec<u8>, nodes: NodeList| {
            encoded.bytes = payload.into();
            encoded.nodes = nodes;
        };
        let (target, signal) = match self {
            Event::Spawn(mut request) => {
                fill(&mut request.args, payload, nodes);
                return Ok(Event::Spawn(request));
            }
            Event::Signal { target, signal } => (target, signal),
        };
        let signal = match signal {
            Signal::Exit { from, by_link, .. } => {
                Signal::Exit { from, by_link, reason: reason(&payload, &nodes)? }
            }
            Signal::Down { from, reference, .. } => {
                Signal::Down { from, reference, reason: reason(&payload, &nodes)? }
            }
            Signal::Message(mut envelope) => {
                if let Some(encoded) = envelope.as_encoded_mut() {
                    fill(encoded, payload, nodes);
                }
                Signal::Message(envelope)
            }
            other => other,
        };
        Ok(Event::Signal { target, signal })
    }
}
