//! The relations of a process as `process_info` shows them, and the memory that they take.

use super::table::Relations;
use crate::pid::Pid;
use crate::system_message::Object;

impl Relations {
    /// Returns the other ends of the active links.
    pub(in crate::process) fn links(&self) -> Vec<Pid> {
        let active = self.links.iter().filter(|(_, link)| link.unlinking.is_none());
        active.map(|(peer, _)| *peer).collect()
    }

    /// Returns what the process monitors, oldest monitor first.
    pub(in crate::process) fn monitors(&self) -> Vec<Object> {
        self.monitors.iter().map(|(_, monitor)| monitor.object.clone()).collect()
    }

    /// Returns the processes that monitor this one, once for each monitor.
    pub(in crate::process) fn watchers(&self) -> Vec<Pid> {
        self.watchers.iter().map(|(_, watcher)| *watcher).collect()
    }

    /// Returns how many unlinks and requests to spawn have no answer yet.
    pub(in crate::process) fn unanswered(&self) -> usize {
        let unlinking = self.links.iter().filter(|(_, link)| link.unlinking.is_some());
        unlinking.count() + self.spawns.iter().count()
    }

    /// Returns about how many bytes the entries take.
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

    /// Frees room that is not needed now.
    pub(in crate::process) fn shrink(&mut self) {
        self.links.shrink();
        self.monitors.shrink();
        self.watchers.shrink();
        self.aliases.shrink();
        self.spawns.shrink();
    }
}
