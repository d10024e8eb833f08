//! The links, monitors, aliases and requests of one process, as that process sees them.
//!
//! Nothing is sent from here: each change says what has to be sent.

mod view;

use super::aliases::{Active, Aliases, Ends};
use super::spawning::Spawning;
use super::tag::Tag;
use crate::carrier::ConnectionId;
use crate::few_map::FewMap;
use crate::node_id::NodeId;
use crate::pid::Pid;
use crate::reference::Reference;
use crate::system_message::Object;

/// The connection of a relation to a process of this node, or of one that the peer made.
pub(super) const LOCAL: ConnectionId = ConnectionId(0);

/// Links, monitors, and requests under way. Ordered, so that a simulated run repeats.
#[derive(Default)]
pub(crate) struct Relations {
    links: FewMap<Pid, Link>,
    monitors: FewMap<Reference, Monitor>,
    /// The processes that monitor this one.
    watchers: FewMap<Reference, Pid>,
    pub(super) aliases: Aliases,
    /// Requests to spawn on other nodes that have not been answered.
    spawns: FewMap<Reference, Spawning>,
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
    /// A trapped exit signal of it goes ahead of the ordinary messages.
    priority: bool,
}

/// A monitor that this process holds.
pub(super) struct Monitor {
    pub(super) object: Object,
    /// The process, where it is known.
    pub(super) target: Option<Pid>,
    pub(super) connection: ConnectionId,
    pub(super) delivery: Delivery,
}

/// How the `Down` of a monitor is to arrive.
#[derive(Default, Debug)]
pub(super) struct Delivery {
    pub(super) tag: Option<Tag>,
    /// Ahead of the ordinary messages.
    pub(super) priority: bool,
}

/// What a lost connection took with it.
#[derive(Default)]
pub(super) struct Lost {
    /// With whether their exit signals have priority.
    pub(super) links: Vec<(Pid, bool)>,
    pub(super) monitors: Vec<(Reference, Monitor)>,
    pub(super) spawns: Vec<(Reference, Spawning)>,
}

/// What `unlink` has to send.
pub(super) struct Unlink(pub(super) u64);

/// What a message by an alias has to do with it.
pub(super) struct ByAlias {
    /// The message goes ahead of the ordinary ones if its sender wants that.
    pub(super) priority: bool,
    /// The monitor that it has ended, if it has ended an active one.
    pub(super) monitor: Option<Monitor>,
    /// The tag that is not needed any more.
    pub(super) tag: Option<Tag>,
}

