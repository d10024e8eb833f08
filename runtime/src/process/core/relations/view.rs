//! What the relations of a process look like to others, and what they take.

use super::table::Relations;
use crate::pid::Pid;
use crate::system_message::Object;

impl Relations {
    /// The other ends of the links that count.
    pub(in crate::process) fn links(&self) -> Vec<Pid> {
        let active = self.links.iter().filter(|(_, link)| link.unlinking.is_none());
        active.map(|(peer, _)| *peer).collect()
    }

    /// What the process monitors, in the order in which it began to.
    pub(in crate::process) fn monitors(&self) -> Vec<Object> {
        self.monitors.iter().map(|(_, monitor)| monitor.object.clone()).collect()
    }

    /// Who monitors the process, once for each monitor.
    pub(in crate::process) fn watchers(&self) -> Vec<Pid> {
        self.watchers.iter().map(|(_, watcher)| *watcher).collect()
    }

    /// How many unlinks and requests to spawn have no answer yet.
    pub(in crate::process) fn unanswered(&self) -> usize {
        let unlinking = self.links.iter().filter(|(_, link)| link.unlinking.is_some());
        unlinking.count() + self.spawns.iter().count()
    }

    /// The bytes of the entries, about.
    pub(in crate::process) fn memory(&self) -> usize {
        self.links.memory()
            + self.monitors.memory()
            + self.watchers.memory()
            + self.aliases.memory()
            + self.spawns.memory()
    }

    pub(in crate::process) fn is_empty(&self) -> bool {
        self.links.is_empty()
            && self.monitors.is_empty()
            && self.watchers.is_empty()
            && self.aliases.is_empty()
            && self.spawns.is_empty()
    }

    /// Lets go of room that is not needed now.
    pub(in crate::process) fn shrink(&mut self) {
        self.links.shrink();
        self.monitors.shrink();
        self.watchers.shrink();
        self.aliases.shrink();
        self.spawns.shrink();
    }
}
