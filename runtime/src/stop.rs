//! Stopping a node. Any thread and any process may request the stop, any number of times; the node
//! stops once.
//!
//! | phase | what happens | who is notified |
//! |---|---|---|
//! | `Runs` | | |
//! | `Asked` | the processes that wait in [`RunUntilStopped`] have some time to end by themselves | these processes |
//! | `Ends` | connections are closed, processes are killed, threads end | |
//! | `Over` | | waiting threads, and waiting futures of other executors |
//!
//! The first thread that requests the stop takes the node through the phases. Other threads wait
//! for it. A process or a thread of the node can't wait for its own end, so a separate thread is
//! started. Code that runs on the thread that stops the node, such as a destructor, does not wait
//! either.
//!
//! A node without threads is stopped by the steps of its owner, since only the owner knows that no
//! process is being polled: `stop` begins the stop, and dropping the `Stepper` drops the rest.
//!
//! 1. The processes that wait for the stop are notified, and have some time to end by themselves.
//!    Then the services of the node are stopped, the last one first.
//! 2. Connections are closed. No new processes are made, and no blocking calls begin.
//! 3. All processes are killed. This waits until they have ended or the time limit has passed.
//! 4. The threads end. A thread whose process never yields is left behind.
//! 5. The remaining processes and the values of timers are dropped here.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::contain::wake;
use crate::context;
use crate::env::Time;
use crate::exit_reason::ExitReason;
use crate::node::{Inner, Node, stop_services, stop_services_here, thread_is_missing};
use crate::pid::Pid;
use crate::process::{self, Ended, NewProcess, Start};
use crate::report;
use crate::scheduler::is_worker_of;
use crate::signal::Signal;
use crate::sync::{AtomicBool, Condvar, Mutex, MutexGuard, Ordering, spawn_thread};

/// How long killed processes may take to end.
const STOP_WAIT: Duration = Duration::from_secs(5);

/// How long to wait for the end of a process before killing again, since processes may have been
/// added meanwhile.
const KILL_AGAIN: Duration = Duration::from_millis(50);

/// The progress of a node's stop.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) enum Phase {
    #[default]
    Runs,
    Asked,
    Ends,
    Over,
}

/// The progress of a node's stop, and the threads and futures that wait for it.
#[derive(Default)]
pub(crate) struct Stop {
    state: Mutex<State>,
    changed: Condvar,
    /// No new processes are made.
    ends: AtomicBool,
    /// A stop was requested, so the ends of processes are signalled.
    asked: AtomicBool,
}

#[derive(Default)]
pub(crate) struct State {
    phase: Phase,
    /// A thread is stopping the node.
    has_thread: bool,
    /// The time since which the system has refused the thread that is to stop the node.
    lacks_thread: Option<Time>,
    /// The notified processes, if the stop was begun without its thread.
    told: Vec<Pid>,
    /// All threads have ended.
    all_ended: bool,
    /// The futures that wait, each with its process if it runs in a process of this node.
    waiting: BTreeMap<u64, (Option<Pid>, Waker)>,
    /// The key of the next future.
    futures: u64,
}

impl Stop {
    /// Returns whether the node has stopped making processes. Sequentially consistent: see
    /// `Table::allocate`.
    pub(crate) fn ends(&self) -> bool {
        self.ends.load(Ordering::SeqCst)
    }

    pub(crate) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// Claims the stop for the calling thread. Returns false if another thread has claimed it, or
    /// the node has already stopped.
    pub(crate) fn take_on(&self) -> bool {
        let mut state = self.state.lock();
        let is_free = !state.has_thread && state.phase < Phase::Over;
        state.has_thread |= is_free;
        is_free
    }

    /// Releases the claim of [`take_on`](Stop::take_on) without having stopped the node.
    pub(crate) fn give_up(&self) {
        self.state.lock().has_thread = false;
        self.changed.notify_all();
    }

