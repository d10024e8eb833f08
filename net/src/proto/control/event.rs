//! The requests of a peer to this node, and the trait that receives them.

use fika_runtime::message::NodeList;
use fika_runtime::{
    Creation, Encoded, Envelope, NodeId, NodeName, Pid, Signal, SpawnRequest, Target, Undecodable,
};

use super::decoder::reason;

/// A request of a peer to this node.
#[derive(Debug)]
pub(crate) enum Event {
    /// A signal for a process or a name of this node.
    Signal {
        /// The target of the signal.
        target: Target,
        /// The signal.
        signal: Signal,
    },
    /// A request to spawn. Boxed, since it is much larger than most events.
    Spawn(Box<SpawnRequest>),
    /// The reason of the next signal could not be decoded, and was replaced.
    Undecodable(Box<Undecodable>),
    /// The peer could not decode a value from this node.
    NotTaken(Box<NotTaken>),
}

/// The peer's report of a value that it could not decode.
#[derive(Debug)]
pub(crate) struct NotTaken {
    pub(crate) lost: Undecodable,
    /// How many further values the peer has not reported.
    pub(crate) more: u64,
}

/// Receives the requests of a peer, in order.
pub(crate) trait Events {
    /// Handles a message to a process of this node, the most frequent event. It is not an
    /// [`Event`], which is much larger and would cost more than the rest.
    fn message(&mut self, to: Pid, message: Envelope);

    /// Handles any other event, and messages that came in pieces.
    fn event(&mut self, event: Event);

    /// Returns the id of a life of a node for which the peer defines a number. `None` if the peer
    /// has named too many nodes, which is an error of the peer.
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
