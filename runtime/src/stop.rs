//! The stop of a node. Any thread and any process may ask for it, once or often; it is done once.
//!
//! | phase | what happens | who is told |
//! |---|---|---|
//! | `Runs` | | |
//! | `Asked` | the processes that wait in [`RunUntilStopped`] end by themselves, for some time | they are |
//! | `Ends` | connections are closed, processes are killed, threads end | |
//! | `Over` | | threads and futures elsewhere that wait |
//!
//! The thread that asks first takes the node through the phases, and others wait for it. A process
//! and a worker of the node can't wait for their own end: a thread is started for them.
//!
//! 1. The processes that wait for it are told, and have some time to end by themselves.
//! 2. Connections are closed, and no process is made any more.
//! 3. All processes are killed, until none is left or the time is over.
//! 4. The threads end. One that is in a process that never comes back is left behind.
//! 5. What processes there still are, are taken apart here.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::context;
use crate::exit_reason::ExitReason;
use crate::node::{Inner, Node};
use crate::pid::Pid;
use crate::process::{self, Ended, Start};
use crate::scheduler::is_worker_of;
use crate::signal::Signal;
use crate::sync::{AtomicBool, Condvar, Mutex, MutexGuard, Ordering, spawn_thread};

/// How long the processes that wait for the node's stop may take to end by themselves: as OTP's
/// supervisors wait for a worker.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// How long killed processes may take to end when a node stops.
const STOP_WAIT: Duration = Duration::from_secs(5);

/// How long no process has ended when a node that stops looks for others to kill.
const KILL_AGAIN: Duration = Duration::from_millis(50);

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
    pub(crate) fn finish(&self, all_ended: bool) {
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

impl Inner {
    /// Stops the node, and waits until it has stopped; does not wait on a thread of its own.
    pub(crate) fn stop(&self) -> bool {
        if self.own_process().is_some() || is_worker_of(&self.scheduler) {
            self.begin_stop();
            return false;
        }
        if self.scheduler.by_steps().is_some() {
            return self.stop_now();
        }
        loop {
            if self.stop.take_on() {
                return self.stop_here();
            }
            if let Some(all_ended) = self.stop.wait() {
                return all_ended;
            }
        }
    }

    /// Stops the node on a thread of its own.
    pub(crate) fn begin_stop(&self) {
        if !self.stop.take_on() {
            return;
        }
        if self.scheduler.by_steps().is_some() {
            return self.begin_stop_by_steps();
        }
        if let Some(this) = self.this.upgrade() {
            let name = format!("{} stop", self.name().alive());
            let Err(error) = spawn_thread(name, move || _ = this.stop_here()) else { return };
            process::report(|| tracing::error!(%error, "no thread can be started to stop a node"));
        }
        self.close();
        self.kill_all();
        self.stop.give_up();
    }

    /// Stops a node without threads: the last process kills the others. What is left is its
    /// owner's to end.
    fn begin_stop_by_steps(&self) {
        let told = self.stop.go_to(Phase::Asked);
        let node = self.handle();
        let last = async move {
            let all = async {
                for pid in told {
                    Ended::of(pid).await;
                }
            };
            let _ = process::timeout(STOP_GRACE, all).await;
            node.inner().close();
            node.inner().kill_all();
        };
        let start = Start::new(None, Location::caller());
        if process::start(self, start, last, |_| ()).is_none() {
            self.close();
            self.kill_all();
        }
    }

    /// Takes the node to its end, on this thread.
    fn stop_here(&self) -> bool {
        // 1.
        let told = self.stop.go_to(Phase::Asked);
        let deadline = self.env.now() + STOP_GRACE;
        let mut state = self.stop.lock();
        let are_alive = || told.iter().any(|pid| self.is_alive(*pid));
        while are_alive() && self.env.now() < deadline {
            self.stop.wait_for_end(&mut state, KILL_AGAIN);
        }
        drop(state);
        // 2.
        self.close();
        self.stop_now()
    }

    /// Closes the connections.
    fn close(&self) {
        if let Some(carrier) = self.carrier.get() {
            carrier.halt();
        }
        self.stop.go_to(Phase::Ends);
    }

    fn kill_all(&self) {
        for slot in self.table.live() {
            let pid = Pid::new(self.id, slot.id());
            let reason = ExitReason::Kill;
            self.deliver(pid, Signal::Exit { from: pid, reason, by_link: false });
        }
    }

    /// Ends the node at once, as it is.
    pub(crate) fn stop_now(&self) -> bool {
        self.stop.go_to(Phase::Ends);
        // 3.
        let mut state = self.stop.lock();
        self.kill_all();
        let deadline = self.env.now() + STOP_WAIT;
        // Without threads, there is nobody to wait for.
        let has_threads = self.scheduler.by_steps().is_none();
        while has_threads && self.table.len() > 0 && self.env.now() < deadline {
            // A process that was being made at the first look is there at the next.
            if !self.stop.wait_for_end(&mut state, KILL_AGAIN) {
                self.kill_all();
            }
        }
        drop(state);
        // 4.
        self.blocking.stop();
        let ended = self.scheduler.stop(false);
        // 5. Only if no worker is left: one that is may be in any of them.
        if ended {
            context::enter_node(self, || {
                for slot in self.table.live() {
                    process::end(self, slot, false);
                }
            });
        }
        self.stop.finish(ended);
        ended
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
