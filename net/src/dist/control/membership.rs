//! Sends `nodeup` and `nodedown` when nodes connect and disconnect, if the program's handler does
//! not refuse it.

use std::sync::Arc;

use fika_runtime::{NodeDown, NodeDownReason, NodeName, NodeType, NodeUp};

use crate::dist::link::Channel;
use crate::dist::state::{Decision, Net};

impl Net {
    /// Asks the program's handler about a node that connects. Returns the `NodeUp` to send, or
    /// `None` if the handler refuses the node.
    pub(crate) fn admit_up(&self, up: NodeUp) -> Option<NodeUp> {
        let Some(handler) = &self.config.handler else { return Some(up) };
        match self.decide(|| handler.nodeup(up)) {
            Decision::Pass(up) => Some(up),
            Decision::Refuse => None,
        }
    }

    /// Sends the `NodeUp` of this node's own name.
    pub(crate) fn tell_own_name(&self) {
        let (node, node_type) = (self.name().clone(), NodeType::Visible);
        self.base.tell_nodeup(&NodeUp { node, node_type, connection: 0 });
    }

    /// Records that a node is up, and sends its `NodeUp`.
    pub(crate) fn tell_up(&self, channel: &Arc<Channel>, node_type: NodeType, up: &NodeUp) {
        self.told.insert(channel.clone(), node_type);
        self.base.tell_nodeup(up);
    }

    /// Sends a `NodeDown` to subscribers, unless the program's handler refuses it, and to watchers
    /// of the node.
    fn tell_gone(&self, down: NodeDown) {
        let told = match &self.config.handler {
            None => Decision::Pass(down.clone()),
            Some(handler) => self.decide(|| handler.nodedown(down.clone())),
        };
        if let Decision::Pass(told) = told {
            self.base.tell_nodedown(&told);
        }
        self.base.tell_watchers(&down);
    }

    /// Sends the `NodeDown` of a node if its `NodeUp` was sent.
    pub(crate) fn tell_down(&self, node: &NodeName, reason: NodeDownReason) {
        let Some((channel, node_type)) = self.told.remove(node) else { return };
        let connection = channel.id().0;
        self.tell_gone(NodeDown { node: node.clone(), node_type, connection, reason });
    }

    /// Sends the `NodeDown` of all nodes that are up.
    pub(crate) fn tell_all_down(&self, reason: &NodeDownReason) {
        for (node, (channel, node_type)) in self.told.take_all() {
            let connection = channel.id().0;
            self.tell_gone(NodeDown { node, node_type, connection, reason: reason.clone() });
        }
    }
}
