//! A process on each node that tells the demo what happens there.

use std::fmt;

use fika::net::{NodeDownReason, monitor_nodes};
use fika::node::NodeName;
use fika::prelude::*;
use serde::{Deserialize, Serialize};

use crate::cache::{self, Changed};

/// An event on a node.
#[derive(Message, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub(crate) node: NodeName,
    pub(crate) event: Event,
}

/// An event.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) enum Event {
    /// The witness has started.
    Attached(Pid),
    NodeUp(NodeName),
    NodeDown(NodeName, NodeDownReason),
    /// The cache has a new value for this key; `None` if it was deleted.
    Changed(String, Option<String>),
    /// The guardian is linked to this process on another node, and monitors it.
    Guards(Pid),
    Exit(Pid, ExitReason),
    Down(Pid, ExitReason),
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Attached(witness) => {
                let creation = witness.node().creation().0;
                write!(f, "has creation {creation}, and a witness by spawn_on: {witness}")
            }
            Event::NodeUp(node) => write!(f, "nodeup {node}"),
            Event::NodeDown(node, reason) => write!(f, "nodedown {node}: {reason}"),
            Event::Changed(key, Some(value)) => write!(f, "the cache has {key} = {value}"),
            Event::Changed(key, None) => write!(f, "the cache has no {key} any more"),
            Event::Guards(pid) => write!(f, "guards {pid:?}"),
            Event::Exit(pid, reason) => write!(f, "EXIT {pid:?}: {reason}"),
            Event::Down(pid, reason) => write!(f, "DOWN {pid:?}: {reason}"),
        }
    }
}

/// Tells the demo of an event on this node.
pub(crate) fn tell(demo: Pid, event: Event) {
    send(demo, Seen { node: self_node().name(), event });
}

/// Tells the demo which nodes come and go, and how the cache changes.
#[remote]
pub(crate) async fn witness(demo: Pid) {
    monitor_nodes(true);
    cache::watch();
    tell(demo, Event::Attached(self_pid()));
    loop {
        let event = receive! {
            NodeUp { node, .. } => Event::NodeUp(node),
            NodeDown { node, reason, .. } => Event::NodeDown(node, reason),
            Changed { key, value } => Event::Changed(key, value),
        };
        tell(demo, event);
    }
}
