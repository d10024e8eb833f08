//! The children of a supervisor, found by key, id and pid. An operation on one child costs as much
//! with a million children as with a few. Only what concerns many children puts them in order.

use std::collections::HashMap;

use fika_runtime::{ExitReason, Pid, Reference};
use foldhash::fast::RandomState;

use crate::supervisor::spec::backoff::Failures;
use crate::supervisor::spec::child_spec::{
    ChildCount, ChildId, ChildInfo, ChildOpts, ChildState, ChildType,
};
use crate::supervisor::spec::starter::StartFn;

/// The number of a child. Later children have larger numbers, and a number is never used again.
pub(super) type Key = u64;

pub(super) struct Child {
    pub(super) id: Option<ChildId>,
    /// `None` while the child is being started, and for a temporary child after its start.
    pub(super) start: Option<StartFn>,
    pub(super) opts: ChildOpts,
    pub(super) failures: Option<Box<Failures>>,
    pub(super) restarts: u64,
    /// Its last process.
    last: Option<Pid>,
    /// Its last process and exit reason, while its end waits for the end of a plan.
    pub(super) unhandled: Option<Box<(Pid, ExitReason)>>,
    state: State,
}

/// The state of a child.
pub(super) enum State {
    /// It is being started for the first time, or restarted.
    Starting {
        again: bool,
    },
    Running(Pid),
    /// Its process is about to end, or has ended. The `Down` of the monitor tells when it has
    /// ended.
    Ending(Pid, Box<Ending>),
    /// Its restart is put off. The token is another one each time.
    Restarting {
        token: u64,
    },
    Stopped,
}

/// The end of a child that is waited for.
pub(super) struct Ending {
    pub(super) monitor: Reference,
    /// The reason of the exit signal that has come over the link.
    pub(super) seen: Option<ExitReason>,
    /// Whether the supervisor has asked the child to end.
    pub(super) asked: bool,
    /// Identifies the time limit of this end.
    pub(super) token: u64,
}

/// The children. The order of their keys is the order of their specifications.
#[derive(Default)]
pub(super) struct Children {
    children: HashMap<Key, Child, RandomState>,
    ids: HashMap<ChildId, Key>,
    pids: HashMap<Pid, Key, RandomState>,
    monitors: HashMap<Reference, Key, RandomState>,
    next: Key,
    count: ChildCount,
    /// The significant children that run or will.
    significant: usize,
}

impl Children {
    /// Adds a child that does not run.
    pub(super) fn add(&mut self, id: Option<ChildId>, start: StartFn, opts: ChildOpts) -> Key {
        let key = self.next;
        self.next += 1;
        if let Some(id) = &id {
            self.ids.insert(id.clone(), key);
        }
        self.count.specs += 1;
        *self.of_kind(opts.kind) += 1;
        let failures = opts.backoff.map(|backoff| Box::new(Failures::new(backoff)));
        let start = Some(start);
        let (restarts, last, unhandled, state) = (0, None, None, State::Stopped);
        let child = Child { id, start, opts, failures, restarts, last, unhandled, state };
        self.children.insert(key, child);
        key
    }

    fn of_kind(&mut self, kind: ChildType) -> &mut usize {
        match kind {
            ChildType::Worker => &mut self.count.workers,
            ChildType::Supervisor => &mut self.count.supervisors,
        }
    }

    pub(super) fn remove(&mut self, key: Key) {
        self.set_state(key, State::Stopped);
        let Some(child) = self.children.remove(&key) else { return };
        if let Some(id) = &child.id {
            self.ids.remove(id);
        }
        self.count.specs -= 1;
        *self.of_kind(child.opts.kind) -= 1;
    }

