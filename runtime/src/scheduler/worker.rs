//! A worker thread: finds tasks, runs them, and waits for more.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use super::balance::share;
use super::seat::Seat;
use super::{Runner, Scheduler, TaskId, current, retry};
use crate::contain::contained;
use crate::priority::Priority;
use crate::sync::{Deque, Ordering, spin_loop};

/// After this many runs, a worker looks at what it would not see while it has tasks of its own:
/// injected tasks, timers and sockets.
const MAINTAIN_EVERY: u32 = 61;

/// After this many runs, a busy worker sends what it has gathered.
const FLUSH_EVERY: u32 = 16;

/// How many times in a row the task that was woken last goes before the queue.
const LAST_WOKEN_STREAK_MAX: u32 = 16;

/// How long a worker without tasks looks for some before it sleeps, while others are busy. Going to
/// sleep and being woken costs about as much.
const SPIN_TIME: Duration = Duration::from_micros(20);

/// How many spin-loop hints there are between two looks.
const SPINS_PER_LOOK: u32 = 32;

/// The longest sleep. If the clock was set wrongly, the worker recovers after this time.
const SLEEP_MAX: Duration = Duration::from_secs(3600);

pub(crate) struct Worker {
    scheduler: Arc<Scheduler>,
    seat: Arc<Seat>,
    queue: Deque<TaskId>,
    streak: Cell<u32>,
    searching: Cell<bool>,
    runs: Cell<u32>,
    /// The last task had more to do. A worker that only has such tasks would otherwise check for
    /// injected tasks, and for those that the monitor's timers wake, only after many long runs.
    gave_way: Cell<bool>,
    /// A task has asked for maintenance before the next task.
    maintain_next: Cell<bool>,
    index: usize,
    /// Where the next steal begins. It advances, so that no victim is preferred.
    victim: Cell<usize>,
}

impl Worker {
    pub(super) fn main(scheduler: Arc<Scheduler>, runner: &dyn Runner) {
        let queue = Deque::new_fifo();
        let seat = Arc::new(Seat::new(queue.stealer()));
        let index = scheduler.started.fetch_add(1, Ordering::Relaxed) + 1;
        scheduler.seats.write().push(seat.clone());
        scheduler.driver.thread_begins();
        let worker = Worker {
            scheduler,
            seat,
            queue,
            streak: Cell::new(0),
            searching: Cell::new(false),
            runs: Cell::new(0),
            gave_way: Cell::new(false),
            maintain_next: Cell::new(false),
            index,
            victim: Cell::new(0),
        };
        runner.enter(&|| current::enter(&worker, || worker.work_on(runner)));
        worker.hand_over();
        worker.scheduler.seats.write().retain(|seat| !Arc::ptr_eq(seat, &worker.seat));
        // Otherwise the output of the last task would stay here, since all other workers may sleep.
        // If a log subscriber panics here, the thread must still announce its end.
        contained(|| runner.turn_end());
    }

    pub(crate) fn belongs_to(&self, scheduler: &Arc<Scheduler>) -> bool {
        Arc::ptr_eq(&self.scheduler, scheduler)
    }

    /// Returns the number of the worker, from 1.
    pub(crate) fn index(&self) -> usize {
        self.index
    }

    /// Queues a task from this worker's thread. The task runs next. The task that would have run
    /// next goes to the queue, from which others may steal it.
    pub(crate) fn schedule(&self, task: TaskId, priority: Priority) {
        if priority != Priority::Normal {
            return self.schedule_in_class(task, priority);
        }
        if let Some(displaced) = self.seat.set_last_woken(task) {
            self.schedule_later(displaced);
        }
    }

    /// Queues a task after all others of this worker.
    pub(crate) fn schedule_later(&self, task: TaskId) {
        self.queue.push(task);
        self.scheduler.wake_one_for_stealing();
    }

    /// Queues a task of other than normal priority.
    fn schedule_in_class(&self, task: TaskId, priority: Priority) {
        let alone = self.scheduler.classes.push(task, priority);
        // This worker runs an urgent task next, as it does with the task that was woken last, so
        // that a pair that talks to each other stays on one worker.
        if !(alone && priority.is_urgent()) {
            self.scheduler.wake_one();
        }
    }

    /// Does maintenance before the next task, which includes polling the driver.
    pub(crate) fn poll_driver_next(&self) {
        self.maintain_next.set(true);
    }

    /// Returns whether the running task should yield.
    pub(crate) fn is_overdue(&self) -> bool {
        self.seat.is_overdue()
    }

    /// Works, even after a panic: without the worker, its processes would wait forever. A panic
    /// here is a bug in the runtime, or in a part that the node was built with, such as its clock.
    fn work_on(&self, runner: &dyn Runner) {
        while contained(|| self.work(runner)).is_none() {
            if self.seat.end() {
                return;
            }
        }
    }

    fn work(&self, runner: &dyn Runner) {
        while !self.scheduler.is_stopping() {
            let runs = self.runs.get().wrapping_add(1);
            self.runs.set(runs);
            if runs.is_multiple_of(FLUSH_EVERY) {
                runner.turn_end();
            }
            if self.maintain_next.take() || runs.is_multiple_of(MAINTAIN_EVERY) {
                self.maintain(runner);
            }
            match self.next_task(runs) {
                Some(task) => {
                    self.stop_search();
                    if self.run(runner, task) {
                        return;
                    }
                }
                None => {
                    runner.turn_end();
                    // Processes that waited for this output are queued here, where no other worker
                    // looks.
                    if !self.has_own_work() && !self.spin(runner) {
                        self.sleep(runner);
                    }
                }
            }
        }
    }

