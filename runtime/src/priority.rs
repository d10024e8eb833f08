//! Who goes before whom when several processes are ready.

use serde::{Deserialize, Serialize};

/// A process's priority (Erlang's `process_flag(priority, Level)`).
///
/// No normal or low process is picked while a high one waits, nor a high one while one of
/// `Max` waits: such processes should have little to do, and they can starve the others.
/// Normal and low ones share, with about every eighth turn for a low one while there are
/// normal ones, so that low ones never starve.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[repr(u8)]
pub enum Priority {
    /// For work that can wait.
    Low = 0,
    /// What a process has unless it is given another one.
    #[default]
    Normal = 1,
    /// Before all normal ones.
    High = 2,
    /// Before all others. For the runtime's own processes: a program that uses it can hold
    /// up what keeps its node alive.
    Max = 3,
}

impl Priority {
    /// Its place in [`ALL`](Priority::ALL).
    pub(crate) fn index(self) -> u8 {
        self as u8
    }

    /// All of them, lowest first.
    pub(crate) const ALL: [Priority; 4] =
        [Priority::Low, Priority::Normal, Priority::High, Priority::Max];

    /// Whether it goes before the normal one.
    pub(crate) fn is_urgent(self) -> bool {
        self > Priority::Normal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_at_its_index() {
        for priority in Priority::ALL {
            assert_eq!(Priority::ALL[usize::from(priority.index())], priority);
        }
    }
}
