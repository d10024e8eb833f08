//! The state that each process has besides its queue and its body. It fills the rest of the slot's
//! cache line.
//!
//! Except for `marks`, only the process itself writes here, or its maker before it runs. Other
//! threads read what they need before they can ask the process. So plain loads and stores are
//! enough, and they order nothing else.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64};

use crate::node_id::NodeId;
use crate::pid::{LocalId, Pid};
use crate::priority::Priority;

/// The bits of `state` that are a priority's index.
const PRIORITY: u8 = 0b11;
/// The process has received a fatal signal, or is ending.
const EXITING: u8 = 1 << 2;
/// Another process has suspended it.
const SUSPENDED: u8 = 1 << 3;
/// The process hibernates: after its turn, its memory is shrunk.
const HIBERNATING: u8 = 1 << 4;
/// The process has sent over a congested connection, and waits until there is room.
const HELD_UP: u8 = 1 << 5;
/// The process never waits for room in a connection.
const ASYNC_DIST: u8 = 1 << 6;

pub(crate) struct Vitals {
    /// The work that the process has done; see `process::budget`.
    reductions: AtomicU64,
    /// The process's group leader: its slot and generation, and its node.
    leader: AtomicU64,
    leader_node: AtomicU32,
    /// The constants above. A thread that wakes the process reads its priority.
    state: AtomicU8,
    /// The marks of `table`, which also says in which order they are written. Other threads write
    /// here.
    pub(crate) marks: crate::sync::AtomicU8,
}

impl Vitals {
    /// Returns the vitals of a slot without a process.
    pub(crate) fn none() -> Vitals {
        Vitals {
            reductions: AtomicU64::new(0),
            leader: AtomicU64::new(0),
            leader_node: AtomicU32::new(0),
            state: AtomicU8::new(Priority::Normal.index()),
            marks: crate::sync::AtomicU8::new(0),
        }
    }

    /// Initializes the vitals of a new process.
    pub(crate) fn begin(&self, priority: Priority, group_leader: Pid) {
        self.reductions.store(0, Relaxed);
        self.state.store(priority.index(), Relaxed);
        self.set_group_leader(group_leader);
    }

    pub(crate) fn priority(&self) -> Priority {
        Priority::ALL[usize::from(self.state.load(Relaxed) & PRIORITY)]
    }

    pub(crate) fn set_priority(&self, priority: Priority) {
        self.state.store(self.state.load(Relaxed) & !PRIORITY | priority.index(), Relaxed);
    }

    pub(crate) fn is_exiting(&self) -> bool {
        self.has(EXITING)
    }

    pub(crate) fn set_exiting(&self) {
        self.set(EXITING, true);
    }

    /// Returns whether the process is suspended, by another process or by congestion.
    pub(crate) fn is_suspended(&self) -> bool {
        self.has(SUSPENDED | HELD_UP)
    }

    pub(crate) fn set_suspended(&self, suspended: bool) {
        self.set(SUSPENDED, suspended);
    }

    pub(crate) fn set_held_up(&self, held_up: bool) {
        self.set(HELD_UP, held_up);
    }

    pub(crate) fn is_async_dist(&self) -> bool {
        self.has(ASYNC_DIST)
    }

    pub(crate) fn set_async_dist(&self, async_dist: bool) {
        self.set(ASYNC_DIST, async_dist);
    }

    pub(crate) fn is_hibernating(&self) -> bool {
        self.has(HIBERNATING)
    }

    pub(crate) fn set_hibernating(&self, hibernating: bool) {
        self.set(HIBERNATING, hibernating);
    }

    fn has(&self, bit: u8) -> bool {
        self.state.load(Relaxed) & bit != 0
    }

    fn set(&self, bit: u8, on: bool) {
        let state = self.state.load(Relaxed);
        self.state.store(if on { state | bit } else { state & !bit }, Relaxed);
    }

    pub(crate) fn reductions(&self) -> u64 {
        self.reductions.load(Relaxed)
    }

    pub(crate) fn add_reductions(&self, count: u64) {
        self.reductions.store(self.reductions().wrapping_add(count), Relaxed);
    }

    /// Returns the group leader. Only for the process itself, since it takes two loads.
    pub(crate) fn group_leader(&self) -> Pid {
        let local = self.leader.load(Relaxed);
        let (slot, generation) = ((local >> 32) as u32, local as u32);
        let node = NodeId::from_bits(self.leader_node.load(Relaxed));
        Pid::new(node.expect("set by `begin`"), LocalId { slot, generation })
    }

    pub(crate) fn set_group_leader(&self, leader: Pid) {
        let LocalId { slot, generation } = leader.local();
        self.leader.store(u64::from(slot) << 32 | u64::from(generation), Relaxed);
        self.leader_node.store(leader.node().to_bits(), Relaxed);
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    /// They share one number.
    #[test]
    fn the_priority_and_the_flags_are_independent() {
        let vitals = Vitals::none();
        let flags = || {
            [
                vitals.is_exiting(),
                vitals.is_suspended(),
                vitals.is_hibernating(),
                vitals.is_async_dist(),
            ]
        };
        assert_eq!((vitals.priority(), flags()), (Priority::Normal, [false; 4]));
        vitals.set_suspended(true);
        assert_eq!(flags(), [false, true, false, false]);
        vitals.set_async_dist(true);
        vitals.set_hibernating(true);
        vitals.set_exiting();
        assert_eq!(flags(), [true; 4]);
        for priority in Priority::ALL {
            vitals.set_priority(priority);
            assert_eq!((vitals.priority(), flags()), (priority, [true; 4]));
        }
        vitals.set_suspended(false);
        vitals.set_held_up(true);
        assert_eq!(flags(), [true; 4]);
        vitals.set_held_up(false);
        vitals.set_async_dist(false);
        assert_eq!((vitals.priority(), flags()), (Priority::Max, [true, false, true, false]));
    }
}
