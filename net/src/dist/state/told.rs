//! The messages about nodes that come and go: who has been told what.
//!
//! For each node, `nodeup` and `nodedown` alternate (NMON-8). Both net_kernel and the process
//! that stops the distribution tell, so what has been told stands here and not in net_kernel.

use std::collections::BTreeMap;
use std::sync::Arc;

use fika_runtime::{NodeDown, NodeDownReason, NodeName, NodeType, NodeUp, report};
use parking_lot::Mutex;

use super::distribution::Distribution;
use super::handler::{Decision, decide};
use super::net::Net;
use crate::dist::link::Channel;

/// The nodes whose `nodeup` has been told, and whose `nodedown` has not.
#[derive(Default)]
pub(crate) struct Told(Mutex<BTreeMap<NodeName, (Arc<Channel>, NodeType)>>);

impl Told {
    /// The channel to a node that is up.
    pub(crate) fn channel(&self, node: &NodeName) -> Option<Arc<Channel>> {
        self.0.lock().get(node).map(|(channel, _)| channel.clone())
    }

    /// All channels that are up.
    pub(crate) fn channels(&self) -> Vec<Arc<Channel>> {
        self.0.lock().values().map(|(channel, _)| channel.clone()).collect()
    }

    /// The visible nodes.
    pub(crate) fn visible(&self) -> Vec<NodeName> {
        let up = self.0.lock();
        let visible = up.iter().filter(|(_, (_, kind))| *kind == NodeType::Visible);
        visible.map(|(node, _)| node.clone()).collect()
    }
}

impl Net {
    /// What is to be told of a node that comes; none if the user's handler does not want it.
    pub(crate) fn admit_up(&self, up: NodeUp) -> Option<NodeUp> {
        let Some(handler) = &self.config.handler else { return Some(up) };
        match decide(self, || handler.nodeup(up)) {
            Decision::Pass(up) => Some(up),
            Decision::Refuse => None,
        }
    }

    /// Tells that the node has a name.
    pub(crate) fn tell_own_name(&self) {
        let (node, node_type) = (self.name().clone(), NodeType::Visible);
        self.tell_nodeup(&NodeUp { node, node_type, connection: 0 });
    }

    pub(crate) fn tell_up(&self, channel: &Arc<Channel>, node_type: NodeType, up: &NodeUp) {
        self.told.0.lock().insert(channel.peer().clone(), (channel.clone(), node_type));
        self.tell_nodeup(up);
    }

    /// Tells of a node that goes, as far as the user's handler lets it.
    fn tell_gone(&self, down: NodeDown) {
        let told = match &self.config.handler {
            None => Decision::Pass(down.clone()),
            Some(handler) => decide(self, || handler.nodedown(down.clone())),
        };
        if let Decision::Pass(told) = told {
            self.tell_nodedown(&told);
        }
        self.tell_watchers(&down);
    }

    /// Tells that a node is down, if it was told that it is up.
    pub(crate) fn tell_down(&self, node: &NodeName, reason: NodeDownReason) {
        let Some((channel, node_type)) = self.told.0.lock().remove(node) else { return };
        let connection = channel.id().0;
        self.tell_gone(NodeDown { node: node.clone(), node_type, connection, reason });
    }

    /// Tells that all nodes are down.
    pub(crate) fn tell_all_down(&self, reason: &NodeDownReason) {
        let up = std::mem::take(&mut *self.told.0.lock());
        for (node, (channel, node_type)) in up {
            let connection = channel.id().0;
            self.tell_gone(NodeDown { node, node_type, connection, reason: reason.clone() });
        }
    }
}

impl Distribution {
    pub(crate) fn tell_nodeup(&self, up: &NodeUp) {
        report!(info, node = %up.node, "nodeup");
        let subscribers = self.subscriptions.lock().subscribers(up.node_type);
        for subscriber in subscribers {
            self.tell(subscriber, up.clone());
        }
    }

    pub(crate) fn tell_nodedown(&self, down: &NodeDown) {
        report!(info, node = %down.node, reason = %down.reason, "nodedown");
        let subscribers = self.subscriptions.lock().subscribers(down.node_type);
        for subscriber in subscribers {
            self.tell(subscriber, down.clone());
        }
    }

    /// Tells those who watch this node alone.
    pub(crate) fn tell_watchers(&self, down: &NodeDown) {
        let watchers = self.subscriptions.lock().take_watchers(&down.node);
        for watcher in watchers {
            self.tell(watcher, down.clone());
        }
    }

    /// Tells those who watch any node, since there will be no connection.
    pub(crate) fn tell_all_watchers(&self, reason: &NodeDownReason) {
        let nodes = self.subscriptions.lock().watched();
        nodes.into_iter().for_each(|node| self.tell_node_watchers(node, reason.clone()));
    }

    /// Tells those who watch this node, or are about to, since there will be no connection.
    pub(crate) fn tell_node_watchers(&self, node: NodeName, reason: NodeDownReason) {
        let watchers = self.subscriptions.lock().take_all_watchers(&node);
        let down = not_connected(node, reason);
        for watcher in watchers {
            self.tell(watcher, down.clone());
        }
    }
}

/// What they are told who watch a node that could not be connected to.
pub(crate) fn not_connected(node: NodeName, reason: NodeDownReason) -> NodeDown {
    NodeDown { node, node_type: NodeType::Visible, connection: 0, reason }
}
