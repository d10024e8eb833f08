//! The processes that a process has suspended, and the processes that have suspended it.

use std::collections::{BTreeMap, BTreeSet};

use crate::oneshot::Answer;
use crate::pid::Pid;

/// Suspensions, as one process sees them.
#[derive(Default)]
pub(in crate::process) struct Suspensions {
    /// The processes that this process has suspended, and how many times.
    suspends: BTreeMap<Pid, usize>,
    /// The processes that have suspended this process.
    suspenders: BTreeSet<Pid>,
    /// Suspenders that wait until this process, which is in the middle of a turn, has stopped.
    waiting: Vec<Answer<()>>,
}

impl Suspensions {
    pub(in crate::process) fn is_empty(&self) -> bool {
        self.suspends.is_empty() && self.suspenders.is_empty() && self.waiting.is_empty()
    }

    pub(in crate::process) fn suspenders(&self) -> Vec<Pid> {
        self.suspenders.iter().copied().collect()
    }

    /// Records that this process suspends `pid` once more.
    pub(in crate::process) fn suspend(&mut self, pid: Pid) {
        *self.suspends.entry(pid).or_default() += 1;
    }

    /// Takes back one suspension of `pid` by this process. Returns how many are left, or `None` if
    /// there was none.
    pub(in crate::process) fn resume(&mut self, pid: Pid) -> Option<usize> {
        let count = self.suspends.get_mut(&pid)?;
        *count -= 1;
        let left = *count;
        if left == 0 {
            self.suspends.remove(&pid);
        }
        Some(left)
    }

    /// Records that `pid` suspends this process. `waiting` is its answer if this process has not
    /// stopped yet.
    pub(in crate::process) fn suspended_by(&mut self, pid: Pid, waiting: Option<Answer<()>>) {
        self.suspenders.insert(pid);
        self.waiting.extend(waiting);
    }

    /// Records that `pid` resumes this process. Returns whether this process may continue.
    pub(in crate::process) fn resumed_by(&mut self, pid: Pid) -> bool {
        self.suspenders.remove(&pid);
        self.suspenders.is_empty()
    }

    /// Takes out the suspenders that wait until this process has stopped.
    pub(super) fn take_waiting(&mut self) -> Vec<Answer<()>> {
        std::mem::take(&mut self.waiting)
    }

    /// Forgets a process that this process has suspended, and that has ended.
    pub(super) fn forget(&mut self, pid: Pid) {
        self.suspends.remove(&pid);
    }

    /// Returns the processes that an ending process has suspended, and the processes that have
    /// suspended it. Waiting suspenders get no answer.
    pub(in crate::process) fn end(self) -> (impl Iterator<Item = Pid>, BTreeSet<Pid>) {
        (self.suspends.into_keys(), self.suspenders)
    }
}
