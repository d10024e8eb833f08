//! The events of supervision trees, in the order in which they happened. `checks` judges them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use fika::node::Env;
use fika::prelude::*;
use fika::process::exit_reason;
use fika::supervisor::Restart;

/// The place of a child in the trees of all nodes: the names from its node down to the child. All
/// incarnations of a child have the same path.
pub(super) type Path = Arc<str>;

/// The limits of a supervisor's restarts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) intensity: usize,
    pub(super) period: Duration,
    /// Whether a restart also restarts siblings.
    pub(super) is_group: bool,
    /// Whether the end of a significant child ends the supervisor.
    pub(super) is_automatic: bool,
}

/// The cause of a start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Why {
    /// The first start of the child by this supervisor.
    First,
    /// The supervisor restarts the child.
    Restart,
    /// The supervisor restarts the child, or performs a call of `restart_child`.
    Perhaps,
}

#[derive(Clone, Debug)]
pub(super) enum Event {
    SupBegins {
        sup: Pid,
        path: Path,
        parent: Pid,
        limits: Limits,
    },
    SupEnds {
        sup: Pid,
        reason: Option<ExitReason>,
    },
    /// A supervisor calls the start function of a child.
    Starts {
        sup: Pid,
        child: Path,
        why: Why,
    },
    /// The start function has returned the child's process.
    Started {
        pid: Pid,
    },
    /// The start function has failed.
    NotStarted {
        sup: Pid,
        child: Path,
    },
    /// The `init` of an incarnation of a child begins.
    Begins {
        pid: Pid,
        child: Path,
        sup: Pid,
    },
    /// The state of a child or of a client has been dropped.
    Ends {
        pid: Pid,
        reason: Option<ExitReason>,
    },
    Called {
        call: u64,
        client: Pid,
        limit: Duration,
    },
    Handled {
        call: u64,
    },
    Answered {
        call: u64,
        reply: Option<u64>,
        took: Duration,
    },
    /// From now on, the trees are ended from outside.
    Enough,
}

/// An event, with the time on the clock of its node.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) at: Duration,
    pub(super) event: Event,
}

/// A supervisor that lives.
#[derive(Clone)]
pub(super) struct Sup {
    pub(super) path: Path,
    pub(super) kind: SupKind,
}

#[derive(Clone)]
pub(super) enum SupKind {
    /// The ids of its children.
    Keyed(Vec<Path>),
    Dynamic,
    Simple,
}

/// The knowledge that the processes of a scenario share.
#[derive(Default)]
pub(super) struct Now {
    pub(super) entries: Vec<Entry>,
    pub(super) is_calm: bool,
    /// The top supervisor of each node.
    pub(super) tops: BTreeMap<usize, Pid>,
    pub(super) sups: BTreeMap<Pid, Sup>,
    pub(super) leaves: BTreeMap<Pid, Path>,
    pub(super) restarts: BTreeMap<Path, Restart>,
    /// The children about which calls of `restart_child` have no answer, and how many.
    pub(super) by_hand: BTreeMap<Path, u32>,
    /// The supervisors of which children were ended by `terminate_child`.
    pub(super) touched: BTreeSet<Pid>,
    serial: u64,
}

/// Records the events of a scenario. All clones record to the same list.
#[derive(Clone, Default)]
pub(super) struct Record(Arc<Mutex<Now>>);

impl Record {
    pub(super) fn now(&self) -> MutexGuard<'_, Now> {
        self.0.lock().expect("nothing panics while it holds the lock")
    }

    /// Returns a number that no earlier call has returned.
    pub(super) fn serial(&self) -> u64 {
        let mut now = self.now();
        now.serial += 1;
        now.serial
    }

    pub(super) fn add(&self, event: Event) {
        self.add_at(time(), event);
    }

    pub(super) fn add_at(&self, at: Duration, event: Event) {
        let mut now = self.now();
        match &event {
            Event::SupEnds { sup, .. } => {
                now.sups.remove(sup);
            }
            Event::Begins { pid, child, .. } => {
                now.leaves.insert(*pid, child.clone());
            }
            Event::Ends { pid, .. } => {
                now.leaves.remove(pid);
            }
            _ => {}
        }
        now.entries.push(Entry { at, event });
    }

    pub(super) fn sup_begins(&self, path: &Path, parent: Pid, limits: Limits, kind: SupKind) {
        let sup = self_pid();
        self.now().sups.insert(sup, Sup { path: path.clone(), kind });
        self.add(Event::SupBegins { sup, path: path.clone(), parent, limits });
    }

    /// Records that the running process is an incarnation of a child, and later its end.
    pub(super) fn begins(&self, child: &Path, sup: Pid) -> Life {
        self.add(Event::Begins { pid: self_pid(), child: child.clone(), sup });
        self.lives(false)
    }

    /// Records the end of the running process.
    pub(super) fn lives(&self, is_sup: bool) -> Life {
        let env = self_node().env().clone();
        Life { record: self.clone(), pid: self_pid(), env, is_sup }
    }
}

/// Records the end of its process, when it is dropped.
pub(super) struct Life {
    record: Record,
    pid: Pid,
    env: Arc<dyn Env>,
    is_sup: bool,
}

impl Drop for Life {
    fn drop(&mut self) {
        let (pid, reason) = (self.pid, exit_reason());
        let event = match self.is_sup {
            true => Event::SupEnds { sup: pid, reason },
            false => Event::Ends { pid, reason },
        };
        self.record.add_at(self.env.now().since_start(), event);
    }
}

/// Returns the time on the clock of the running process's node.
pub(super) fn time() -> Duration {
    self_node().env().now().since_start()
}
