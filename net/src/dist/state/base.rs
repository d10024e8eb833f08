//! The state of a node's distribution that does not depend on whether the node has a name at the
//! moment.
//!
//! A running node may get a name and lose it again any number of times. Its processes and their
//! pids stay the same. The pids that other nodes hold become stale when the node loses its name.

use std::fmt::Display;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use fika_runtime::{
    ConnectionId, Creation, Env, Local, LogRate, Message, Node, NodeId, NodeName, Observed, Pid,
    WeakNode, report,
};
use parking_lot::Mutex;

use super::connections::Connections;
use super::known::{Heard, Known};
use super::subscriptions::Subscriptions;
use crate::dist::link::{Buffers, Channel};
use crate::io::Network;

/// The number of past creations that are remembered, so that they are not used again. It is
/// limited, since a node that peers name has a new life with each such peer. The chance that a
/// random creation equals an older one is negligible.
const CREATIONS_KEPT: usize = 256;

/// See the head of this file.
pub(crate) struct Base {
    /// The id in the node's own pids. It does not change with the name.
    pub(crate) id: NodeId,
    pub(crate) network: Arc<dyn Network>,
    pub(crate) env: Arc<dyn Env>,
    pub(crate) connections: Connections,
    /// The processes that are notified when nodes connect and disconnect.
    pub(crate) subscriptions: Mutex<Subscriptions>,
    /// The nodes that this node was connected to, or has heard of.
    pub(crate) known: Known,
    pub(crate) observed: Observed,
    /// The rate of the lines about calls that can't work: an invalid node name, or a connection of a
    /// node without a name.
    pub(crate) mistakes: LogRate,
    /// The buffers into which channels read.
    pub(crate) buffers: Arc<Buffers>,
    /// The creations that the node has used, the latest at the end.
    creations: Mutex<Vec<Creation>>,
    node: WeakNode,
    /// The number of connection ids that have been handed out.
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
            mistakes: LogRate::default(),
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

    /// Returns the creation to use under a name. This is the creation of the node's id if the id
    /// was made for this name and no creation was used yet. Otherwise it is a creation that the
    /// node has not used before.
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

    /// Reports that this node can't connect to another one, since it has no name. Reports nothing
    /// if the node had a name before: then the program has taken the name away.
    pub(crate) fn report_nameless(&self, node: &dyn Display) {
        if !self.creations.lock().is_empty() {
            return;
        }
        self.mistakes.line(self.env.now(), |left_out| {
            report!(
                warn, %node, left_out,
                "not connected: this node has no name; give it one with the setting `name`, or call \
                 `start_distribution`"
            );
        });
    }

    pub(crate) fn set_name(&self, name: &NodeName, creation: Creation) {
        if let Some(node) = self.node() {
            node.set_name(name, creation);
        }
    }

    /// Sends a message to a process of this node. May be called outside of a process.
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

    /// Arranges that the channel is flushed at the end of the turn.
    pub(crate) fn note_output(&self, channel: Arc<Channel>) {
        self.output.lock().push(channel);
        self.has_output.store(true, Ordering::Release);
    }

    /// Writes the output that the turn has added to any channel.
    pub(crate) fn flush(&self) {
        if self.has_output.load(Ordering::Acquire) && self.has_output.swap(false, Ordering::AcqRel)
        {
            let channels = std::mem::take(&mut *self.output.lock());
            for channel in channels {
                channel.flush();
            }
        }
    }

    /// Returns the id of a life of a node. Returns `None` if the life is new and its address has
    /// reached its limit.
    pub(crate) fn meet(
        &self,
        life: (&NodeName, Creation),
        heard: Heard,
        from: IpAddr,
    ) -> Option<NodeId> {
        self.known.meet(life, heard, from, self.env.now())
    }
}

/// Returns a random creation for a node that starts. The creations up to 3 are reserved for old
/// port mappers.
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
