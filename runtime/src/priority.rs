//! The order in which ready processes run.

use serde::{Deserialize, Serialize};

/// A process's priority (Erlang's `process_flag(priority, Level)`).
///
/// No normal or low process runs while a high one is ready, and no high process runs while one of
/// priority `Max` is ready. High and max processes should have little to do, since they can starve
/// the others. Normal and low processes share: while normal ones are ready, about every eighth turn
/// goes to a low one, so low processes never starve.
///
/// ```
/// # use fika_runtime::{Node, Priority, SpawnOpts, set_priority, spawn_opt};
/// # Node::builder().build().unwrap().block_on(async {
/// spawn_opt(SpawnOpts::new().priority(Priority::Low), async { /* clean up */ });
/// set_priority(Priority::High);
/// # });
/// ```
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[repr(u8)]
pub enum Priority {
    /// For work that can wait.
    Low = 0,
    /// The default.
    #[default]
    Normal = 1,
    /// Runs before all normal processes.
    High = 2,
    /// Runs before all others. For the runtime's own processes: a program that uses it can delay
    /// the processes that keep its node alive.
    Max = 3,
}

impl Priority {
    /// Returns the index in [`ALL`](Priority::ALL).
    pub(crate) fn index(self) -> u8 {
        self as u8
    }

    /// All priorities, lowest first.
    pub(crate) const ALL: [Priority; 4] =
        [Priority::Low, Priority::Normal, Priority::High, Priority::Max];

    /// Returns whether it goes before the normal priority.
    pub(crate) fn is_urgent(self) -> bool {
        self > Priority::Normal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_priority_is_at_its_index() {
        for priority in Priority::ALL {
            assert_eq!(Priority::ALL[usize::from(priority.index())], priority);
        }
    }
}
