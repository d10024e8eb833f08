//! Notifies processes when nodes connect and disconnect.

use fika_runtime::{NodeDown, NodeDownReason, NodeName, NodeType, NodeUp, report};

use super::base::Base;

impl Base {
    /// Sends a `NodeUp` to subscribers.
    pub(crate) fn tell_nodeup(&self, up: &NodeUp) {
        report!(info, node = %up.node, "nodeup");
        let subscribers = self.subscriptions.lock().subscribers(up.node_type);
        for subscriber in subscribers {
            self.tell(subscriber, up.clone());
        }
    }

    /// Sends a `NodeDown` to subscribers.
    pub(crate) fn tell_nodedown(&self, down: &NodeDown) {
        report!(info, node = %down.node, reason = %down.reason, "nodedown");
        let subscribers = self.subscriptions.lock().subscribers(down.node_type);
        for subscriber in subscribers {
            self.tell(subscriber, down.clone());
        }
    }

    /// Sends a `NodeDown` to the processes that watch this node.
    pub(crate) fn tell_watchers(&self, down: &NodeDown) {
        let watchers = self.subscriptions.lock().take_watchers(&down.node);
        for watcher in watchers {
            self.tell(watcher, down.clone());
        }
    }

    /// Sends a `NodeDown` to all processes that watch a node, or have asked for a watch. Called
    /// when no further connections are made.
    pub(crate) fn tell_all_watchers(&self, reason: &NodeDownReason) {
        let nodes = self.subscriptions.lock().watched();
        nodes.into_iter().for_each(|node| self.tell_node_watchers(node, reason.clone()));
    }

    /// Sends a `NodeDown` to the processes that watch this node, or have asked for a watch. Called
    /// when no connection to it will be made.
    pub(crate) fn tell_node_watchers(&self, node: NodeName, reason: NodeDownReason) {
        let watchers = self.subscriptions.lock().take_all_watchers(&node);
        let down = not_connected(node, reason);
        for watcher in watchers {
            self.tell(watcher, down.clone());
        }
    }
}

/// Returns the `NodeDown` for the processes that watch a node to which connecting has failed.
pub(crate) fn not_connected(node: NodeName, reason: NodeDownReason) -> NodeDown {
    NodeDown { node, node_type: NodeType::Visible, connection: 0, reason }
}
