//! What a node has for being one of many, whether it has a name just now or not.
//!
//! A node may get a name and lose it again while it runs, any number of times. Its processes and
//! their pids stay the same; what other nodes know of them ends with the name.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use fika_runtime::{
    ConnectionId, Creation, Env, Local, Message, Node, NodeId, NodeName, Observed, Pid, WeakNode,
};
use parking_lot::Mutex;

use super::connections::Connections;
use super::known::{Heard, Known};
use super::subscriptions::Subscriptions;
use crate::dist::link::{Buffers, Channel};
use crate::io::Network;

/// The number of creations of earlier lives that are not used again. A node that peers name has a
/// new life with each such peer, so they are limited; the chance that an older one comes again is
/// negligible.
const CREATIONS_KEPT: usize = 256;

/// See the head of this file.
pub(crate) struct Base {
    /// The id in the node's own pids, whatever its name is.
    pub(crate) id: NodeId,
    pub(crate) network: Arc<dyn Network>,
    pub(crate) env: Arc<dyn Env>,
    pub(crate) connections: Connections,
    /// The processes that are told of nodes that come and go.
    pub(crate) subscriptions: Mutex<Subscriptions>,
    /// The nodes that this node was connected to, or has heard of.
    pub(crate) known: Known,
    pub(crate) observed: Observed,
    /// The buffers into which channels read.
    pub(crate) buffers: Arc<Buffers>,
    /// The creations that the node has had, the last one at the end.
    creations: Mutex<Vec<Creation>>,
    node: WeakNode,
    /// The number of connection ids that were given out.
    last_connection: AtomicU64,
    /// Channels with output, and whether there are any.
    output: Mutex<Vec<Arc<Channel>>>,
    has_output: AtomicBool,
}

impl Base {
    pub(crate) fn new(node: &Node, network: Arc<dyn Network>) -> Arc<Base> {
        Arc::new(Base {
            id: node.id(),
            network,
            env: node.env().clone(),
            connections: Connections::default(),
            subscriptions: Mutex::default(),
            known: Known::default(),
            observed: node.observed().clone(),
            buffers: Arc::default(),
            creations: Mutex::default(),
            node: node.downgrade(),
            last_connection: AtomicU64::new(0),
            output: Mutex::default(),
            has_output: AtomicBool::new(false),
        })
    }

    pub(crate) fn node(&self) -> Option<Node> {
        self.node.upgrade()
    }

    /// Returns the creation under a name: that of the node's id if the id was made for the name and
    /// was not used yet, and otherwise one that the node never had.
    pub(crate) fn creation(&self, name: &NodeName) -> Creation {
        let mut used = self.creations.lock();
        let own = Some(self.id).filter(|id| used.is_empty() && id.name() == *name);
        let mut creation = own.map_or_else(|| fresh_creation(&*self.env), NodeId::creation);
        while used.contains(&creation) {
            creation = fresh_creation(&*self.env);
        }
        if used.len() >= CREATIONS_KEPT {
            used.remove(0);
        }
        used.push(creation);
        creation
    }

    pub(crate) fn set_name(&self, name: &NodeName, creation: Creation) {
        if let Some(node) = self.node() {
            node.set_name(name, creation);
        }
    }

    /// Sends to a process of this node, from within a process or not.
    pub(crate) fn tell(&self, pid: Pid, message: impl Message) {
        if let Some(node) = self.node() {
            // Nothing is encoded, so this can't fail.
            let _ = node.send(pid, message);
        }
    }

    /// Sends a value that can't leave this node to one of its processes.
    pub(crate) fn tell_local<T: Send + 'static>(&self, pid: Pid, message: T) {
        self.tell(pid, Local(message));
    }

    pub(crate) fn new_connection(&self) -> ConnectionId {
        ConnectionId(self.last_connection.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Has the channel flushed at the end of the turn.
    pub(crate) fn note_output(&self, channel: Arc<Channel>) {
        self.output.lock().push(channel);
        self.has_output.store(true, Ordering::Release);
    }

    /// Sends what the turn has put into the output of any channel.
    pub(crate) fn flush(&self) {
        if self.has_output.load(Ordering::Acquire) && self.has_output.swap(false, Ordering::AcqRel)
        {
            let channels = std::mem::take(&mut *self.output.lock());
            for channel in channels {
                channel.flush();
            }
        }
    }

    /// Returns the id of a life of a node. `None` if it is new, and too many were heard of from
    /// this address.
    pub(crate) fn meet(
        &self,
        life: (&NodeName, Creation),
        heard: Heard,
        from: IpAddr,
    ) -> Option<NodeId> {
        self.known.meet(life, heard, from, self.env.now())
    }
}

/// Returns a random creation for a node that starts. Those up to 3 are left to old port mappers.
pub(crate) fn fresh_creation(env: &dyn Env) -> Creation {
    let mut bytes = [0; 4];
    loop {
        env.secure_random(&mut bytes);
        let creation = u32::from_be_bytes(bytes);
        if creation > 3 {
            return Creation(creation);
        }
    }
}