    /// Enters a phase, and wakes the futures that wait for it. Returns the processes whose futures
    /// were woken.
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
            wake(waker);
        }
        pids
    }

    pub(crate) fn finish(&self, all_ended: bool) {
        self.state.lock().all_ended = all_ended;
        self.go_to(Phase::Over);
        self.changed.notify_all();
    }

    /// Waits until the node has stopped, and returns whether all threads ended. `None` if the
    /// thread that was stopping the node gave up.
    pub(crate) fn wait(&self) -> Option<bool> {
        let mut state = self.state.lock();
        while state.has_thread && state.phase < Phase::Over {
            self.changed.wait(&mut state);
        }
        (state.phase == Phase::Over).then_some(state.all_ended)
    }

    /// Waits until the node has stopped, however long it takes until a stop is requested. Returns
    /// false if the stop was requested and no thread could be started for it: the caller has claimed
    /// the stop then.
    fn wait_for_over(&self) -> bool {
        let mut state = self.state.lock();
        while state.phase < Phase::Over {
            if state.lacks_thread.is_some() && !state.has_thread {
                (state.lacks_thread, state.has_thread) = (None, true);
                return false;
            }
            self.changed.wait(&mut state);
        }
        true
    }

    /// Locks the state. While the lock is held, no notification of `changed` is missed.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Waits until another process ends, or the limit passes. Returns true if a process may have
    /// ended.
    pub(crate) fn wait_for_end(&self, state: &mut MutexGuard<'_, State>, limit: Duration) -> bool {
        !self.changed.wait_for(state, limit).timed_out()
    }

    /// Returns how many futures wait for the stop.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.state.lock().waiting.len()
    }

    /// Signals that a process has ended and its slot is free.
    pub(crate) fn process_ended(&self) {
        if self.asked.load(Ordering::Relaxed) {
            drop(self.state.lock());
            self.changed.notify_all();
        }
    }
}

impl Inner {
    /// Stops the node and waits until it has stopped. Only begins the stop if the caller can't
    /// wait.
    pub(crate) fn stop(&self) -> bool {
        if self.is_entered() || self.scheduler.by_steps().is_some() {
            self.begin_stop();
            return false;
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

    /// Returns whether the calling thread works for the node: it runs one of the processes, is one
    /// of the node's threads, or stops the node.
    fn is_entered(&self) -> bool {
        let is_current = context::try_node(|node| std::ptr::eq(node, self)).unwrap_or(false);
        // The node's worker may work for another node now: a process may run a simulation.
        is_current || is_worker_of(&self.scheduler)
    }

    /// Stops the node on a thread of its own.
    pub(crate) fn begin_stop(&self) {
        if !self.stop.take_on() {
            return;
        }
        if self.scheduler.by_steps().is_some() {
            return self.begin_stop_by_steps();
        }
        if let Err(error) = self.start_stopping(self.env.now()) {
            report!(error, %error, "no thread can be started to stop a node: retrying");
            thread_is_missing(self);
        }
    }

    /// Starts the thread that stops the node; the stop is claimed. If the system refuses, the claim
    /// is released, and what waits for the stop is notified.
    fn start_stopping(&self, since: Time) -> io::Result<()> {
        let Some(this) = self.this.upgrade() else {
            // The node is being dropped, and no process is left that could request more.
            self.close();
            self.kill_all();
            self.stop.give_up();
            return Ok(());
        };
        let name = format!("{} stop", self.name().alive());
        let started = spawn_thread(name, move || _ = this.stop_here());
        if started.is_err() {
            let told = self.stop.go_to(Phase::Asked);
            let mut state = self.stop.state.lock();
            state.told.extend(told);
            state.lacks_thread = Some(since);
            drop(state);
            self.stop.give_up();
        }
        started
    }

    /// Retries to start the thread that stops the node. If there is none when the time of the
    /// notified processes is over, closes connections and kills processes here. Returns whether the
    /// system refuses the thread again.
    pub(crate) fn retry_stop(&self) -> bool {
        let Some(since) = self.stop.state.lock().lacks_thread.take() else { return false };
        if !self.stop.take_on() || self.start_stopping(since).is_ok() {
            return false;
        }
        if self.env.now().since(since) >= self.settings.shutdown_time {
            self.close();
            self.kill_all();
        }
        true
    }

    /// Stops a node without threads: a last process kills the others. The node's owner ends the
    /// rest.
    fn begin_stop_by_steps(&self) {
        let told = self.stop.go_to(Phase::Asked);
        let node = self.handle();
        let last = async move {
            let all = async {
                for pid in told {
                    Ended::of(pid).await;
                }
            };
            let _ = process::timeout(node.inner().settings.shutdown_time, all).await;
            stop_services_here(node.clone()).await;
            node.inner().close();
            node.inner().kill_all();
        };
        let start = Start::new(None, Location::caller());
        if process::start(self, start, NewProcess::of()(last), |_| ()).is_none() {
            self.close();
            self.kill_all();
        }
    }

    /// Stops the node on this thread, which has claimed the stop.
    fn stop_here(&self) -> bool {
        struct Claim<'a>(&'a Stop);
        impl Drop for Claim<'_> {
            fn drop(&mut self) {
                self.0.give_up();
            }
        }
        // Released even if a panic ends this thread, so that another thread can stop the node.
        let _claim = Claim(&self.stop);
        context::enter_node(self, || {
            // 1.
            let mut told = self.stop.go_to(Phase::Asked);
            let deadline = self.env.now() + self.settings.shutdown_time;
            let mut state = self.stop.lock();
            told.append(&mut state.told);
            let are_alive = || told.iter().any(|pid| self.is_alive(*pid));
            while are_alive() && self.env.now() < deadline {
                self.stop.wait_for_end(&mut state, KILL_AGAIN);
            }
            drop(state);
            stop_services(self);
            // 2.
            self.close();
            self.stop_now()
        })
    }

