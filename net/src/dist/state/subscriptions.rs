//! The processes to notify when nodes connect and disconnect. This module sends nothing.

use std::collections::BTreeMap;

use fika_runtime::{NodeName, NodeType, Pid, Reference};

/// The type of the nodes that a subscription covers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Wanted {
    Visible,
    Hidden,
    All,
}

impl Wanted {
    fn covers(self, node_type: NodeType) -> bool {
        match self {
            Wanted::All => true,
            Wanted::Visible => node_type == NodeType::Visible,
            Wanted::Hidden => node_type == NodeType::Hidden,
        }
    }
}

/// While the distribution is stopped, net_kernel does not monitor subscribers. The list is then
/// searched for ended processes when it has this many entries and has doubled since the last
/// search.
const SUBSCRIBERS_KEPT: usize = 64;

/// Subscriptions to all nodes, and watches of single nodes.
#[derive(Default)]
pub(crate) struct Subscriptions {
    /// The number of subscriptions of each process with each option (NMON-9).
    all: BTreeMap<(Pid, Wanted), usize>,
    /// The number of entries in `all` after the last search for ended processes.
    kept: usize,
    /// The number of watches of each process for each node (NMON-2).
    single: BTreeMap<NodeName, BTreeMap<Pid, usize>>,
    /// The number of watches that each process has asked for and that net_kernel has not handled
    /// yet.
    asked: BTreeMap<NodeName, BTreeMap<Pid, usize>>,
    /// The monitor of each process that has a subscription or a watch.
    monitors: BTreeMap<Pid, Reference>,
}

impl Subscriptions {
    pub(crate) fn subscribe(&mut self, pid: Pid, wanted: Wanted) {
        *self.all.entry((pid, wanted)).or_default() += 1;
    }

    pub(crate) fn unsubscribe(&mut self, pid: Pid, wanted: Wanted) {
        self.all.remove(&(pid, wanted));
    }

    /// Removes the subscribers that have ended, if the list has doubled since the last search.
    pub(crate) fn prune(&mut self, is_alive: impl Fn(Pid) -> bool) {
        if self.all.len() >= SUBSCRIBERS_KEPT.max(2 * self.kept) {
            self.all.retain(|(pid, _), _| is_alive(*pid));
            self.kept = self.all.len();
        }
    }

    /// Notes that a process is about to ask net_kernel for a watch.
    pub(crate) fn ask(&mut self, pid: Pid, node: &NodeName) {
        *self.asked.entry(node.clone()).or_default().entry(pid).or_default() += 1;
    }

    /// Adds a watch that was asked for. Returns false if the process has already been notified that
    /// no connection will be made.
    pub(crate) fn watch(&mut self, pid: Pid, node: &NodeName) -> bool {
        let is_asked = take_one(&mut self.asked, pid, node);
        if is_asked {
            *self.single.entry(node.clone()).or_default().entry(pid).or_default() += 1;
        }
        is_asked
    }

    /// Returns the watches that were asked for and that net_kernel has not handled yet.
    pub(crate) fn asked(&self) -> Vec<(Pid, NodeName)> {
        let each = |(node, pids): (&NodeName, &BTreeMap<Pid, usize>)| {
            let pids = repeated(pids.clone());
            pids.map(|pid| (pid, node.clone())).collect::<Vec<_>>()
        };
        self.asked.iter().flat_map(each).collect()
    }

    /// Removes one watch.
    pub(crate) fn unwatch(&mut self, pid: Pid, node: &NodeName) {
        take_one(&mut self.single, pid, node);
    }

    /// Returns whether the process is not monitored yet.
    pub(crate) fn needs_monitor(&self, pid: Pid) -> bool {
        !self.monitors.contains_key(&pid)
    }

    pub(crate) fn monitored(&mut self, pid: Pid, monitor: Reference) {
        self.monitors.insert(pid, monitor);
    }

    /// Forgets all monitors, since net_kernel has ended.
    pub(crate) fn forget_monitors(&mut self) {
        self.monitors.clear();
    }

    /// Returns the processes that have a subscription or a watch and are not monitored.
    pub(crate) fn unmonitored(&self) -> Vec<Pid> {
        let watchers = self.single.values().flat_map(BTreeMap::keys);
        let mut pids: Vec<Pid> =
            self.all.keys().map(|(pid, _)| pid).chain(watchers).copied().collect();
        pids.sort_unstable();
        pids.dedup();
        pids.retain(|pid| self.needs_monitor(*pid));
        pids
    }

    /// Returns the nodes that are watched, or for which a watch was asked.
    pub(crate) fn watched(&self) -> Vec<NodeName> {
        self.single.keys().chain(self.asked.keys()).cloned().collect()
    }

