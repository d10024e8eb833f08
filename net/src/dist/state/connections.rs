//! The table of connections: by the name of the node, and by the id of its life.

use std::collections::BTreeMap;
use std::sync::Arc;

use fika_runtime::{NodeId, NodeName};
use parking_lot::RwLock;

use crate::dist::link::Channel;

#[derive(Default)]
pub(crate) struct Connections {
    /// Channels that are pending or up. A channel that is down may stay here until the next use.
    by_name: RwLock<BTreeMap<NodeName, Arc<Channel>>>,
    /// Channels that are up. A send looks here. The key is the number of the node's id, since ids
    /// themselves are compared by their names.
    by_id: RwLock<BTreeMap<u32, Arc<Channel>>>,
}

impl Connections {
    /// Returns the channel to this life of a node, if it is up.
    pub(crate) fn up(&self, node: NodeId) -> Option<Arc<Channel>> {
        self.with_up(node, Arc::clone)
    }

    /// Calls `work` with the channel to this life of a node, if it is up. The table is locked
    /// during the call, which costs less than cloning the channel.
    #[inline]
    pub(crate) fn with_up<R>(
        &self,
        node: NodeId,
        work: impl FnOnce(&Arc<Channel>) -> R,
    ) -> Option<R> {
        self.by_id.read().get(&node.number()).map(work)
    }

    /// Returns the channel to this node, pending or up.
    pub(crate) fn get(&self, node: &NodeName) -> Option<Arc<Channel>> {
        self.by_name.read().get(node).filter(|channel| !channel.is_down()).cloned()
    }

    /// Returns the channel to this node. If there is none, adds the channel that `make` returns.
    /// The flag is true if the channel is new.
    pub(crate) fn get_or_make(
        &self,
        node: &NodeName,
        make: impl FnOnce() -> Arc<Channel>,
    ) -> (Arc<Channel>, bool) {
        if let Some(channel) = self.get(node) {
            return (channel, false);
        }
        let mut by_name = self.by_name.write();
        if let Some(channel) = by_name.get(node).filter(|channel| !channel.is_down()) {
            return (channel.clone(), false);
        }
        let channel = make();
        by_name.insert(node.clone(), channel.clone());
        (channel, true)
    }

    pub(crate) fn goes_up(&self, node: NodeId, channel: &Arc<Channel>) {
        self.by_id.write().insert(node.number(), channel.clone());
    }

    pub(crate) fn goes_down(&self, node: Option<NodeId>, channel: &Arc<Channel>) {
        let is_it = |at: Option<&Arc<Channel>>| at.is_some_and(|at| Arc::ptr_eq(at, channel));
        let mut by_name = self.by_name.write();
        if is_it(by_name.get(channel.peer())) {
            by_name.remove(channel.peer());
        }
        drop(by_name);
        if let Some(node) = node {
            let mut by_id = self.by_id.write();
            if is_it(by_id.get(&node.number())) {
                by_id.remove(&node.number());
            }
        }
    }

    /// Returns the number of entries in each of the two tables.
    pub(crate) fn counts(&self) -> [usize; 2] {
        [self.by_name.read().len(), self.by_id.read().len()]
    }

    /// Returns all channels, pending ones included.
    pub(crate) fn all(&self) -> Vec<Arc<Channel>> {
        self.by_name.read().values().cloned().collect()
    }
}