    /// Runs a task. Returns whether the worker was replaced meanwhile.
    fn run(&self, runner: &dyn Runner, task: TaskId) -> bool {
        self.seat.begin(task);
        let again = runner.run(task, self.seat.origin());
        let replaced = self.seat.end();
        self.gave_way.set(again.is_some());
        match again {
            Some(Priority::Normal) => self.queue.push(task),
            Some(priority) => drop(self.scheduler.classes.push(task, priority)),
            None => {}
        }
        replaced
    }

    fn next_task(&self, runs: u32) -> Option<TaskId> {
        if let Some(task) = self.scheduler.classes.before_normal(runs) {
            return Some(task);
        }
        if (runs.is_multiple_of(MAINTAIN_EVERY) || self.gave_way.get())
            && let Some(task) = self.scheduler.take_injected(&self.queue)
        {
            return Some(task);
        }
        if let Some(task) = self.seat.take_last_woken() {
            if self.streak.get() < LAST_WOKEN_STREAK_MAX {
                self.streak.set(self.streak.get() + 1);
                return Some(task);
            }
            self.queue.push(task);
        }
        self.streak.set(0);
        self.queue.pop().or_else(|| self.low_task()).or_else(|| self.search())
    }

    /// Returns a low task, if no normal task is ready anywhere, without searching for one.
    fn low_task(&self) -> Option<TaskId> {
        if self.scheduler.classes.is_empty() || self.scheduler.has_normal_work() {
            return None;
        }
        self.scheduler.classes.any()
    }

    /// Looks for work elsewhere.
    fn search(&self) -> Option<TaskId> {
        if !self.searching.replace(true) {
            self.scheduler.idle.begin_search();
        }
        self.scheduler
            .take_injected(&self.queue)
            .or_else(|| self.steal())
            .or_else(|| self.scheduler.classes.any())
    }

    fn steal(&self) -> Option<TaskId> {
        let seats = self.scheduler.seats.read();
        let first = self.victim.replace(self.victim.get().wrapping_add(1));
        (0..seats.len()).map(|n| &seats[(first.wrapping_add(n)) % seats.len()]).find_map(|seat| {
            if Arc::ptr_eq(seat, &self.seat) {
                return None;
            }
            retry(|| seat.stealer.steal_batch_and_pop(&self.queue))
                .or_else(|| if seat.is_stuck() { seat.take_last_woken() } else { None })
        })
    }

    /// Takes tasks from another worker that has many more.
    fn balance(&self) {
        let seats = self.scheduler.seats.read();
        let victim = self.victim.replace(self.victim.get().wrapping_add(1)) % seats.len();
        let seat = &seats[victim];
        let count = share(self.queue.len(), seat.stealer.len());
        if count > 0 && !Arc::ptr_eq(seat, &self.seat) {
            // A task that another worker takes meanwhile restores the balance as well.
            let _ = seat.stealer.steal_batch_with_limit(&self.queue, count);
        }
    }

    /// Ends a successful search. The last worker to stop searching wakes another, since there may
    /// be more.
    fn stop_search(&self) {
        if self.searching.replace(false) && self.scheduler.idle.end_search() {
            self.scheduler.wake_one();
        }
    }

    fn maintain(&self, runner: &dyn Runner) {
        self.balance();
        runner.maintain();
        if let Some(_turn) = self.scheduler.driver_turn.try_lock() {
            self.scheduler.driver.park(Some(Duration::ZERO));
        }
    }

    /// Waits awake for a short time, if no other worker does and busy workers may produce tasks.
    /// Returns whether there is a task.
    fn spin(&self, runner: &dyn Runner) -> bool {
        if !self.searching.get() || !self.scheduler.is_worth_spinning() {
            return false;
        }
        let until = runner.now() + SPIN_TIME;
        while !self.scheduler.is_stopping() {
            (0..SPINS_PER_LOOK).for_each(|_| spin_loop());
            if self.scheduler.has_work() {
                return true;
            }
            if runner.now() >= until {
                break;
            }
        }
        false
    }

    fn sleep(&self, runner: &dyn Runner) {
        struct Asleep<'a>(&'a Worker);
        impl Drop for Asleep<'_> {
            fn drop(&mut self) {
                self.0.wake_up();
            }
        }
        let scheduler = &self.scheduler;
        scheduler.idle.enter(&self.seat);
        // Ends the sleep even after a panic.
        let asleep = Asleep(self);
        if self.searching.replace(false) {
            scheduler.idle.end_search();
        }
        if scheduler.has_work() || scheduler.is_stopping() {
            drop(asleep);
            // A thread that has announced a task may be about to queue it, so let it run.
            spin_loop();
            return;
        }
        match scheduler.driver_turn.try_lock() {
            Some(turn) => {
                let timeout = runner.before_sleep().map(|timeout| timeout.min(SLEEP_MAX));
                // Timers that fired have queued their tasks here.
                let timeout = if self.has_own_work() { Some(Duration::ZERO) } else { timeout };
                self.seat.parker().park_in(&*scheduler.driver, timeout);
                runner.after_sleep();
                drop(turn);
            }
            None => self.seat.parker().park(),
        }
    }

    fn has_own_work(&self) -> bool {
        self.seat.has_last_woken() || !self.queue.is_empty()
    }

    fn wake_up(&self) {
        // If this worker was taken for work, it already counts as searching.
        self.searching.set(!self.scheduler.idle.leave(&self.seat));
        self.scheduler.monitor.worker_wakes();
    }

    /// Moves the tasks of this worker, which ends, to the injector.
    fn hand_over(&self) {
        let last_woken = self.seat.take_last_woken();
        for task in last_woken.into_iter().chain(std::iter::from_fn(|| self.queue.pop())) {
            self.scheduler.inject(task, Priority::Normal);
        }
        self.stop_search();
    }
}