    /// Sets the state, and updates the maps and the counts. Returns the old state.
    pub(super) fn set_state(&mut self, key: Key, state: State) -> Option<State> {
        let child = self.children.get_mut(&key)?;
        match &child.state {
            State::Running(pid) => {
                self.pids.remove(pid);
                self.count.active -= 1;
            }
            State::Ending(pid, ending) => {
                self.pids.remove(pid);
                self.monitors.remove(&ending.monitor);
                self.count.active -= 1;
            }
            State::Restarting { .. } => {
                child.last.and_then(|last| self.pids.remove(&last));
            }
            State::Starting { .. } | State::Stopped => {}
        }
        match &state {
            State::Running(pid) => {
                child.last = Some(*pid);
                self.pids.insert(*pid, key);
                self.count.active += 1;
            }
            State::Ending(pid, ending) => {
                self.pids.insert(*pid, key);
                self.monitors.insert(ending.monitor, key);
                self.count.active += 1;
            }
            // A child without an id is known by its last process.
            State::Restarting { .. } => {
                child.last.and_then(|last| self.pids.insert(last, key));
            }
            State::Starting { .. } | State::Stopped => {}
        }
        if child.opts.significant {
            let runs = |state: &State| usize::from(!matches!(state, State::Stopped));
            self.significant = self.significant + runs(&state) - runs(&child.state);
        }
        child.unhandled = None;
        Some(std::mem::replace(&mut child.state, state))
    }

    pub(super) fn get(&self, key: Key) -> Option<&Child> {
        self.children.get(&key)
    }

    /// Returns a child, to change anything but its state.
    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Child> {
        self.children.get_mut(&key)
    }

    /// Returns the state of a child. `None` if the child was removed.
    pub(super) fn state(&self, key: Key) -> Option<&State> {
        self.children.get(&key).map(|child| &child.state)
    }

    pub(super) fn ending_mut(&mut self, key: Key) -> Option<&mut Ending> {
        match &mut self.children.get_mut(&key)?.state {
            State::Ending(_, ending) => Some(ending),
            _ => None,
        }
    }

    pub(super) fn by_id(&self, id: &ChildId) -> Option<Key> {
        self.ids.get(id).copied()
    }

    /// Returns the child that this process is, or was until its restart was put off.
    pub(super) fn by_pid(&self, pid: Pid) -> Option<Key> {
        self.pids.get(&pid).copied()
    }

    /// Returns the child that this process is.
    pub(super) fn running(&self, pid: Pid) -> Option<Key> {
        let is_over = |key: &Key| matches!(self.state(*key), Some(State::Restarting { .. }));
        self.by_pid(pid).filter(|key| !is_over(key))
    }

    pub(super) fn by_monitor(&self, monitor: Reference) -> Option<Key> {
        self.monitors.get(&monitor).copied()
    }

    /// Returns the children for whose keys `wanted` returns true, in their order.
    pub(super) fn keys(&self, wanted: impl Fn(Key) -> bool) -> Vec<Key> {
        let mut keys: Vec<Key> = self.children.keys().copied().filter(|key| wanted(*key)).collect();
        keys.sort_unstable();
        keys
    }

    pub(super) fn count(&self) -> ChildCount {
        self.count
    }

    /// Returns how many significant children run or will.
    pub(super) fn significant(&self) -> usize {
        self.significant
    }

    /// Lists the children, the newest first.
    pub(super) fn list(&self) -> Vec<ChildInfo> {
        let newest = self.keys(|_| true).into_iter().rev();
        newest.filter_map(|key| self.children.get(&key)).map(Child::info).collect()
    }
}

impl Child {
    fn info(&self) -> ChildInfo {
        let child = match &self.state {
            State::Running(pid) | State::Ending(pid, _) => ChildState::Running(*pid),
            State::Starting { again: false } => ChildState::Starting,
            State::Starting { again: true } | State::Restarting { .. } => ChildState::Restarting,
            State::Stopped => ChildState::Stopped,
        };
        ChildInfo { id: self.id.clone(), child, kind: self.opts.kind, restarts: self.restarts }
    }
}
