//! The records that a node keeps of its behaviour processes: their ancestors, and the callbacks
//! that they run.
//!
//! A process writes its own record without a lock, and other processes read it. So a caller whose
//! request timed out can find out what the server does, although the busy server would not answer.
//! The records are an extension of the node.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use crossbeam_utils::atomic::AtomicCell;
use fika_runtime::{Node, Pid};
use parking_lot::Mutex;

/// How many ancestors are kept.
const ANCESTORS_MAX: usize = 64;

/// A place in a behaviour's code, for reports.
pub(crate) struct Work {
    /// The kind of the callback.
    pub(crate) callback: &'static str,
    /// Returns the name of the request's type.
    pub(crate) request: fn() -> &'static str,
}

/// Why a process ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// It has done its work.
    Done,
    /// It has failed, for this reason.
    Failed(String),
}

/// The record of one behaviour process.
#[doc(hidden)]
pub struct Behaviour {
    pub(crate) pid: Pid,
    /// The name of the Rust type that is the behaviour's module.
    pub(crate) module: &'static str,
    /// The pids of the process that started this one, of the process that started that one, and so
    /// on.
    ancestors: Arc<[Pid]>,
    /// Its own pid and its ancestors, for the processes that it starts.
    lineage: OnceLock<Arc<[Pid]>>,
    /// The last callback that has begun.
    work: AtomicCell<Option<&'static Work>>,
    /// Twice the number of callbacks that have begun, and one more while a callback runs.
    turns: AtomicU64,
    /// Why the process ends, if there is more to say than its exit reason.
    verdict: OnceLock<Verdict>,
    /// The callers that wait for replies which the server will give later, and how many of them.
    deferred: Mutex<HashMap<Pid, u32>>,
    /// The calls to this process that have waited for long, in their order, and how many of them.
    waiters: Mutex<Vec<Arc<Waiter>>>,
    waiting: AtomicUsize,
}

/// A call that has waited for long.
struct Waiter {
    caller: Pid,
    is_answered: AtomicBool,
}

/// A call that is in the record of its server until this is dropped.
pub(crate) struct LongWait {
    server: Arc<Behaviour>,
    waiter: Arc<Waiter>,
}

impl LongWait {
    /// Enters a call of this caller.
    pub(crate) fn new(server: Arc<Behaviour>, caller: Pid) -> LongWait {
        let waiter = Arc::new(Waiter { caller, is_answered: AtomicBool::new(false) });
        server.waiters.lock().push(waiter.clone());
        server.waiting.fetch_add(1, Ordering::SeqCst);
        LongWait { server, waiter }
    }

    /// Returns whether the server has replied, although the caller has not seen it yet.
    pub(crate) fn is_answered(&self) -> bool {
        self.waiter.is_answered.load(Ordering::SeqCst)
    }
}

impl Drop for LongWait {
    fn drop(&mut self) {
        self.server.waiting.fetch_sub(1, Ordering::SeqCst);
        self.server.waiters.lock().retain(|waiter| !Arc::ptr_eq(waiter, &self.waiter));
    }
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
        let ancestors = match (parent, starter) {
            (Some(parent), _) => parent.lineage(),
            (None, Some(starter)) => [starter].into(),
            (None, None) => [].into(),
        };
        Behaviour::with(pid, module, ancestors)
    }

    fn with(pid: Pid, module: &'static str, ancestors: Arc<[Pid]>) -> Arc<Behaviour> {
        Arc::new(Behaviour {
            pid,
            module,
            ancestors,
            lineage: OnceLock::new(),
            work: AtomicCell::new(None),
            turns: AtomicU64::new(0),
            verdict: OnceLock::new(),
            deferred: Mutex::default(),
            waiters: Mutex::default(),
            waiting: AtomicUsize::new(0),
        })
    }

    /// Returns the record of this process as a behaviour of another module.
    pub(crate) fn becomes(&self, module: &'static str) -> Arc<Behaviour> {
        Behaviour::with(self.pid, module, self.ancestors.clone())
    }

    fn lineage(&self) -> Arc<[Pid]> {
        let make = || {
            let own = [self.pid].into_iter();
            own.chain(self.ancestors.iter().copied()).take(ANCESTORS_MAX).collect()
        };
        self.lineage.get_or_init(make).clone()
    }

    /// Returns the pids of the process that started this one, of the process that started that one,
    /// and so on, up to the first process that is not a behaviour.
    pub(crate) fn ancestors(&self) -> Vec<Pid> {
        self.ancestors.to_vec()
    }

    /// Returns the process that waits until this one has started.
    pub(crate) fn awaited_by(&self) -> Option<Pid> {
        let starts = self.now().0.is_some_and(|work| work.callback == "init");
        starts.then(|| self.ancestors.first().copied()).flatten()
    }

    pub(crate) fn begins(&self, work: &'static Work) {
        // A store costs more than a load, and most callbacks of a server are alike.
        if !self.work.load().is_some_and(|last| std::ptr::eq(last, work)) {
            self.work.store(Some(work));
        }
        let turns = self.turns.load(Ordering::Relaxed) | 1;
        self.turns.store(turns + 2, Ordering::Release);
    }

    pub(crate) fn rests(&self) {
        let turns = self.turns.load(Ordering::Relaxed) & !1;
        self.turns.store(turns, Ordering::Release);
    }

    /// Returns the callback that runs, and how many have begun.
    pub(crate) fn now(&self) -> (Option<&'static Work>, u64) {
        let turns = self.turns.load(Ordering::Acquire);
        (self.work.load().filter(|_| turns % 2 == 1), turns / 2)
    }

    /// Notes why the process ends. The first reason stays.
    pub(crate) fn ends(&self, verdict: Verdict) {
        let _ = self.verdict.set(verdict);
    }

    pub(crate) fn verdict(&self) -> Option<&Verdict> {
        self.verdict.get()
    }

    pub(crate) fn defer(&self, caller: Pid) {
        *self.deferred.lock().entry(caller).or_default() += 1;
    }

    pub(crate) fn undefer(&self, caller: Pid) {
        if let Entry::Occupied(mut count) = self.deferred.lock().entry(caller) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }

    /// Notes that a reply was given to this caller. The server takes its requests in their order, so
    /// it is the caller's first one that has none. Costs little if no call has waited for long.
    pub(crate) fn answered(&self, caller: Pid) {
        if self.waiting.load(Ordering::SeqCst) > 0 {
            let waiters = self.waiters.lock();
            let mut its = waiters.iter().filter(|waiter| waiter.caller == caller);
            its.find(|waiter| !waiter.is_answered.swap(true, Ordering::SeqCst));
        }
    }

    pub(crate) fn has_deferred(&self, caller: Pid) -> bool {
        self.deferred.lock().contains_key(&caller)
    }
}

const SHARDS: usize = 16;

/// The records of a node, in shards so that processes rarely wait for the same lock.
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

/// Returns the record of a process, if the process runs and is a behaviour.
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
            let mut shard = directory.shard(self.behaviour.pid).lock();
            // The process may have become another behaviour.
            let is_own = |found: &Arc<Behaviour>| Arc::ptr_eq(found, &self.behaviour);
            let own = shard.get(&self.behaviour.pid).is_some_and(is_own);
            let removed = own.then(|| shard.remove(&self.behaviour.pid));
            drop(shard);
            drop(removed);
        }
    }
}
