//! Functions that list the nodes that this node knows.
//!
//! Prior art: `erlang:nodes/0,1,2`.

use std::collections::BTreeSet;

use fika_runtime::{Node, NodeName, NodeType, acting_node};

use crate::dist::state::Distribution;

/// Selects the nodes to list (the argument of Erlang's `nodes/1`).
///
/// ```
/// # use fika_net::{NodeKind, nodes_of};
/// # fn example() {
/// let others = nodes_of(NodeKind::Connected);
/// let all = nodes_of([NodeKind::This, NodeKind::Connected]);
/// assert_eq!(all.len(), others.len() + 1);
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum NodeKind {
    /// Visible nodes that are connected.
    Visible,
    /// Hidden nodes that are connected.
    Hidden,
    /// All nodes that are connected.
    Connected,
    /// This node.
    This,
    /// This node, all connected nodes, and all other nodes that this node has heard of. It has
    /// heard of a node if it was or is being connected to it, or if a value from a peer refers to
    /// it.
    Known,
}

/// Converts a kind to a list with this kind only.
impl AsRef<[NodeKind]> for NodeKind {
    fn as_ref(&self) -> &[NodeKind] {
        std::slice::from_ref(self)
    }
}

impl NodeKind {
    fn covers(self, node_type: NodeType) -> bool {
        match self {
            NodeKind::Visible => node_type == NodeType::Visible,
            NodeKind::Hidden => node_type == NodeType::Hidden,
            NodeKind::Connected | NodeKind::Known => true,
            NodeKind::This => false,
        }
    }
}

/// Returns the names of the visible nodes that are connected (Erlang's `nodes/0`).
///
/// ```
/// # use fika_net::nodes;
/// # use fika_runtime::send;
/// # fn example() {
/// for node in nodes() {
///     send(("logger", &node), "hello".to_string());
/// }
/// # }
/// ```
///
/// # Panics
/// Outside of a process.
#[must_use]
#[track_caller]
pub fn nodes() -> Vec<NodeName> {
    nodes_of(NodeKind::Visible)
}

/// Returns the names of the nodes of one kind, or of any of several kinds, sorted and without
/// duplicates (Erlang's `nodes/1`).
///
/// ```
/// # use fika_net::{nodes_of, NodeKind};
/// # fn example() {
/// let hidden = nodes_of(NodeKind::Hidden);
/// let with_this_one = nodes_of([NodeKind::Visible, NodeKind::This]);
/// # }
/// ```
///
/// # Panics
/// Outside of a process.
#[must_use]
#[track_caller]
pub fn nodes_of(kinds: impl AsRef<[NodeKind]>) -> Vec<NodeName> {
    list(&acting_node("nodes"), kinds.as_ref())
}

fn list(node: &Node, kinds: &[NodeKind]) -> Vec<NodeName> {
    let is_asked = |kind| kinds.contains(&kind);
    let mut found = BTreeSet::new();
    if is_asked(NodeKind::This) || is_asked(NodeKind::Known) {
        found.insert(node.name());
    }
    if let Some(distribution) = Distribution::of(node) {
        if is_asked(NodeKind::Known) {
            found.extend(distribution.known());
        }
        for channel in distribution.base.connections.all() {
            let node_type = channel.node_type();
            if node_type.is_some_and(|it| kinds.iter().any(|kind| kind.covers(it))) {
                found.insert(channel.peer().clone());
            }
        }
    }
    found.into_iter().collect()
}

/// A connected node, with details of its connection.
///
/// ```
/// # use fika_net::connected_nodes;
/// # fn example() {
/// for connected in connected_nodes() {
///     println!("{} by connection {}", connected.node, connected.connection);
/// }
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConnectedNode {
    /// The name of the node.
    pub node: NodeName,
    /// Whether the node is visible or hidden.
    pub node_type: NodeType,
    /// The number of this connection, which differs from those of earlier and later connections to
    /// this node.
    pub connection: u64,
    /// The number of messages, exit reasons and arguments of `#[remote]` functions that arrived
    /// over this connection and could not be decoded here.
    pub undecodable_here: u64,
    /// The number of messages, exit reasons and arguments from this node that the peer could not
    /// decode, as far as the peer has reported it. The peer may report many of them together, when
    /// it checks the ticks.
    pub undecodable_there: u64,
}

/// Returns all connected nodes, visible and hidden, each with its type and its connection (Erlang's
/// `nodes/2`).
///
/// ```
/// # use fika_net::connected_nodes;
/// # fn example() {
/// let lost: u64 = connected_nodes().iter().map(|connected| connected.undecodable_here).sum();
/// println!("{lost} messages could not be decoded");
/// # }
/// ```
///
/// # Panics
/// Outside of a process.
#[must_use]
#[track_caller]
pub fn connected_nodes() -> Vec<ConnectedNode> {
    let Some(distribution) = Distribution::of(&acting_node("connected_nodes")) else {
        return Vec::new();
    };
    let channels = distribution.base.connections.all();
    let up = channels.iter().filter_map(|channel| {
        let (node, connection) = (channel.peer().clone(), channel.id().0);
        let (undecodable_here, undecodable_there) = channel.undecoded();
        channel.node_type().map(|node_type| ConnectedNode {
            node,
            node_type,
            connection,
            undecodable_here,
            undecodable_there,
        })
    });
    up.collect()
}

impl Distribution {
    /// Returns the names of the nodes of one kind, or of any of several kinds.
    #[must_use]
    pub fn nodes_of(&self, kinds: impl AsRef<[NodeKind]>) -> Vec<NodeName> {
        self.base.node().map(|node| list(&node, kinds.as_ref())).unwrap_or_default()
    }

    /// Returns the names of the nodes to which this node is or was connected or is connecting, and
    /// of the nodes that its peers have named.
    fn known(&self) -> BTreeSet<NodeName> {
        let mut known = self.base.known.names();
        known.extend(self.base.connections.all().iter().map(|channel| channel.peer().clone()));
        known
    }
}
