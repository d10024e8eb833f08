//! What a node knows of each of its behaviour processes: its ancestors, and what it does now.
//!
//! A process writes its own record, without a lock, and others read it: a caller whose request was
//! not answered in time can't ask a server that is busy. The records are an extension of the node.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_utils::atomic::AtomicCell;
use fika_runtime::{Node, Pid};
use parking_lot::Mutex;

/// A place in a behaviour's code, for reports.
pub(crate) struct Work {
    /// The kind of the callback.
    pub(crate) callback: &'static str,
    /// Returns the name of the request's type.
    pub(crate) request: fn() -> &'static str,
}

/// The record of one behaviour process.
#[doc(hidden)]
pub struct Behaviour {
    pub(crate) pid: Pid,
    /// The name of the Rust type that is the behaviour's module.
    pub(crate) module: &'static str,
    /// The process that started it, if that is not a behaviour.
    pub(crate) starter: Option<Pid>,
    /// The record of the behaviour that started it.
    pub(crate) parent: Option<Arc<Behaviour>>,
    /// The callback that runs.
    work: AtomicCell<Option<&'static Work>>,
    /// The callbacks that have begun.
    begun: AtomicU64,
    /// The callers that wait for a reply which the server will give later.
    deferred: Mutex<HashSet<Pid>>,
}

impl fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Behaviour({}, {})", self.pid, self.module)
    }
}

impl Behaviour {
    pub(crate) fn new(
        pid: Pid,
        module: &'static str,
        starter: Option<Pid>,
        node: &Node,
    ) -> Arc<Behaviour> {
        let parent = starter.and_then(|starter| of(node, starter));
        let starter = starter.filter(|_| parent.is_none());
        let (begun, deferred) = Default::default();
        Arc::new(Behaviour {
            pid,
            module,
            starter,
            parent,
            work: AtomicCell::new(None),
            begun,
            deferred,
        })
    }

    /// Returns the pids of the parent, its parent, and so on, as far as they are behaviours, and of
    /// the process that started the first of them.
    pub(crate) fn ancestors(&self) -> Vec<Pid> {
        let mut ancestors = Vec::new();
        let mut at = self;
        while let Some(parent) = &at.parent {
            ancestors.push(parent.pid);
            at = parent;
        }
        ancestors.extend(at.starter);
        ancestors
    }

    pub(crate) fn begins(&self, work: &'static Work) {
        self.work.store(Some(work));
        self.begun.store(self.begun.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    pub(crate) fn rests(&self) {
        self.work.store(None);
    }

    /// Returns the callback that runs, and how many have begun.
    pub(crate) fn now(&self) -> (Option<&'static Work>, u64) {
        (self.work.load(), self.begun.load(Ordering::Relaxed))
    }

    pub(crate) fn defer(&self, caller: Pid) {
        self.deferred.lock().insert(caller);
    }

    pub(crate) fn undefer(&self, caller: Pid) {
        self.deferred.lock().remove(&caller);
    }

    pub(crate) fn has_deferred(&self, caller: Pid) -> bool {
        self.deferred.lock().contains(&caller)
    }
}

const SHARDS: usize = 16;

/// The records of a node, in shards so that processes rarely meet.
#[derive(Default)]
struct Directory {
    hasher: RandomState,
    shards: [Mutex<HashMap<Pid, Arc<Behaviour>>>; SHARDS],
}

impl Directory {
    fn shard(&self, pid: Pid) -> &Mutex<HashMap<Pid, Arc<Behaviour>>> {
        &self.shards[self.hasher.hash_one(pid) as usize % SHARDS]
    }
}

/// Returns the record of a process, if it is a behaviour that runs.
pub(crate) fn of(node: &Node, pid: Pid) -> Option<Arc<Behaviour>> {
    node.extension::<Directory>()?.shard(pid).lock().get(&pid).cloned()
}

/// A record that is in the directory until this is dropped.
pub(crate) struct Listed {
    node: Node,
    pub(crate) behaviour: Arc<Behaviour>,
}

impl Listed {
    pub(crate) fn new(node: Node, behaviour: Arc<Behaviour>) -> Listed {
        let directory = node.extension_or_init(Directory::default);
        directory.shard(behaviour.pid).lock().insert(behaviour.pid, behaviour.clone());
        Listed { node, behaviour }
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        if let Some(directory) = self.node.extension::<Directory>() {
            let removed = directory.shard(self.behaviour.pid).lock().remove(&self.behaviour.pid);
            drop(removed);
        }
    }
}
