//! Who is told of nodes that come and go. Nothing is sent from here.

use std::collections::BTreeMap;

use fika_runtime::{NodeName, NodeType, Pid, Reference};

/// Which nodes a subscription is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Wanted {
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

/// Subscriptions to all nodes, and watches of single ones.
#[derive(Default)]
pub(super) struct Subscriptions {
    /// How often each process has subscribed with each option (NMON-9).
    all: BTreeMap<(Pid, Wanted), usize>,
    /// How often each process watches each node (NMON-2).
    single: BTreeMap<NodeName, BTreeMap<Pid, usize>>,
    /// The monitor of each process that is in one of the two.
    monitors: BTreeMap<Pid, Reference>,
}

impl Subscriptions {
    pub(super) fn subscribe(&mut self, pid: Pid, wanted: Wanted) {
        *self.all.entry((pid, wanted)).or_default() += 1;
    }

    pub(super) fn unsubscribe(&mut self, pid: Pid, wanted: Wanted) {
        self.all.remove(&(pid, wanted));
    }

    pub(super) fn watch(&mut self, pid: Pid, node: NodeName) {
        *self.single.entry(node).or_default().entry(pid).or_default() += 1;
    }

    /// Takes one watch away.
    pub(super) fn unwatch(&mut self, pid: Pid, node: &NodeName) {
        let Some(watches) = self.single.get_mut(node) else { return };
        if let Some(count) = watches.get_mut(&pid) {
            *count -= 1;
            if *count == 0 {
                watches.remove(&pid);
            }
        }
        if watches.is_empty() {
            self.single.remove(node);
        }
    }

    /// Whether the process is to be monitored, and is not yet.
    pub(super) fn needs_monitor(&self, pid: Pid) -> bool {
        !self.monitors.contains_key(&pid)
    }

    pub(super) fn monitored(&mut self, pid: Pid, monitor: Reference) {
        self.monitors.insert(pid, monitor);
    }

    /// A process has ended.
    pub(super) fn forget(&mut self, ended: Pid) {
        self.monitors.remove(&ended);
        self.all.retain(|(pid, _), _| *pid != ended);
        for watches in self.single.values_mut() {
            watches.remove(&ended);
        }
        self.single.retain(|_, watches| !watches.is_empty());
    }

    /// Whom to tell that a node of this type came or went, once for each message.
    pub(super) fn subscribers(&self, node_type: NodeType) -> Vec<Pid> {
        let all = self.all.iter().filter(|((_, wanted), _)| wanted.covers(node_type));
        all.flat_map(|((pid, _), count)| std::iter::repeat_n(*pid, *count)).collect()
    }

    /// Whom to tell that a node is not connected; they watch it no longer (NMON-3).
    pub(super) fn take_watchers(&mut self, node: &NodeName) -> Vec<Pid> {
        let watches = self.single.remove(node).unwrap_or_default();
        watches.into_iter().flat_map(|(pid, count)| std::iter::repeat_n(pid, count)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fika_runtime::{LocalId, NodeId};

    fn pid(slot: u32) -> Pid {
        Pid::new(NodeId::nameless(), LocalId { slot, generation: 0 })
    }

    /// NMON-2, NMON-3.
    #[test]
    fn watches_count() {
        let (mut subscriptions, watcher) = (Subscriptions::default(), pid(1));
        let node: NodeName = "a@b".parse().unwrap();
        for _ in 0..3 {
            subscriptions.watch(watcher, node.clone());
        }
        subscriptions.unwatch(watcher, &node);
        assert_eq!(subscriptions.take_watchers(&node), [watcher; 2]);
        assert!(subscriptions.take_watchers(&node).is_empty());
        subscriptions.unwatch(watcher, &node);
    }

    /// NMON-7, NMON-9.
    #[test]
    fn subscriptions_add_up_and_go_at_once() {
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
