//! The nodes whose `nodeup` has been sent to subscribers.
//!
//! For each node, `nodeup` and `nodedown` alternate (NMON-8). Both net_kernel and the process that
//! stops the distribution notify subscribers, so this state is not in net_kernel.

use std::collections::BTreeMap;
use std::sync::Arc;

use fika_runtime::{NodeName, NodeType};
use parking_lot::Mutex;

use crate::dist::link::Channel;

/// The nodes whose `nodeup` has been sent, and whose `nodedown` has not.
#[derive(Default)]
pub(crate) struct Told(Mutex<BTreeMap<NodeName, (Arc<Channel>, NodeType)>>);

impl Told {
    pub(crate) fn insert(&self, channel: Arc<Channel>, node_type: NodeType) {
        self.0.lock().insert(channel.peer().clone(), (channel, node_type));
    }

    pub(crate) fn remove(&self, node: &NodeName) -> Option<(Arc<Channel>, NodeType)> {
        self.0.lock().remove(node)
    }

    pub(crate) fn take_all(&self) -> BTreeMap<NodeName, (Arc<Channel>, NodeType)> {
        std::mem::take(&mut *self.0.lock())
    }

    /// Returns the channel to a node that is up.
    pub(crate) fn channel(&self, node: &NodeName) -> Option<Arc<Channel>> {
        self.0.lock().get(node).map(|(channel, _)| channel.clone())
    }

    /// Returns all channels that are up.
    pub(crate) fn channels(&self) -> Vec<Arc<Channel>> {
        self.0.lock().values().map(|(channel, _)| channel.clone()).collect()
    }

    /// Returns the visible nodes.
    pub(crate) fn visible(&self) -> Vec<NodeName> {
        let up = self.0.lock();
        let visible = up.iter().filter(|(_, (_, kind))| *kind == NodeType::Visible);
        visible.map(|(node, _)| node.clone()).collect()
    }
}