impl Relations {
    /// This process links itself. True if the peer must be told.
    #[must_use]
    pub(super) fn link(&mut self, peer: Pid, priority: bool) -> bool {
        match self.links.get_mut(&peer) {
            Some(link) => {
                link.priority = priority;
                // LINK-10: the late acknowledgement finds no unlink of its number.
                link.unlinking.take().is_some()
            }
            None => {
                self.links.insert(peer, Link { connection: LOCAL, unlinking: None, priority });
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
        let link = Link { connection: LOCAL, unlinking: None, priority: false };
        self.links.insert_if_absent(peer, link);
    }

    /// A child was spawned with a link, over this connection.
    pub(super) fn linked_child(&mut self, child: Pid, connection: ConnectionId, priority: bool) {
        self.links.insert(child, Link { connection, unlinking: None, priority });
    }

    /// Starts to remove the link to `peer`. `None` if there is no active link.
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

    /// Removes the link after an exit signal by it. Returns whether the signal has priority, or
    /// `None` if the link was not active.
    #[must_use]
    pub(super) fn link_fired(&mut self, peer: Pid) -> Option<bool> {
        let link = self.links.remove(&peer)?;
        link.unlinking.is_none().then_some(link.priority)
    }

    pub(super) fn add_monitor(&mut self, reference: Reference, monitor: Monitor) {
        self.monitors.insert(reference, monitor);
    }

    /// A child was spawned with a monitor, over this connection.
    pub(super) fn add_child_monitor(
        &mut self,
        reference: Reference,
        child: Pid,
        connection: ConnectionId,
        delivery: Delivery,
    ) {
        let (object, target) = (Object::Pid(child), Some(child));
        self.add_monitor(reference, Monitor { object, target, connection, delivery });
    }

    /// Removes a monitor and its alias. `None` if the monitor was not active.
    pub(super) fn take_monitor(&mut self, reference: Reference) -> Option<Monitor> {
        let monitor = self.monitors.remove(&reference)?;
        self.aliases.monitor_ended(reference.serial());
        Some(monitor)
    }

    /// Whether this is a monitor of a process of this node, or of a name on it.
    pub(super) fn is_monitor_of(&self, reference: Reference, node: NodeId) -> bool {
        self.monitors.get(&reference).is_some_and(|monitor| match &monitor.object {
            Object::Pid(pid) => pid.node() == node,
            Object::Name(_, name) => *name == node.name(),
        })
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

    /// A message by the alias that is this reference; none if the alias is not active.
    pub(super) fn received_by_alias(&mut self, reference: Reference) -> Option<ByAlias> {
        let Active { ends, priority } = self.aliases.received(reference.serial())?;
        let ends_monitor = ends == Ends::WithMonitorOrReply;
        let mut monitor = ends_monitor.then(|| self.monitors.remove(&reference)).flatten();
        let pending = self.spawns.get_mut(&reference).filter(|_| ends_monitor);
        let pending = pending.and_then(Spawning::demonitor).flatten();
        let tag = monitor.as_mut().and_then(|monitor| monitor.delivery.tag.take()).or(pending);
        Some(ByAlias { priority, monitor, tag })
    }

    pub(super) fn add_spawn(&mut self, reference: Reference, spawning: Spawning) {
        self.spawns.insert(reference, spawning);
    }

    /// A request that has not been answered, and was not abandoned.
    pub(super) fn pending_spawn(&mut self, reference: Reference) -> Option<&mut Spawning> {
        self.spawns.get_mut(&reference).filter(|spawning| !spawning.is_abandoned())
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
        let links = self.links.take_if(|peer, link| over(link.connection, Some(*peer)));
        let active = links.into_iter().filter(|(_, link)| link.unlinking.is_none());
        lost.links.extend(active.map(|(peer, link)| (peer, link.priority)));
        lost.monitors = self.monitors.take_if(|_, m| over(m.connection, m.target));
        for (reference, _) in &lost.monitors {
            self.aliases.monitor_ended(reference.serial());
        }
        lost.spawns = self.spawns.take_if(|_, spawning| spawning.connection == id);
        self.watchers.take_if(|_, watcher| over(LOCAL, Some(*watcher)));
        lost
    }

    /// The process ends: the tags, which are values of its own.
    pub(super) fn take_tags(&mut self) -> Vec<Tag> {
        let of_monitors = self.monitors.values_mut().map(|monitor| monitor.delivery.tag.take());
        let of_spawns = self.spawns.values_mut().flat_map(Spawning::take_tags);
        of_monitors.chain(of_spawns).flatten().collect()
    }

    /// The process ends: the requests that nobody answers any more.
    pub(super) fn take_spawns(&mut self) -> FewMap<Reference, Spawning> {
        std::mem::take(&mut self.spawns)
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

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use crate::node_id::Creation;
    use crate::node_name::NodeName;
    use crate::pid::LocalId;

    const OVER: ConnectionId = ConnectionId(7);

    fn peer() -> Pid {
        let node = NodeId::of(&NodeName::nonode(), Creation(7));
        Pid::new(node, LocalId { slot: 3, generation: 9 })
    }

    /// An event of a link: an action on this side, or a signal of the peer.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        Link,
        Unlink,
        Linked,
        Unlinked,
        /// The peer acknowledges the unlink of this number.
        Acknowledged(u64),
        Lost,
    }

    /// LINK-2, LINK-8 to LINK-10: after these steps the link is active, only remembered because its
    /// unlink was not acknowledged yet, or gone.
    #[test]
    fn links_that_cross_unlinks() {
        use Step::{Acknowledged, Link, Linked, Lost, Unlink, Unlinked};
        let cases: &[(&[Step], bool, bool)] = &[
            (&[Link], true, true),
            (&[Linked], true, true),
            (&[Link, Linked, Unlinked], false, false),
            (&[Link, Unlink], false, true),
            (&[Link, Unlink, Acknowledged(1)], false, false),
            // The peer's link crosses our unlink: both sides end up unlinked (LINK-10).
            (&[Link, Unlink, Linked], false, true),
            (&[Link, Unlink, Linked, Acknowledged(1)], false, false),
            // Linked again before the acknowledgement, which then has no effect.
            (&[Link, Unlink, Link], true, true),
            (&[Link, Unlink, Link, Acknowledged(1)], true, true),
            (&[Link, Unlink, Link, Unlink, Acknowledged(1)], false, true),
            (&[Link, Unlink, Link, Unlink, Acknowledged(2)], false, false),
            // Unlinks that cross: ours still waits for its acknowledgement.
            (&[Link, Unlink, Unlinked], false, true),
            (&[Unlink], false, false),
            (&[Unlinked, Acknowledged(1)], false, false),
            (&[Link, Lost], false, false),
            (&[Linked, Lost], false, false),
            (&[Link, Unlink, Lost], false, false),
        ];
        for (steps, active, remembered) in cases {
            let (mut relations, peer) = (Relations::default(), peer());
            for step in *steps {
                match step {
                    Link => {
                        let _ = relations.link(peer, false);
                        relations.linked_over(peer, OVER);
                    }
                    Unlink => drop(relations.unlink(peer)),
                    Linked => relations.linked(peer),
                    Unlinked => relations.unlinked(peer),
                    Acknowledged(id) => relations.unlink_acknowledged(peer, *id),
                    Lost => drop(relations.connection_lost(Some(peer.node()), OVER)),
                }
            }
            assert_eq!(relations.links.len() == 1, *remembered, "{steps:?}");
            assert_eq!(relations.end().links == [peer], *active, "{steps:?}");
        }
    }
}
