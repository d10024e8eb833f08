//! The stop of a node. Any thread and any process may ask for it, once or often; it is done once.
//!
//! | phase | what happens | who is told |
//! |---|---|---|
//! | `Runs` | | |
//! | `Asked` | the processes that wait in [`RunUntilStopped`] end by themselves, for some time | they are |
//! | `Ends` | connections are closed, processes are killed, threads end | |
//! | `Over` | | threads and futures elsewhere that wait |
//!
//! The thread that asks first takes the node through the phases (`node` says how), and others wait
//! for it. A process and a worker of the node can't wait for their own end: a thread is started
//! for them.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::context;
use crate::node::Node;
use crate::pid::Pid;
use crate::sync::{AtomicBool, Condvar, Mutex, MutexGuard, Ordering};

/// How far a node has come on its way to its end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) enum Phase {
    #[default]
    Runs,
    Asked,
    Ends,
    Over,
}

/// Where a node is on its way to its end, and who waits for what.
#[derive(Default)]
pub(crate) struct Stop {
    state: Mutex<State>,
    changed: Condvar,
    /// No process is made any more.
    ends: AtomicBool,
    /// The stop was asked for, and the ends of processes are waited for.
    asked: AtomicBool,
}

#[derive(Default)]
pub(crate) struct State {
    phase: Phase,
    /// A thread takes the node to its end.
    has_thread: bool,
    /// All threads have ended.
    all_ended: bool,
    /// Futures that wait: which process of the node waits, if one does.
    waiting: BTreeMap<u64, (Option<Pid>, Waker)>,
    /// Numbers the futures.
    futures: u64,
}

impl Stop {
    /// Whether processes are made no more.
    pub(crate) fn ends(&self) -> bool {
        self.ends.load(Ordering::Relaxed)
    }

    /// Whether the stop has been asked for.
    pub(crate) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// The calling thread is to take the node to its end; false if another one does or has.
    pub(crate) fn take_on(&self) -> bool {
        let mut state = self.state.lock();
        let is_free = !state.has_thread && state.phase < Phase::Over;
        state.has_thread |= is_free;
        is_free
    }

    /// No thread takes the node to its end after all.
    pub(crate) fn give_up(&self) {
        self.state.lock().has_thread = false;
        self.changed.notify_all();
    }

    /// Goes on to a phase, and wakes the futures that wait for it; gives the processes among
    /// these.
    pub(crate) fn go_to(&self, phase: Phase) -> Vec<Pid> {
        let mut state = self.state.lock();
        state.phase = state.phase.max(phase);
        self.asked.store(true, Ordering::SeqCst);
        if phase >= Phase::Ends {
            self.ends.store(true, Ordering::SeqCst);
        }
        let is_told =
            |_: &u64, of: &mut (Option<Pid>, Waker)| of.0.is_some() || phase == Phase::Over;
        let told: Vec<_> = state.waiting.extract_if(.., is_told).map(|(_, told)| told).collect();
        drop(state);
        let mut pids = Vec::new();
        for (pid, waker) in told {
            pids.extend(pid);
            waker.wake();
        }
        pids
    }

    /// The node has come to its end.
    pub(crate) fn is_over(&self, all_ended: bool) {
        self.state.lock().all_ended = all_ended;
        self.go_to(Phase::Over);
        self.give_up();
    }

    /// Waits until the node has come to its end; says whether all threads have ended. None where
    /// the thread that was at it gave it up.
    pub(crate) fn wait(&self) -> Option<bool> {
        let mut state = self.state.lock();
        while state.has_thread && state.phase < Phase::Over {
            self.changed.wait(&mut state);
        }
        (state.phase == Phase::Over).then_some(state.all_ended)
    }

    /// Waits for the end, whoever asks for it.
    fn wait_for_over(&self) {
        let mut state = self.state.lock();
        while state.phase < Phase::Over {
            self.changed.wait(&mut state);
        }
    }

    /// Nothing that is told by `changed` is missed while this is held.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Waits for another process to end, no longer than the limit; true if one may have.
    pub(crate) fn wait_for_end(&self, state: &mut MutexGuard<'_, State>, limit: Duration) -> bool {
        !self.changed.wait_for(state, limit).timed_out()
    }

    /// A process has ended, and its slot is free.
    pub(crate) fn process_ended(&self) {
        if self.asked.load(Ordering::Relaxed) {
            drop(self.state.lock());
            self.changed.notify_all();
        }
    }
}

/// Waits until a node stops, as [`Node::run_until_stopped`] returns it.
#[must_use = "futures do nothing unless you `.await` or poll them; threads call `wait`"]
pub struct RunUntilStopped {
    node: Node,
    key: Option<u64>,
}

impl RunUntilStopped {
    pub(crate) fn new(node: Node) -> RunUntilStopped {
        RunUntilStopped { node, key: None }
    }

    /// Blocks the calling thread until the node has stopped.
    ///
    /// # Panics
    /// Inside a process of the node, which is to be awaited there.
    #[track_caller]
    pub fn wait(self) {
        assert!(
            self.node.inner().own_process().is_none(),
            "`wait` would block the worker of a process: await the future instead"
        );
        self.node.inner().stop.wait_for_over();
    }
}

impl Future for RunUntilStopped {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let inner = this.node.inner();
        let process = inner.own_process();
        let awaited = if process.is_some() { Phase::Asked } else { Phase::Over };
        if context::try_process(|me| me.is_dropped()).unwrap_or(false) {
            return Poll::Ready(());
        }
        let mut state = inner.stop.state.lock();
        if state.phase >= awaited {
            return Poll::Ready(());
        }
        let key = *this.key.get_or_insert_with(|| {
            state.futures += 1;
            state.futures
        });
        let before = state.waiting.insert(key, (process, context.waker().clone()));
        drop(state);
        drop(before);
        Poll::Pending
    }
}

impl Drop for RunUntilStopped {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            let left = self.node.inner().stop.state.lock().waiting.remove(&key);
            drop(left);
        }
    }
}

impl fmt::Debug for RunUntilStopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RunUntilStopped({:?})", self.node)
    }
}
