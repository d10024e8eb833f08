//! One worker thread: finds work, runs it, waits for more.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use super::balance::share;
use super::seat::Seat;
use super::{Runner, Scheduler, TaskId, current, retry};
use crate::contain::contained;
use crate::priority::Priority;
use crate::sync::{Deque, Ordering, spin_loop};

/// After this many runs a worker looks at what it would not see while it has work of
/// its own: injected work, timers, sockets.
const MAINTAIN_EVERY: u32 = 61;

/// After this many runs what was gathered goes out, though there is more to do.
const FLUSH_EVERY: u32 = 16;

/// So many times in a row the task that was woken last goes before the queue.
const LAST_WOKEN_STREAK_MAX: u32 = 16;

/// How long a worker without work looks for some before it sleeps, while others are busy: to
/// sleep and to be woken again costs about as much.
const SPIN_TIME: Duration = Duration::from_micros(20);

/// How often the processor is told to wait between two looks.
const SPINS_PER_LOOK: u32 = 32;

/// The longest sleep: a clock that was set badly mends itself in this time.
const SLEEP_MAX: Duration = Duration::from_secs(3600);

pub(crate) struct Worker {
    scheduler: Arc<Scheduler>,
    seat: Arc<Seat>,
    queue: Deque<TaskId>,
    streak: Cell<u32>,
    searching: Cell<bool>,
    runs: Cell<u32>,
    /// The last task had more to do: a worker that has only such may come by injected work, and
    /// with it those whose timers the monitor has fired, after many long runs only.
    gave_way: Cell<bool>,
    index: usize,
    /// Where to begin to steal; moves on so that no victim is preferred.
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
            index,
            victim: Cell::new(0),
        };
        runner.enter(&|| current::enter(&worker, || worker.work_on(runner)));
        worker.hand_over();
        worker.scheduler.seats.write().retain(|seat| !Arc::ptr_eq(seat, &worker.seat));
        // What its last task has put out would lie there: all others may be asleep. Whatever
        // panics here, a log subscriber, the thread has its end to announce.
        contained(|| runner.turn_end());
    }

    pub(crate) fn belongs_to(&self, scheduler: &Arc<Scheduler>) -> bool {
        Arc::ptr_eq(&self.scheduler, scheduler)
    }

    /// The number of the worker, from 1.
    pub(crate) fn index(&self) -> usize {
        self.index
    }

    /// Queues a task from this worker's thread: it will be run next, and what would have
    /// been goes to the queue, where others may steal it.
    pub(crate) fn schedule(&self, task: TaskId, priority: Priority) {
        if priority != Priority::Normal {
            return self.schedule_in_class(task, priority);
        }
        if let Some(displaced) = self.seat.set_last_woken(task) {
            self.schedule_later(displaced);
        }
    }

    /// Queues a task behind all others of this worker.
    pub(crate) fn schedule_later(&self, task: TaskId) {
        self.queue.push(task);
        self.scheduler.wake_one_for_stealing();
    }

    /// Queues a task of another than normal priority.
    fn schedule_in_class(&self, task: TaskId, priority: Priority) {
        let alone = self.scheduler.classes.push(task, priority);
        // This worker runs an urgent one next, as it does with the task that was woken last:
        // a pair that talks to each other stays here.
        if !(alone && priority.is_urgent()) {
            self.scheduler.wake_one();
        }
    }

    /// Whether the task that runs now should come to an end.
    pub(crate) fn is_overdue(&self) -> bool {
        self.seat.is_overdue()
    }

    /// Works, whatever happens: with a worker gone its processes would wait for ever. A panic here
    /// is a mistake of the runtime, or of what the node was built with, such as its clock.
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
            if runs.is_multiple_of(MAINTAIN_EVERY) {
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
                    // Who has waited for what went out is queued here, where nobody else looks.
                    if !self.has_own_work() && !self.spin(runner) {
                        self.sleep(runner);
                    }
                }
            }
        }
    }

    /// Runs a task; true if the worker was replaced meanwhile.
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

    /// A low task, if there is no normal one anywhere: no search for it is needed.
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

    /// Takes tasks of another worker that has many more.
    fn balance(&self) {
        let seats = self.scheduler.seats.read();
        let victim = self.victim.replace(self.victim.get().wrapping_add(1)) % seats.len();
        let seat = &seats[victim];
        let count = share(self.queue.len(), seat.stealer.len());
        if count > 0 && !Arc::ptr_eq(seat, &self.seat) {
            // What somebody else takes meanwhile is balanced as well.
            let _ = seat.stealer.steal_batch_with_limit(&self.queue, count);
        }
    }

    /// The search has found something. The last one to search calls for another, since
    /// there may be more.
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

    /// Waits awake for a short time, if it is the only one to do so and work may come from
    /// busy workers; true if there is some.
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
        // Wakes up also when a panic ends the sleep.
        let asleep = Asleep(self);
        if self.searching.replace(false) {
            scheduler.idle.end_search();
        }
        if scheduler.has_work() || scheduler.is_stopping() {
            drop(asleep);
            // Who has announced a task may be about to queue it: let it.
            spin_loop();
            return;
        }
        match scheduler.driver_turn.try_lock() {
            Some(turn) => {
                let timeout = runner.before_sleep().map(|timeout| timeout.min(SLEEP_MAX));
                // Timers that fired have queued their work here.
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
        // Taken for work, it counts as searching already.
        self.searching.set(!self.scheduler.idle.leave(&self.seat));
        self.scheduler.monitor.worker_wakes();
    }

    /// The worker ends: others do what it has queued.
    fn hand_over(&self) {
        let last_woken = self.seat.take_last_woken();
        for task in last_woken.into_iter().chain(std::iter::from_fn(|| self.queue.pop())) {
            self.scheduler.inject(task, Priority::Normal);
        }
        self.stop_search();
    }
}
