//! The active aliases of one process.
//!
//! An alias has to be active when a message that was sent to it is received. `table` ends aliases
//! together with their monitors.

use crate::few_map::FewMap;

/// When an alias ends, besides `unalias`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::process) enum Ends {
    /// By `unalias` only.
    Never,
    /// With the first message that is received by it.
    WithReply,
    /// With its monitor.
    WithMonitor,
    /// With its monitor, which ends with the first message that is received by it.
    WithMonitorOrReply,
}

impl Ends {
    fn with_reply(self) -> bool {
        matches!(self, Ends::WithReply | Ends::WithMonitorOrReply)
    }

    fn with_monitor(self) -> bool {
        matches!(self, Ends::WithMonitor | Ends::WithMonitorOrReply)
    }
}

/// An active alias.
#[derive(Clone, Copy, Debug)]
pub(in crate::process) struct Active {
    pub(in crate::process) ends: Ends,
    /// Messages may be sent by it ahead of ordinary messages.
    pub(in crate::process) priority: bool,
}

/// The aliases, by the serials of their references.
#[derive(Default)]
pub(in crate::process) struct Aliases(FewMap<u64, Active>);

impl Aliases {
    pub(in crate::process) fn add(&mut self, serial: u64, alias: Active) {
        self.0.insert(serial, alias);
    }

    pub(in crate::process) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns about how many bytes the entries take.
    pub(in crate::process) fn memory(&self) -> usize {
        self.0.memory()
    }

    pub(in crate::process) fn shrink(&mut self) {
        self.0.shrink();
    }

    /// Removes an alias. Returns whether it was active.
    pub(in crate::process) fn remove(&mut self, serial: u64) -> bool {
        self.0.remove(&serial).is_some()
    }

    pub(in crate::process) fn get(&self, serial: u64) -> Option<Active> {
        self.0.get(&serial).copied()
    }

    /// Handles a message by this alias. Returns the alias, if it was active.
    pub(in crate::process) fn received(&mut self, serial: u64) -> Option<Active> {
        let alias = self.get(serial)?;
        if alias.ends.with_reply() {
            self.0.remove(&serial);
        }
        Some(alias)
    }

    /// Ends the alias of a monitor that has ended, if the alias is to end with it.
    pub(in crate::process) fn monitor_ended(&mut self, serial: u64) {
        if self.get(serial).is_some_and(|alias| alias.ends.with_monitor()) {
            self.0.remove(&serial);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_for_many_aliases_is_freed() {
        let mut aliases = Aliases::default();
        for serial in 0..100 {
            aliases.add(serial, Active { ends: Ends::Never, priority: false });
        }
        assert!((1..100).all(|serial| aliases.remove(serial)) && !aliases.remove(1));
        assert!(matches!(aliases.0, FewMap::Many(_)));
        aliases.shrink();
        assert!(matches!(aliases.0, FewMap::Few(_)));
    }
}