    /// Takes the processes to notify that a node is not connected and will not be. This includes
    /// processes whose watch net_kernel has not handled yet.
    pub(crate) fn take_all_watchers(&mut self, node: &NodeName) -> Vec<Pid> {
        let watches = [self.single.remove(node), self.asked.remove(node)];
        watches.into_iter().flatten().flat_map(repeated).collect()
    }

    /// Returns the number of entries in all tables.
    pub(crate) fn count(&self) -> usize {
        self.all.len() + self.single.len() + self.asked.len() + self.monitors.len()
    }

    /// Removes a process that has ended.
    pub(crate) fn forget(&mut self, ended: Pid) {
        self.monitors.remove(&ended);
        self.all.retain(|(pid, _), _| *pid != ended);
        for watches in [&mut self.single, &mut self.asked] {
            watches.retain(|_, pids| {
                pids.remove(&ended);
                !pids.is_empty()
            });
        }
    }

    /// Returns the processes to notify that a node of this type has connected or disconnected, once
    /// for each message.
    pub(crate) fn subscribers(&self, node_type: NodeType) -> Vec<Pid> {
        let all = self.all.iter().filter(|((_, wanted), _)| wanted.covers(node_type));
        all.flat_map(|((pid, _), count)| std::iter::repeat_n(*pid, *count)).collect()
    }

    /// Takes the processes that watch a node, to notify them that it is not connected. Their
    /// watches end (NMON-3).
    pub(crate) fn take_watchers(&mut self, node: &NodeName) -> Vec<Pid> {
        self.single.remove(node).into_iter().flat_map(repeated).collect()
    }
}

fn repeated(watches: BTreeMap<Pid, usize>) -> impl Iterator<Item = Pid> {
    watches.into_iter().flat_map(|(pid, count)| std::iter::repeat_n(pid, count))
}

/// Removes one of a process's watches of a node. Returns false if there is none.
fn take_one(
    watches: &mut BTreeMap<NodeName, BTreeMap<Pid, usize>>,
    pid: Pid,
    node: &NodeName,
) -> bool {
    let Some(pids) = watches.get_mut(node) else { return false };
    let Some(count) = pids.get_mut(&pid) else { return false };
    *count -= 1;
    if *count == 0 {
        pids.remove(&pid);
    }
    if pids.is_empty() {
        watches.remove(node);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use fika_runtime::{LocalId, NodeId};

    fn pid(slot: u32) -> Pid {
        Pid::new(NodeId::nameless(), LocalId { slot, generation: 0 })
    }

    /// NMON-2, NMON-3: each watch of a node gives one message, and after a loss no watch is left.
    #[test]
    fn each_watch_counts() {
        let (mut subscriptions, watcher) = (Subscriptions::default(), pid(1));
        let node: NodeName = "a@b".parse().unwrap();
        for _ in 0..3 {
            subscriptions.ask(watcher, &node);
            assert!(subscriptions.watch(watcher, &node));
        }
        subscriptions.unwatch(watcher, &node);
        assert_eq!(subscriptions.take_watchers(&node), [watcher; 2]);
        assert!(subscriptions.take_watchers(&node).is_empty());
        subscriptions.unwatch(watcher, &node);
        // A watch that net_kernel has not handled when the distribution stops.
        subscriptions.ask(watcher, &node);
        assert!(subscriptions.take_watchers(&node).is_empty());
        assert_eq!(subscriptions.take_all_watchers(&node), [watcher]);
        assert!(!subscriptions.watch(watcher, &node), "the watcher was notified");
    }

    #[test]
    fn every_subscription_and_watch_is_counted() {
        let (mut subscriptions, one) = (Subscriptions::default(), pid(1));
        let node: NodeName = "a@b".parse().unwrap();
        subscriptions.subscribe(one, Wanted::All);
        subscriptions.subscribe(one, Wanted::Visible);
        assert_eq!(subscriptions.count(), 2);
        subscriptions.ask(one, &node);
        assert_eq!(subscriptions.count(), 3);
        assert!(subscriptions.watch(one, &node));
        assert_eq!(subscriptions.count(), 3);
    }

    /// NMON-7, NMON-9: equal subscriptions add up, and are removed together.
    #[test]
    fn subscriptions_add_up_and_end_together() {
        let (mut subscriptions, one) = (Subscriptions::default(), pid(1));
        subscriptions.subscribe(one, Wanted::Visible);
        subscriptions.subscribe(one, Wanted::Visible);
        subscriptions.subscribe(one, Wanted::All);
        assert_eq!(subscriptions.subscribers(NodeType::Visible).len(), 3);
        assert_eq!(subscriptions.subscribers(NodeType::Hidden).len(), 1);
        subscriptions.unsubscribe(one, Wanted::Visible);
        assert_eq!(subscriptions.subscribers(NodeType::Visible).len(), 1);
        subscriptions.forget(one);
        assert!(subscriptions.subscribers(NodeType::Visible).is_empty());
    }
}
