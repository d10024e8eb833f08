//! The work-stealing scheduler: which task a worker runs next, and where the worker waits.
//!
//! It knows no processes: a task is a number that a [`Runner`] can run.
//!
//! - Each worker has a queue and, before it, a slot for the task that was woken last. So two
//!   processes that talk to each other stay on one worker, in its cache.
//! - Work from other threads goes to the injector. A worker without work takes from the injector,
//!   then steals, then waits. One waiting worker is in the driver, where packets arrive and timers
//!   fall due. The others wait on their own.
//! - While other workers are busy, one idle worker looks for work for a short time before it
//!   sleeps.
//! - Tasks of other than normal priority have queues of their own; see `classes`.
//! - A monitor thread ensures that a task that never returns delays only itself; see `monitor`.
//!
//! Prior art: tokio's multi-thread scheduler, Go's `proc.go`, and their descriptions of the wake-up
//! protocol in `idle`.

mod balance;
mod blocking;
mod classes;
mod current;
mod driver;
mod host_thread;
mod idle;
#[cfg(all(test, loom))]
mod loom_tests;
mod monitor;
mod origin;
mod parker;
mod seat;
mod stepped;
mod worker;

pub use driver::Driver;

pub(crate) use blocking::{BLOCKING, BlockingPool, Job, LOOKUP, Urgency, is_blocking_thread};
pub(crate) use current::{is_overdue, is_worker_of, poll_driver_next, schedule, shard};
pub(crate) use monitor::Stuck;
pub(crate) use origin::Origin;
pub(crate) use parker::ThreadDriver;
pub(crate) use stepped::Ready;
pub(crate) use worker::Worker;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_deque::Steal;

use crate::env::Time;
use crate::priority::Priority;
use crate::sync::{
    AtomicBool, AtomicUsize, Condvar, Deque, Injector, Mutex, Ordering, RwLock, spawn_thread,
    spin_loop,
};
use classes::Classes;
use idle::Idle;
use monitor::Monitor;
use seat::Seat;
use stepped::Stepped;

/// How long `stop` waits for workers that are in the middle of a task.
const STOP_WAIT: Duration = Duration::from_secs(5);

/// The number of a task. It starts at 1, so that `Option<TaskId>` is as small.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TaskId(NonZeroU32);

impl TaskId {
    /// Returns the task with this index, which is below 2^32 - 1.
    pub(crate) fn of(index: u32) -> TaskId {
        TaskId(NonZeroU32::MIN.saturating_add(index))
    }

    pub(crate) fn index(self) -> u32 {
        self.0.get() - 1
    }
}

/// The functions that the scheduler needs from its user. All workers share one runner. A call only
/// panics because of a bug in the runtime or in a part that the node was built with; see
/// `UNSAFE.md`.
pub(crate) trait Runner: Send + Sync + 'static {
    /// Runs `work`, which is all that a thread of the scheduler does.
    fn enter(&self, work: &dyn Fn());
    /// Runs a task, and records in `origin` where the task was spawned. Returns a priority if the
    /// task is to run again soon.
    fn run(&self, task: TaskId, origin: &Origin) -> Option<Priority>;
    /// Does what is due, such as firing timers.
    fn maintain(&self);
    /// Does what is due. Returns how long the driver may wait before something else is due.
    fn before_sleep(&self) -> Option<Duration>;
    /// Called after the driver has waited.
    fn after_sleep(&self);
    /// Sends what the worker has gathered. Called when it has no more work for now.
    fn turn_end(&self);
    /// Returns the time of the monotonic clock.
    fn now(&self) -> Time;
    /// Reports a task that has held its worker for too long.
    fn report_stuck(&self, stuck: &Stuck);
}

pub(crate) struct Scheduler {
    name: String,
    injector: Injector<TaskId>,
    classes: Classes,
    /// The queue that takes the place of all workers, if there are none.
    stepped: Option<Stepped>,
    /// The seats of the current workers.
    seats: RwLock<Vec<Arc<Seat>>>,
    idle: Idle,
    driver: Arc<dyn Driver>,
    /// Held by the worker that waits in the driver, or polls it.
    driver_turn: Mutex<()>,
    monitor: Monitor,
    stopping: AtomicBool,
    /// The number of workers that were ever started.
    started: AtomicUsize,
    /// Counts the threads, for `stop`.
    threads: Mutex<usize>,
    thread_ended: Condvar,
}

impl Scheduler {
    /// Makes a scheduler without workers. `name` becomes part of the names of its threads.
    pub(crate) fn new(name: &str, driver: Arc<dyn Driver>) -> Arc<Scheduler> {
        Arc::new(Scheduler::with(name, driver, None))
    }

    /// Makes a scheduler that never has workers: see [`Stepped`].
    pub(crate) fn stepped(name: &str) -> Arc<Scheduler> {
        let driver = Arc::<ThreadDriver>::default();
        Arc::new(Scheduler::with(name, driver, Some(Stepped::default())))
    }

    fn with(name: &str, driver: Arc<dyn Driver>, stepped: Option<Stepped>) -> Scheduler {
        Scheduler {
            stepped,
            name: name.into(),
            injector: Injector::new(),
            classes: Classes::default(),
            seats: RwLock::default(),
            idle: Idle::default(),
            driver,
            driver_turn: Mutex::new(()),
            monitor: Monitor::default(),
            stopping: AtomicBool::new(false),
            started: AtomicUsize::new(0),
            threads: Mutex::new(0),
            thread_ended: Condvar::new(),
        }
    }

    /// Returns the queue of ready tasks, if the caller decides what runs next.
    pub(crate) fn by_steps(&self) -> Option<&Stepped> {
        self.stepped.as_ref()
    }

