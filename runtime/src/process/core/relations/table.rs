//! The links, monitors, aliases and spawn requests of one process, as that process sees them.
//!
//! Nothing here sends a signal: each change returns what has to be sent.

use super::alias_table::{Active, Aliases, Ends};
use super::delivery::{Delivery, LOCAL};
use super::pending_spawn::Spawning;
use super::tag::Tag;
use crate::carrier::ConnectionId;
use crate::few_map::FewMap;
use crate::node_id::NodeId;
use crate::pid::Pid;
use crate::reference::Reference;
use crate::system_message::Object;

/// Links, monitors, and pending requests. Ordered, so that a simulated run repeats.
#[derive(Default)]
pub(crate) struct Relations {
    pub(super) links: FewMap<Pid, Link>,
    pub(super) monitors: FewMap<Reference, Monitor>,
    /// The processes that monitor this one.
    pub(super) watchers: FewMap<Reference, Pid>,
    pub(in crate::process) aliases: Aliases,
    /// Requests to spawn on other nodes that have not been answered.
    pub(super) spawns: FewMap<Reference, Spawning>,
    /// Numbers the unlinks.
    unlinks: u64,
}

/// One half of a link.
#[derive(Clone, Copy)]
pub(super) struct Link {
    /// The connection that it was sent over.
    connection: ConnectionId,
    /// The number of an unlink that has not been acknowledged: the link is no longer active.
    pub(super) unlinking: Option<u64>,
    /// A trapped exit signal of the link goes ahead of the ordinary messages.
    priority: bool,
}

/// A monitor that this process holds.
pub(in crate::process) struct Monitor {
    pub(in crate::process) object: Object,
    /// The process, if it is known.
    pub(in crate::process) target: Option<Pid>,
    pub(in crate::process) connection: ConnectionId,
    pub(in crate::process) delivery: Delivery,
}

/// The relations that went over a lost connection.
#[derive(Default)]
pub(in crate::process) struct Lost {
    /// The peers, and whether their exit signals have priority.
    pub(in crate::process) links: Vec<(Pid, bool)>,
    pub(in crate::process) monitors: Vec<(Reference, Monitor)>,
    pub(in crate::process) spawns: Vec<(Reference, Spawning)>,
}

/// The number of the `Unlink` that has to be sent.
pub(in crate::process) struct Unlink(pub(in crate::process) u64);

/// The effect of a message that was received by an alias.
pub(in crate::process) struct ByAlias {
    /// The message goes ahead of the ordinary ones if its sender wants that.
    pub(in crate::process) priority: bool,
    /// The active monitor that the message has ended, if there was one.
    pub(in crate::process) monitor: Option<Monitor>,
    /// The tag that is not needed any more.
    pub(in crate::process) tag: Option<Tag>,
}

