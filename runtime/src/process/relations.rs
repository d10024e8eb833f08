//! The links and monitors of one process, as that process sees them.
//!
//! Nothing is sent from here: each change says what has to be sent.

use std::collections::BTreeMap;

use crate::carrier::ConnectionId;
use crate::node_id::NodeId;
use crate::pid::Pid;
use crate::reference::Reference;
use crate::system_message::Object;

/// The connection of a relation to a process of this node, or of one that the peer made.
pub(super) const LOCAL: ConnectionId = ConnectionId(0);

/// Links, monitors, and requests under way. Ordered, so that a simulated run repeats.
#[derive(Default)]
pub(crate) struct Relations {
    links: BTreeMap<Pid, Link>,
    monitors: BTreeMap<Reference, Monitor>,
    /// Who monitors this process.
    watchers: BTreeMap<Reference, Pid>,
    /// Requests to spawn on other nodes that have not been answered.
    spawns: BTreeMap<Reference, Spawning>,
    /// Numbers the unlinks.
    unlinks: u64,
}

/// One half of a link.
#[derive(Clone, Copy)]
struct Link {
    /// The connection that it was sent over.
    connection: ConnectionId,
    /// The number of an unlink that has not been acknowledged: the link counts no more.
    unlinking: Option<u64>,
}

/// A monitor that this process holds.
#[derive(Clone)]
pub(super) struct Monitor {
    pub(super) object: Object,
    /// The process, where it is known.
    pub(super) target: Option<Pid>,
    pub(super) connection: ConnectionId,
}

/// A request to spawn on another node.
#[derive(Clone, Copy)]
pub(super) struct Spawning {
    pub(super) connection: ConnectionId,
    pub(super) link: bool,
    pub(super) monitor: bool,
}

/// What a lost connection took with it.
#[derive(Default)]
pub(super) struct Lost {
    pub(super) links: Vec<Pid>,
    pub(super) monitors: Vec<(Reference, Object)>,
    pub(super) spawns: Vec<Reference>,
}

/// What `unlink` has to send.
pub(super) struct Unlink(pub(super) u64);

impl Relations {
    /// This process links itself. True if the peer must be told.
    #[must_use]
    pub(super) fn link(&mut self, peer: Pid) -> bool {
        match self.links.get_mut(&peer) {
            // LINK-10: the late acknowledgement finds no unlink of its number.
            Some(link) => link.unlinking.take().is_some(),
            None => {
                self.links.insert(peer, Link { connection: LOCAL, unlinking: None });
                true
            }
        }
    }

    /// The link to `peer` was sent over this connection.
    pub(super) fn linked_over(&mut self, peer: Pid, connection: ConnectionId) {
        if let Some(link) = self.links.get_mut(&peer) {
            link.connection = connection;
        }
    }

    /// The peer has linked itself. A link that crosses our unlink stays unlinked.
    pub(super) fn linked(&mut self, peer: Pid) {
        self.links.entry(peer).or_insert(Link { connection: LOCAL, unlinking: None });
    }

    /// This process unlinks itself; none if there is no link.
    pub(super) fn unlink(&mut self, peer: Pid) -> Option<Unlink> {
        let link = self.links.get_mut(&peer).filter(|link| link.unlinking.is_none())?;
        self.unlinks += 1;
        link.unlinking = Some(self.unlinks);
        Some(Unlink(self.unlinks))
    }

    /// The peer has unlinked itself. An unlink of ours that crosses it still waits for its
    /// acknowledgement.
    pub(super) fn unlinked(&mut self, peer: Pid) {
        if self.links.get(&peer).is_some_and(|link| link.unlinking.is_none()) {
            self.links.remove(&peer);
        }
    }

    /// The peer has acknowledged an unlink.
    pub(super) fn unlink_acknowledged(&mut self, peer: Pid, id: u64) {
        if self.links.get(&peer).is_some_and(|link| link.unlinking == Some(id)) {
            self.links.remove(&peer);
        }
    }

    /// An exit signal by a link: true if the link was active. It is gone now.
    #[must_use]
    pub(super) fn link_fired(&mut self, peer: Pid) -> bool {
        self.links.remove(&peer).is_some_and(|link| link.unlinking.is_none())
    }

    pub(super) fn add_monitor(&mut self, reference: Reference, monitor: Monitor) {
        self.monitors.insert(reference, monitor);
    }

    /// A child on another node, which was spawned with a monitor.
    pub(super) fn add_child_monitor(
        &mut self,
        reference: Reference,
        child: Pid,
        connection: ConnectionId,
    ) {
        let object = Object::Pid(child);
        self.add_monitor(reference, Monitor { object, target: Some(child), connection });
    }

    pub(super) fn take_monitor(&mut self, reference: Reference) -> Option<Monitor> {
        self.monitors.remove(&reference)
    }

    pub(super) fn monitored_over(&mut self, reference: Reference, connection: ConnectionId) {
        if let Some(monitor) = self.monitors.get_mut(&reference) {
            monitor.connection = connection;
        }
    }

    pub(super) fn add_watcher(&mut self, reference: Reference, watcher: Pid) {
        self.watchers.insert(reference, watcher);
    }

    /// Only the owner of a monitor removes it.
    pub(super) fn remove_watcher(&mut self, reference: Reference, watcher: Pid) {
        if self.watchers.get(&reference) == Some(&watcher) {
            self.watchers.remove(&reference);
        }
    }

    pub(super) fn add_spawn(&mut self, reference: Reference, spawning: Spawning) {
        self.spawns.insert(reference, spawning);
    }

    pub(super) fn take_spawn(&mut self, reference: Reference) -> Option<Spawning> {
        self.spawns.remove(&reference)
    }

    /// A connection is gone: removes what went over it.
    ///
    /// A relation that the peer made has no connection noted. It was made before the loss
    /// was queued, so it went over the lost connection or an earlier one.
    pub(super) fn connection_lost(&mut self, node: Option<NodeId>, id: ConnectionId) -> Lost {
        let mut lost = Lost::default();
        let over = |connection: ConnectionId, peer: Option<Pid>| {
            connection == id
                || (connection == LOCAL && node.is_some() && peer.map(Pid::node) == node)
        };
        let links = self.links.extract_if(.., |peer, link| over(link.connection, Some(*peer)));
        let active = links.filter(|(_, link)| link.unlinking.is_none());
        lost.links.extend(active.map(|(peer, _)| peer));
        let monitors = self.monitors.extract_if(.., |_, m| over(m.connection, m.target));
        lost.monitors.extend(monitors.map(|(reference, monitor)| (reference, monitor.object)));
        let spawns = self.spawns.extract_if(.., |_, spawning| spawning.connection == id);
        lost.spawns.extend(spawns.map(|(reference, _)| reference));
        self.watchers.retain(|_, watcher| !over(LOCAL, Some(*watcher)));
        lost
    }

    /// The process ends: whom to tell, and what to take back.
    pub(super) fn end(&mut self) -> Ending {
        let Relations { links, monitors, watchers, .. } = std::mem::take(self);
        let active = links.into_iter().filter(|(_, link)| link.unlinking.is_none());
        Ending {
            links: active.map(|(peer, _)| peer).collect(),
            watchers: watchers.into_iter().collect(),
            monitors: monitors.into_iter().collect(),
        }
    }
}

/// What is left to do about the relations of a process that ends.
#[derive(Default)]
pub(super) struct Ending {
    pub(super) links: Vec<Pid>,
    pub(super) watchers: Vec<(Reference, Pid)>,
    pub(super) monitors: Vec<(Reference, Monitor)>,
}