    fn close(&self) {
        if let Some(carrier) = self.carrier.get() {
            process::contain_call("closing the connections", || carrier.halt());
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

    /// Stops the node at once, without giving waiting processes time. The caller has claimed the
    /// stop, or owns the steps of a node without threads, and has entered the node.
    pub(crate) fn stop_now(&self) -> bool {
        self.stop.go_to(Phase::Ends);
        process::drop_each(self.threads.stop());
        // 3.
        let mut state = self.stop.lock();
        self.kill_all();
        let deadline = self.env.now() + STOP_WAIT;
        // Without threads, no process can end meanwhile.
        let has_threads = self.scheduler.by_steps().is_none();
        while has_threads && self.table.len() > 0 && self.env.now() < deadline {
            // Processes that were being made during the first kill are killed now.
            if !self.stop.wait_for_end(&mut state, KILL_AGAIN) {
                self.kill_all();
            }
        }
        drop(state);
        if let Some(left_out) = self.logs.crashes.take_left_out() {
            report!(error, left_out, "more processes ended by an error than were reported");
        }
        // 4.
        let ended = self.scheduler.stop(false);
        // 5. Only if no worker is left: a remaining worker may be running any of the processes.
        if ended {
            self.drop_rest();
        }
        self.stop.finish(ended);
        ended
    }

    /// Drops the remaining processes and the values of timers. No thread runs any of the processes,
    /// and the caller has entered the node.
    fn drop_rest(&self) {
        for slot in self.table.live() {
            process::end(self, slot);
        }
        self.drop_timers();
    }
}

/// Runs when the last handle of the node is dropped, and with it the last thread. Drops what a stop
/// has left behind because a process held its worker for too long.
impl Drop for Inner {
    fn drop(&mut self) {
        // In a model that has failed, this would only hide the failure.
        if !(cfg!(any(loom, shuttle)) && std::thread::panicking()) {
            context::enter_node(self, || self.drop_rest());
        }
    }
}

/// A future that waits until a node stops; returned by [`Node::run_until_stopped`].
///
/// ```
/// # use fika_runtime::Node;
/// let node = Node::builder().workers(1).build()?;
/// let stopper = node.clone();
/// std::thread::spawn(move || stopper.stop());
/// node.run_until_stopped().wait();
/// # Ok::<(), fika_runtime::BuildError>(())
/// ```
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
    /// Inside a process of the node; a process awaits the future instead.
    #[track_caller]
    pub fn wait(self) {
        assert!(
            self.node.inner().own_process().is_none(),
            "`wait` would block the worker of a process: await the future instead"
        );
        let inner = self.node.inner();
        while !inner.stop.wait_for_over() {
            inner.stop_here();
        }
    }
}

impl Future for RunUntilStopped {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let inner = this.node.inner();
        let process = inner.own_process();
        let awaited = if process.is_some() { Phase::Asked } else { Phase::Over };
        if process::is_in_destructor() {
            return Poll::Ready(());
        }
        // Cloned without the lock, since the waker may be of any executor.
        let waker = context.waker().clone();
        let mut state = inner.stop.state.lock();
        if state.phase >= awaited {
            return Poll::Ready(());
        }
        let key = *this.key.get_or_insert_with(|| {
            state.futures += 1;
            state.futures
        });
        let before = state.waiting.insert(key, (process, waker));
        drop(state);
        drop(before);
        Poll::Pending
    }
}

impl Drop for RunUntilStopped {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            let left = self.node.inner().stop.state.lock().waiting.remove(&key);
            process::contain(|| drop(left));
        }
    }
}

impl fmt::Debug for RunUntilStopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RunUntilStopped({:?})", self.node)
    }
}