impl Relations {
    /// Links this process to a peer. Returns whether the peer has to be notified.
    #[must_use]
    pub(in crate::process) fn link(&mut self, peer: Pid, priority: bool) -> bool {
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

    /// Records the connection that the link to `peer` was sent over.
    pub(in crate::process) fn linked_over(&mut self, peer: Pid, connection: ConnectionId) {
        if let Some(link) = self.links.get_mut(&peer) {
            link.connection = connection;
        }
    }

    /// Records a link that the peer has made. A link that crosses our unlink stays unlinked.
    pub(in crate::process) fn linked(&mut self, peer: Pid) {
        let link = Link { connection: LOCAL, unlinking: None, priority: false };
        self.links.insert_if_absent(peer, link);
    }

    /// Records the link to a child that was spawned over this connection.
    pub(in crate::process) fn linked_child(
        &mut self,
        child: Pid,
        connection: ConnectionId,
        priority: bool,
    ) {
        self.links.insert(child, Link { connection, unlinking: None, priority });
    }

    /// Starts to remove the link to `peer`. `None` if there is no active link.
    pub(in crate::process) fn unlink(&mut self, peer: Pid) -> Option<Unlink> {
        let link = self.links.get_mut(&peer).filter(|link| link.unlinking.is_none())?;
        self.unlinks += 1;
        link.unlinking = Some(self.unlinks);
        Some(Unlink(self.unlinks))
    }

    /// Removes a link that the peer has removed. An unlink of this process that crosses the peer's
    /// still waits for its acknowledgement.
    pub(in crate::process) fn unlinked(&mut self, peer: Pid) {
        if self.links.get(&peer).is_some_and(|link| link.unlinking.is_none()) {
            self.links.remove(&peer);
        }
    }

    /// Removes a link whose unlink the peer has acknowledged.
    pub(in crate::process) fn unlink_acknowledged(&mut self, peer: Pid, id: u64) {
        if self.links.get(&peer).is_some_and(|link| link.unlinking == Some(id)) {
            self.links.remove(&peer);
        }
    }

    /// Removes the link after an exit signal by it. Returns whether the signal has priority, or
    /// `None` if the link was not active.
    #[must_use]
    pub(in crate::process) fn link_fired(&mut self, peer: Pid) -> Option<bool> {
        let link = self.links.remove(&peer)?;
        link.unlinking.is_none().then_some(link.priority)
    }

    pub(in crate::process) fn add_monitor(&mut self, reference: Reference, monitor: Monitor) {
        self.monitors.insert(reference, monitor);
    }

    /// Records the monitor of a child that was spawned over this connection.
    pub(in crate::process) fn add_child_monitor(
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
    pub(in crate::process) fn take_monitor(&mut self, reference: Reference) -> Option<Monitor> {
        let monitor = self.monitors.remove(&reference)?;
        self.aliases.monitor_ended(reference.serial());
        Some(monitor)
    }

    /// Returns whether this is a monitor of a process of this node, or of a name on it.
    pub(in crate::process) fn is_monitor_of(&self, reference: Reference, node: NodeId) -> bool {
        self.monitors.get(&reference).is_some_and(|monitor| match &monitor.object {
            Object::Pid(pid) => pid.node() == node,
            Object::Name(_, name) => *name == node.name(),
        })
    }

    pub(in crate::process) fn monitored_over(
        &mut self,
        reference: Reference,
        connection: ConnectionId,
    ) {
        if let Some(monitor) = self.monitors.get_mut(&reference) {
            monitor.connection = connection;
        }
    }

    pub(in crate::process) fn add_watcher(&mut self, reference: Reference, watcher: Pid) {
        self.watchers.insert(reference, watcher);
    }

    /// Removes a monitor of this process, if the process that asks for this holds it.
    pub(in crate::process) fn remove_watcher(&mut self, reference: Reference, watcher: Pid) {
        if self.watchers.get(&reference) == Some(&watcher) {
            self.watchers.remove(&reference);
        }
    }

    /// Handles a message by the alias with this reference. `None` if the alias is not active.
    pub(in crate::process) fn received_by_alias(
        &mut self,
        reference: Reference,
    ) -> Option<ByAlias> {
        let Active { ends, priority } = self.aliases.received(reference.serial())?;
        let ends_monitor = ends == Ends::WithMonitorOrReply;
        let mut monitor = ends_monitor.then(|| self.monitors.remove(&reference)).flatten();
        let pending = self.spawns.get_mut(&reference).filter(|_| ends_monitor);
        let pending = pending.and_then(Spawning::demonitor).flatten();
        let tag = monitor.as_mut().and_then(|monitor| monitor.delivery.tag.take()).or(pending);
        Some(ByAlias { priority, monitor, tag })
    }

    pub(in crate::process) fn add_spawn(&mut self, reference: Reference, spawning: Spawning) {
        self.spawns.insert(reference, spawning);
    }

    /// Returns a request that has not been answered, and was not abandoned.
    pub(in crate::process) fn pending_spawn(
        &mut self,
        reference: Reference,
    ) -> Option<&mut Spawning> {
        self.spawns.get_mut(&reference).filter(|spawning| !spawning.is_abandoned())
    }

    /// Removes a request that was sent over this connection, to handle its answer.
    pub(in crate::process) fn take_spawn(
        &mut self,
        reference: Reference,
        connection: ConnectionId,
    ) -> Option<Spawning> {
        self.spawns.get_mut(&reference).filter(|spawning| spawning.connection == connection)?;
        self.spawns.remove(&reference)
    }

    /// Removes the relations that went over a lost connection, and returns them.
    ///
    /// A relation that the peer made has no connection noted. It was made before the loss
    /// was queued, so it went over the lost connection or an earlier one.
    pub(in crate::process) fn connection_lost(
        &mut self,
        node: Option<NodeId>,
        id: ConnectionId,
    ) -> Lost {
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

    /// Takes the tags, which are values of the program, out of a process that ends.
    pub(in crate::process) fn take_tags(&mut self) -> Vec<Tag> {
        let of_monitors = self.monitors.values_mut().map(|monitor| monitor.delivery.tag.take());
        let of_spawns = self.spawns.values_mut().flat_map(Spawning::take_tags);
        of_monitors.chain(of_spawns).flatten().collect()
    }

    /// Takes the unanswered requests out of a process that ends.
    pub(in crate::process) fn take_spawns(&mut self) -> FewMap<Reference, Spawning> {
        std::mem::take(&mut self.spawns)
    }

    /// Takes the rest out of a process that ends: the processes to tell, and the monitors to take
    /// back.
    pub(in crate::process) fn end(&mut self) -> Ending {
        let Relations { links, monitors, watchers, .. } = std::mem::take(self);
        let active = links.into_iter().filter(|(_, link)| link.unlinking.is_none());
        Ending {
            links: active.map(|(peer, _)| peer).collect(),
            watchers: watchers.into_iter().collect(),
            monitors: monitors.into_iter().collect(),
        }
    }
}

/// The relations of a process that ends: the processes to tell, and the monitors to take back.
#[derive(Default)]
pub(in crate::process) struct Ending {
    pub(in crate::process) links: Vec<Pid>,
    pub(in crate::process) watchers: Vec<(Reference, Pid)>,
    pub(in crate::process) monitors: Vec<(Reference, Monitor)>,
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

    /// A process of the `n`th node.
    fn on(n: u32, slot: u32) -> Pid {
        let node = NodeId::of(&NodeName::nonode(), Creation(n));
        Pid::new(node, LocalId { slot, generation: 0 })
    }

    fn reference(serial: u64) -> Reference {
        Reference::new(peer().node(), serial)
    }

    fn monitor(target: Option<Pid>, connection: ConnectionId) -> Monitor {
        let delivery = Delivery { tag: Some(Tag::new(7_u64)), priority: false };
        Monitor { object: Object::Pid(target.unwrap_or(peer())), target, connection, delivery }
    }

    fn spawning(connection: ConnectionId) -> Spawning {
        let delivery = Delivery { tag: Some(Tag::new(7_u64)), priority: false };
        let mut spawning = Spawning::new(None, Some(delivery));
        spawning.connection = connection;
        spawning
    }

    /// LINK-2, EXIT-13: the peer is notified of a link that it does not know. An exit signal
    /// counts only over an active link.
    #[test]
    fn a_link_and_its_exit_signal() {
        let (mut relations, peer) = (Relations::default(), peer());
        assert_eq!(relations.link_fired(peer), None);
        assert!(relations.link(peer, false) && !relations.link(peer, true));
        assert_eq!(relations.links(), [peer]);
        assert_eq!(relations.link_fired(peer), Some(true), "the last option counts");
        assert!(relations.link(peer, false) && relations.unlink(peer).is_some());
        assert_eq!((relations.links(), relations.unanswered()), (vec![], 1));
        assert!(relations.unlink(peer).is_none(), "once");
        assert!(relations.link(peer, false), "the peer has unlinked itself");
        assert!(relations.unlink(peer).is_some());
        assert_eq!(relations.link_fired(peer), None);
        relations.linked_child(peer, OVER, false);
        assert_eq!(relations.link_fired(peer), Some(false));
        assert!(relations.is_empty());
    }

    /// MON-2, MON-12: each monitor is a separate relation, and belongs to its owner.
    #[test]
    fn monitors_and_watchers() {
        let mut relations = Relations::default();
        let watchers = [on(7, 1), on(7, 2), on(7, 1)];
        for (n, watcher) in (0..).zip(watchers) {
            relations.add_watcher(reference(n), watcher);
        }
        relations.remove_watcher(reference(0), on(7, 2));
        assert_eq!(relations.watchers(), watchers);
        relations.remove_watcher(reference(0), on(7, 1));
        assert_eq!(relations.watchers(), watchers[1..]);

        relations.add_monitor(reference(10), monitor(Some(on(7, 5)), LOCAL));
        relations.add_child_monitor(reference(11), on(7, 6), LOCAL, Delivery::default());
        assert_eq!(relations.monitors(), [Object::Pid(on(7, 5)), Object::Pid(on(7, 6))]);
        assert!(relations.take_monitor(reference(10)).is_some());
        assert!(relations.take_monitor(reference(10)).is_none());
        let Ending { links, watchers, monitors } = relations.end();
        assert_eq!((links.len(), watchers.len(), monitors.len()), (0, 2, 1));
        assert_eq!(monitors[0].1.target, Some(on(7, 6)));
    }

    /// ALIAS-5 to ALIAS-7: what ends an alias, its monitor and a request for one.
    #[test]
    fn aliases_end_with_monitors_and_replies() {
        use Ends::{Never, WithMonitor, WithMonitorOrReply, WithReply};
        // Whether the first message ends the monitor, whether there is a second message, and
        // whether the alias outlives the monitor.
        let cases = [
            (Never, false, true, true),
            (WithReply, false, false, true),
            (WithMonitor, false, true, false),
            (WithMonitorOrReply, true, false, false),
        ];
        for (ends, ends_monitor, second, outlives) in cases {
            for is_pending in [false, true] {
                let mut relations = Relations::default();
                let start = |relations: &mut Relations| {
                    relations.aliases.add(1, Active { ends, priority: true });
                    match is_pending {
                        true => relations.add_spawn(reference(1), spawning(LOCAL)),
                        false => relations.add_monitor(reference(1), monitor(None, LOCAL)),
                    }
                };
                start(&mut relations);
                let by = relations.received_by_alias(reference(1)).expect("it is active");
                assert!(by.priority);
                assert_eq!(by.tag.is_some(), ends_monitor, "{ends:?}, {is_pending}");
                assert_eq!(by.monitor.is_some(), ends_monitor && !is_pending, "{ends:?}");
                let asked = relations.spawns.get(&reference(1)).map(Spawning::is_monitor_asked);
                assert_eq!(asked, is_pending.then_some(!ends_monitor), "{ends:?}");
                let again = relations.received_by_alias(reference(1)).is_some();
                assert_eq!(again, second, "{ends:?}");
                start(&mut relations);
                relations.take_monitor(reference(1));
                let is_active = relations.aliases.get(1).is_some();
                assert_eq!(is_active, outlives || is_pending, "{ends:?}");
            }
        }
    }

    /// SPAWN-8: a pending request can be abandoned once, and is answered only over its own
    /// connection.
    #[test]
    fn requests_to_spawn() {
        let mut relations = Relations::default();
        assert!(relations.pending_spawn(reference(1)).is_none());
        for n in 1..4 {
            relations.add_spawn(reference(n), spawning(LOCAL));
        }
        relations.pending_spawn(reference(1)).expect("it is pending").abandon();
        assert!(relations.pending_spawn(reference(1)).is_none(), "it was abandoned");
        assert!(relations.take_spawn(reference(1), OVER).is_none(), "it was sent elsewhere");
        assert!(relations.take_spawn(reference(1), LOCAL).is_some_and(|it| it.is_abandoned()));
        assert!(relations.take_spawn(reference(1), LOCAL).is_none());
        let _ = (relations.link(peer(), false), relations.unlink(peer()));
        assert_eq!(relations.unanswered(), 3);
        relations.add_monitor(reference(9), monitor(None, LOCAL));
        assert_eq!(relations.take_tags().len(), 3);
        assert_eq!(relations.take_spawns().len(), 2);
        assert_eq!(relations.unanswered(), 1);
    }

    /// LINK-12, MON-5: a lost connection takes with it the relations that were sent over it, and
    /// the relations that the peer's node has made.
    #[test]
    fn a_lost_connection_ends_the_relations_over_it() {
        const OTHER: ConnectionId = ConnectionId(8);
        let (lost_node, other_node) = (on(7, 0).node(), on(8, 0).node());
        // For each connection and node: whether the relation is lost when the node is known, and
        // when it is not.
        let cases = [
            (OVER, 7, true, true),
            (OVER, 8, true, true),
            (LOCAL, 7, true, false),
            (LOCAL, 8, false, false),
            (OTHER, 7, false, false),
        ];
        for known in [true, false] {
            let mut relations = Relations::default();
            for (n, (connection, node, ..)) in (0..).zip(cases) {
                relations.linked_child(on(node, n), connection, false);
                relations.add_monitor(reference(n.into()), monitor(Some(on(node, n)), connection));
                relations
                    .aliases
                    .add(n.into(), Active { ends: Ends::WithMonitor, priority: false });
                relations.add_spawn(reference(n.into()), spawning(connection));
                relations.add_watcher(reference(n.into()), on(node, n));
            }
            // Its target is not known.
            relations.add_monitor(reference(100), monitor(None, LOCAL));
            // Two links that were sent over the connection later. The unlinked one is not reported.
            relations.linked(on(8, 50));
            relations.linked_over(on(8, 50), OVER);
            relations.linked(on(8, 51));
            relations.linked_over(on(8, 51), OVER);
            let _ = relations.unlink(on(8, 51));
            relations.add_monitor(reference(50), monitor(Some(on(8, 50)), LOCAL));
            relations.monitored_over(reference(50), OVER);

            let node = known.then_some(lost_node);
            let lost = relations.connection_lost(node, OVER);
            let is_lost = |case: &(ConnectionId, u32, bool, bool)| {
                if known { case.2 } else { case.3 }
            };
            let slots: Vec<u32> =
                (0..).zip(&cases).filter(|it| is_lost(it.1)).map(|it| it.0).collect();
            let mut links: Vec<u32> = lost.links.iter().map(|it| it.0.local().slot).collect();
            links.sort_unstable();
            assert_eq!(links, [&slots[..], &[50]].concat(), "{known}");
            let serials = |of: Vec<u64>| of.into_iter().map(|n| n as u32).collect::<Vec<_>>();
            let monitors = serials(lost.monitors.iter().map(|it| it.0.serial()).collect());
            assert_eq!(monitors, [&slots[..], &[50]].concat(), "{known}");
            let spawns = serials(lost.spawns.iter().map(|it| it.0.serial()).collect());
            assert_eq!(spawns, [0, 1], "{known}: by their connection only");
            let watched_from = relations.watchers().into_iter().filter(|it| it.node() == lost_node);
            assert_eq!(watched_from.count(), if known { 0 } else { 3 });
            assert!(relations.watchers().iter().any(|it| it.node() == other_node));
            let aliases: Vec<u32> =
                (0..5).filter(|n| relations.aliases.get(u64::from(*n)).is_none()).collect();
            assert_eq!(aliases, slots, "{known}");
        }
    }

    /// No other node can say that what a monitor watches has ended.
    #[test]
    fn a_monitor_watches_one_node() {
        let mut relations = Relations::default();
        let [node, other] =
            ["a@h", "b@h"].map(|name| NodeId::of(&name.parse().unwrap(), Creation(1)));
        let object = Object::Name("name".into(), node.name());
        relations.add_monitor(reference(1), Monitor { object, ..monitor(None, LOCAL) });
        assert!(relations.is_monitor_of(reference(1), node));
        assert!(!relations.is_monitor_of(reference(1), other));
        relations.add_monitor(reference(2), monitor(Some(on(7, 5)), LOCAL));
        assert!(relations.is_monitor_of(reference(2), on(7, 5).node()));
        assert!(!relations.is_monitor_of(reference(2), on(8, 5).node()));
        assert!(!relations.is_monitor_of(reference(3), node));
    }

    /// Each kind of relation counts, alone and with the others.
    #[test]
    fn every_kind_of_relation_counts_as_memory() {
        let add: [fn(&mut Relations); 5] = [
            |it| it.linked(peer()),
            |it| it.add_monitor(reference(1), monitor(None, LOCAL)),
            |it| it.add_watcher(reference(1), peer()),
            |it| it.aliases.add(1, Active { ends: Ends::Never, priority: false }),
            |it| it.add_spawn(reference(1), spawning(LOCAL)),
        ];
        let mut all = Relations::default();
        assert_eq!((all.is_empty(), all.memory()), (true, 0));
        let mut sum = 0;
        for add in add {
            let mut relations = Relations::default();
            add(&mut relations);
            assert!(!relations.is_empty() && relations.memory() > 0);
            sum += relations.memory();
            add(&mut all);
        }
        assert_eq!((all.is_empty(), all.memory()), (false, sum));
        // Room for many entries is freed.
        for n in 0..100 {
            all.add_watcher(reference(n), peer());
        }
        for n in 0..99 {
            all.remove_watcher(reference(n), peer());
        }
        assert!(matches!(all.watchers, FewMap::Many(_)));
        all.shrink();
        assert!(matches!(all.watchers, FewMap::Few(_)));
    }
}
