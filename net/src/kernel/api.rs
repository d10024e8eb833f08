//! What users call about nodes: the free functions act for the node of the running process.

use std::sync::Arc;

use fika_runtime::{Node, NodeName, NodeType, acting_node, self_pid};

use super::ask::ask;
use super::net::Net;
use super::net_kernel::Command;
use super::subscriptions::Wanted;

/// The answer to a [`ping`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Ping {
    /// The node is there, and connected.
    Pong,
    /// It is not, or has another cookie.
    Pang,
}

/// Which nodes are meant (the argument of Erlang's `nodes/1`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum NodeKind {
    /// Visible nodes that are connected.
    Visible,
    /// Hidden nodes that are connected.
    Hidden,
    /// Both.
    Connected,
    /// This node.
    This,
}

/// Works with the distribution of the running process's node; none if it has none.
#[track_caller]
fn net<R>(function: &str, work: impl FnOnce(&Net) -> R) -> Option<R> {
    of(&acting_node(function), work)
}

pub(super) fn of<R>(node: &Node, work: impl FnOnce(&Net) -> R) -> Option<R> {
    node.carrier().and_then(|carrier| carrier.as_any().downcast_ref()).map(work)
}

/// Connects to a node if need be, and says whether it is there (Erlang's
/// `net_adm:ping/1`). A node is always there for itself.
///
/// # Panics
/// Outside of a process.
pub async fn ping(node: impl AsRef<str>) -> Ping {
    match connect_node(node).await {
        Some(true) => Ping::Pong,
        Some(false) | None => Ping::Pang,
    }
}

/// Connects to a node, and says whether it is connected then; none if this node is not
/// distributed (Erlang's `net_kernel:connect_node/1`). A text that is no node name gives
/// false.
///
/// # Panics
/// Outside of a process.
pub async fn connect_node(node: impl AsRef<str>) -> Option<bool> {
    let (own, net_kernel) = net("connect_node", |net| (net.name.clone(), net.net_kernel()))?;
    let Ok(node) = node.as_ref().parse::<NodeName>() else { return Some(false) };
    if node == own {
        return Some(true);
    }
    Some(ask(net_kernel, |caller| Command::ConnectNode { node, caller }).await)
}

/// Closes the connection to a node, and says whether there was one; none if this node is
/// not distributed (Erlang's `disconnect_node/1`).
///
/// # Panics
/// Outside of a process.
pub async fn disconnect_node(node: impl AsRef<str>) -> Option<bool> {
    let net_kernel = net("disconnect_node", Net::net_kernel)?;
    let Ok(node) = node.as_ref().parse::<NodeName>() else { return Some(false) };
    Some(ask(net_kernel, |caller| Command::DisconnectNode { node, caller }).await)
}

/// The visible nodes that are connected (Erlang's `nodes/0`).
///
/// # Panics
/// Outside of a process.
#[must_use]
#[track_caller]
pub fn nodes() -> Vec<NodeName> {
    nodes_of(NodeKind::Visible)
}

/// The nodes of this kind (Erlang's `nodes/1`).
///
/// # Panics
/// Outside of a process.
#[must_use]
#[track_caller]
pub fn nodes_of(kind: NodeKind) -> Vec<NodeName> {
    list(&acting_node("nodes"), kind)
}

pub(super) fn list(node: &Node, kind: NodeKind) -> Vec<NodeName> {
    let wanted = |node_type: NodeType| match kind {
        NodeKind::Visible => node_type == NodeType::Visible,
        NodeKind::Hidden => node_type == NodeType::Hidden,
        NodeKind::Connected => true,
        NodeKind::This => false,
    };
    if kind == NodeKind::This {
        return vec![node.name()];
    }
    let connected = of(node, |net| {
        let channels = net.table.all();
        let wanted = channels.iter().filter(|channel| channel.node_type().is_some_and(wanted));
        wanted.map(|channel| channel.peer().clone()).collect()
    });
    connected.unwrap_or_default()
}

/// Watches a node: one [`NodeDown`](fika_runtime::NodeDown) for each call with `true` comes
/// when its connection is lost, or at once if there is none and none can be made; `false`
/// takes one such call back (Erlang's `monitor_node/2`). Watching the own node does nothing.
///
/// # Errors
/// When this node is not distributed, or the text is no node name.
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn monitor_node(node: impl AsRef<str>, on: bool) -> Result<(), MonitorNodeError> {
    let node: NodeName = node.as_ref().parse()?;
    net("monitor_node", |net| {
        let pid = self_pid();
        if node != net.name {
            net.command(Command::MonitorNode { pid, node, on });
        }
    })
    .ok_or(MonitorNodeError::NotAlive)
}

/// Why a node can't be watched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MonitorNodeError {
    /// This node has no name, and so no connections.
    #[error("notalive: this node is not distributed")]
    NotAlive,
    /// The text is no node name.
    #[error(transparent)]
    NodeName(#[from] fika_runtime::NodeNameError),
}

/// Subscribes the running process to [`NodeUp`](fika_runtime::NodeUp) and
/// [`NodeDown`](fika_runtime::NodeDown) of visible nodes, or ends all its subscriptions to
/// them (Erlang's `net_kernel:monitor_nodes/1`). Subscriptions add up: two of them give two
/// messages.
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn monitor_nodes(on: bool) {
    monitor_nodes_of(NodeKind::Visible, on);
}

/// The same for nodes of this kind (Erlang's option `node_type`).
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn monitor_nodes_of(kind: NodeKind, on: bool) {
    let wanted = match kind {
        NodeKind::Visible => Wanted::Visible,
        NodeKind::Hidden => Wanted::Hidden,
        NodeKind::Connected => Wanted::All,
        NodeKind::This => return,
    };
    net("monitor_nodes", |net| {
        let pid = self_pid();
        if on {
            // At once: whatever is not in `nodes()` after this call is told.
            net.subscriptions.lock().subscribe(pid, wanted);
            net.command(Command::Subscribed(pid));
        } else {
            net.subscriptions.lock().unsubscribe(pid, wanted);
        }
    });
}

impl Net {
    /// The distribution of a node, if it has one.
    #[must_use]
    pub fn of(node: &Node) -> Option<Arc<Net>> {
        of(node, Net::handle)
    }

    /// The connected nodes of this kind.
    #[must_use]
    pub fn nodes_of(&self, kind: NodeKind) -> Vec<NodeName> {
        self.node().map(|node| list(&node, kind)).unwrap_or_default()
    }
}