    pub(crate) fn start(
        self: &Arc<Self>,
        workers: usize,
        runner: Arc<dyn Runner>,
    ) -> std::io::Result<()> {
        self.start_workers(workers, &runner)?;
        let scheduler = self.clone();
        self.start_thread("monitor", move || runner.enter(&|| scheduler.watch(&runner)))
    }

    pub(crate) fn start_workers(
        self: &Arc<Self>,
        count: usize,
        runner: &Arc<dyn Runner>,
    ) -> std::io::Result<()> {
        (0..count).try_for_each(|_| self.start_worker(runner.clone()))
    }

    fn start_worker(self: &Arc<Self>, runner: Arc<dyn Runner>) -> std::io::Result<()> {
        let scheduler = self.clone();
        self.start_thread("worker", move || Worker::main(scheduler, &*runner))
    }

    fn start_thread(
        self: &Arc<Self>,
        kind: &str,
        main: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<()> {
        *self.threads.lock() += 1;
        let scheduler = self.clone();
        let started = spawn_thread(format!("{} {kind}", self.name), move || {
            main();
            scheduler.thread_ends();
        });
        if started.is_err() {
            self.thread_ends();
        }
        started
    }

    fn thread_ends(&self) {
        *self.threads.lock() -= 1;
        self.thread_ended.notify_all();
    }

    /// Queues a task from a thread that is not a worker.
    pub(crate) fn inject(&self, task: TaskId, priority: Priority) {
        if let Some(stepped) = &self.stepped {
            return stepped.push(Ready::Task(task));
        }
        match priority {
            Priority::Normal => self.injector.push(task),
            other => drop(self.classes.push(task, other)),
        }
        self.wake_one();
    }

    /// Wakes a worker, unless one is already searching.
    fn wake_one(&self) {
        if let Some(seat) = self.idle.take_for_work() {
            seat.unpark(&*self.driver);
        }
    }

    /// Wakes a worker for work that this worker also does itself. It uses no fence, so it may miss
    /// a worker that is just falling asleep; the monitor finds the work then.
    fn wake_one_for_stealing(&self) {
        if self.idle.may_take() {
            self.wake_one();
        }
    }

    /// Makes the driver return, since something is due earlier than its timeout.
    pub(crate) fn reconsider_timeout(&self) {
        self.driver.unpark();
    }

    /// Returns whether a worker should wait awake: no other one does, and some are busy.
    fn is_worth_spinning(&self) -> bool {
        self.idle.searching() == 1 && self.seats.read().len() > self.idle.sleeping() + 1
    }

    pub(crate) fn is_running(&self, task: TaskId) -> bool {
        self.seats.read().iter().any(|seat| seat.runs(task))
    }

    fn has_work(&self) -> bool {
        !self.classes.is_empty() || self.has_normal_work()
    }

    fn has_normal_work(&self) -> bool {
        !self.injector.is_empty() || self.seats.read().iter().any(|seat| seat.has_work())
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Ends all threads. Returns whether all of them ended in time. A worker in the middle of a
    /// task ends after the task. If called from one of these threads, it does not wait for that
    /// thread.
    pub(crate) fn stop(&self, from_worker: bool) -> bool {
        self.stopping.store(true, Ordering::Release);
        self.monitor.unpark();
        for seat in self.seats.read().iter() {
            seat.unpark(&*self.driver);
        }
        let left = usize::from(from_worker);
        let mut threads = self.threads.lock();
        while *threads > left {
            if self.thread_ended.wait_for(&mut threads, STOP_WAIT).timed_out() {
                return *threads <= left;
            }
        }
        true
    }

    /// Takes a task that was queued from outside, in a model without workers.
    #[cfg(all(test, loom))]
    pub(crate) fn take_any(&self) -> Option<TaskId> {
        retry(|| self.injector.steal()).or_else(|| self.classes.any())
    }

    fn take_injected(&self, local: &Deque<TaskId>) -> Option<TaskId> {
        // Looking costs less than trying, and the queue is usually empty.
        if self.injector.is_empty() {
            return None;
        }
        retry(|| self.injector.steal_batch_and_pop(local))
    }
}

/// A request for help: something urgent waits for a task of lower priority. Until this is dropped,
/// all priorities take turns.
pub(crate) struct Help(Arc<Scheduler>);

impl Help {
    pub(crate) fn begin(scheduler: &Arc<Scheduler>) -> Help {
        scheduler.classes.begin_help();
        Help(scheduler.clone())
    }
}

impl Drop for Help {
    fn drop(&mut self) {
        self.0.classes.end_help();
    }
}

/// Repeats an attempt to steal until it succeeds or finds nothing.
fn retry(mut attempt: impl FnMut() -> Steal<TaskId>) -> Option<TaskId> {
    loop {
        match attempt() {
            Steal::Success(task) => return Some(task),
            Steal::Empty => return None,
            Steal::Retry => spin_loop(),
        }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    /// A worker looks for work of all kinds before it sleeps.
    #[test]
    fn queued_tasks_are_work() {
        let of = |priority| {
            let scheduler = Scheduler::new("test", Arc::<ThreadDriver>::default());
            assert!(!scheduler.has_work());
            scheduler.inject(TaskId::of(7), priority);
            scheduler
        };
        let kinds = [Priority::Low, Priority::Normal, Priority::High, Priority::Max];
        assert!(kinds.into_iter().all(|priority| of(priority).has_work()));
        assert!(of(Priority::Normal).has_normal_work());
        assert!(!of(Priority::High).has_normal_work());
    }
}
