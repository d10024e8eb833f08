//! What a peer asks of this node, and the receiver of these events.

use fika_runtime::message::NodeList;
use fika_runtime::{
    Creation, Encoded, Envelope, NodeId, NodeName, Pid, Signal, SpawnRequest, Target, Undecodable,
};

use super::decoder::reason;

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
    /// The reason of the next signal did not decode, and was replaced.
    Undecodable(Box<Undecodable>),
    /// The peer could not decode a value that this node has sent.
    NotTaken(Box<NotTaken>),
}

/// The peer's report of a value that it could not decode.
#[derive(Debug)]
pub(crate) struct NotTaken {
    pub(crate) lost: Undecodable,
    /// How many more there were that it has not reported.
    pub(crate) more: u64,
}

/// The receiver of what a peer asks for, in order.
pub(crate) trait Events {
    /// A message to a process of this node, which is what most events are. It is not made an
    /// [`Event`]: that is much larger, and would cost more than all the rest.
    fn message(&mut self, to: Pid, message: Envelope);

    /// Anything else, and messages that have come in pieces.
    fn event(&mut self, event: Event);

    /// Returns the id of a life of a node that the peer defines a number for. `None` if the peer has
    /// named too many nodes: that is an error of the peer.
    fn meet(&mut self, name: &NodeName, creation: Creation) -> Option<NodeId>;
}

impl Events for Vec<Event> {
    fn message(&mut self, to: Pid, message: Envelope) {
        let (target, signal) = (Target::Pid(to), Signal::Message(message));
        self.push(Event::Signal { target, signal });
    }

    fn event(&mut self, event: Event) {
        self.push(event);
    }

    fn meet(&mut self, name: &NodeName, creation: Creation) -> Option<NodeId> {
        Some(NodeId::of(name, creation))
    }
}

impl Event {
    /// Adds the payload to an event that lacks it, and passes the event to `events`.
    pub(crate) fn complete(self, payload: Vec<u8>, nodes: NodeList, events: &mut impl Events) {
        let fill = |encoded: &mut Encoded, payload: Vec<u8>, nodes: NodeList| {
            encoded.bytes = payload.into();
            encoded.nodes = nodes;
        };
        let (target, signal) = match self {
            Event::Spawn(mut request) => {
                fill(&mut request.args, payload, nodes);
                return events.event(Event::Spawn(request));
            }
            Event::Signal { target, signal } => (target, signal),
            other => return events.event(other),
        };
        let signal = match signal {
            Signal::Exit { from, by_link, .. } => {
                let reason = reason(&payload, &nodes, Some(from), &target, events);
                Signal::Exit { from, by_link, reason }
            }
            Signal::Down { from, reference, .. } => {
                let reason = reason(&payload, &nodes, from, &target, events);
                Signal::Down { from, reference, reason }
            }
            Signal::Message(mut envelope) => {
                if let Some(encoded) = envelope.as_encoded_mut() {
                    fill(encoded, payload, nodes);
                }
                Signal::Message(envelope)
            }
            other => other,
        };
        events.event(Event::Signal { target, signal });
    }
}
