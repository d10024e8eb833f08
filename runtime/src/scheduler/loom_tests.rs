//! Models of waking, sleeping and relieving workers.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU64, AtomicUsize as Count};

use loom::thread;

use super::parker::Parker;
use super::*;
use crate::sync::model;

fn task(index: u32) -> TaskId {
    TaskId::of(index)
}

fn scheduler() -> Arc<Scheduler> {
    Scheduler::new("model", Arc::<ThreadDriver>::default())
}

/// Counts the tasks that ran.
#[derive(Default)]
struct Tally {
    /// How often each task ran.
    runs: [Count; 3],
    /// The number of runs so far, announced by `came`.
    done: Mutex<usize>,
    came: Condvar,
    clock: AtomicU64,
    /// The task that the end of a turn queues, if the first task has run.
    at_turn_end: Mutex<Option<(Arc<Scheduler>, TaskId)>>,
}

impl Tally {
    /// Waits until this many runs are over.
    fn wait(&self, runs: usize) {
        let mut done = self.done.lock();
        while *done < runs {
            self.came.wait(&mut done);
        }
    }
}

impl Runner for Tally {
    fn enter(&self, work: &dyn Fn()) {
        work();
    }

    fn run(&self, task: TaskId, _: &Origin) -> Option<Priority> {
        self.runs[task.index() as usize].fetch_add(1, Relaxed);
        *self.done.lock() += 1;
        self.came.notify_all();
        None
    }

    fn maintain(&self) {}

    fn before_sleep(&self) -> Option<Duration> {
        None
    }

    fn after_sleep(&self) {}

    fn turn_end(&self) {
        if self.runs[1].load(Relaxed) > 0
            && let Some((scheduler, task)) = self.at_turn_end.lock().take()
        {
            current::schedule(&scheduler, task, Priority::Normal);
        }
    }

    /// Advances by a second for each call, so that a worker spins for one look only.
    fn now(&self) -> Time {
        Time::new(Duration::from_secs(self.clock.fetch_add(1, Relaxed)))
    }

    fn report_stuck(&self, _: &Stuck) {}
}

/// A worker that sleeps, or is about to, is woken for queued work, and ends when the scheduler
/// stops.
fn inject_against_sleep(priority: Priority) {
    model(move || {
        let (scheduler, tally) = (scheduler(), Arc::new(Tally::default()));
        scheduler.start_worker(tally.clone()).unwrap();
        scheduler.inject(task(1), priority);
        tally.wait(1);
        assert!(scheduler.stop(false));
        assert_eq!(tally.runs[1].load(Relaxed), 1);
    });
}

#[test]
fn inject_normal_against_sleep() {
    inject_against_sleep(Priority::Normal);
}

#[test]
fn inject_high_against_sleep() {
    inject_against_sleep(Priority::High);
}

/// Tasks that two threads queue each run once.
#[test]
fn two_injecting_threads_against_sleep() {
    model(|| {
        let (scheduler, tally) = (scheduler(), Arc::new(Tally::default()));
        scheduler.start_worker(tally.clone()).unwrap();
        let other = {
            let scheduler = scheduler.clone();
            thread::spawn(move || scheduler.inject(task(2), Priority::Normal))
        };
        scheduler.inject(task(1), Priority::Normal);
        other.join().unwrap();
        tally.wait(2);
        assert!(scheduler.stop(false));
        assert_eq!([1, 2].map(|n: usize| tally.runs[n].load(Relaxed)), [1, 1]);
    });
}

/// Two workers, of which only one can wait in the driver: a queued task runs once.
#[test]
fn inject_against_two_sleepers() {
    model(|| {
        let (scheduler, tally) = (scheduler(), Arc::new(Tally::default()));
        for _ in 0..2 {
            scheduler.start_worker(tally.clone()).unwrap();
        }
        scheduler.inject(task(1), Priority::Normal);
        tally.wait(1);
        assert!(scheduler.stop(false));
        assert_eq!(tally.runs[1].load(Relaxed), 1);
    });
}

/// A task that the end of a worker's last turn queues runs, though the worker was about to sleep.
#[test]
fn a_turn_end_that_queues_against_sleep() {
    model(|| {
        let (scheduler, tally) = (scheduler(), Arc::new(Tally::default()));
        *tally.at_turn_end.lock() = Some((scheduler.clone(), task(2)));
        for _ in 0..2 {
            scheduler.start_worker(tally.clone()).unwrap();
        }
        scheduler.inject(task(1), Priority::Normal);
        tally.wait(2);
        assert!(scheduler.stop(false));
        assert_eq!(tally.runs[2].load(Relaxed), 1);
    });
}

/// Workers that start or fall asleep while the scheduler stops all end.
#[test]
fn stop_against_sleep() {
    model(|| {
        let (scheduler, tally) = (scheduler(), Arc::new(Tally::default()));
        for _ in 0..2 {
            scheduler.start_worker(tally.clone()).unwrap();
        }
        assert!(scheduler.stop(false));
        assert!(scheduler.seats.read().is_empty());
    });
}

/// An unpark reaches a thread that parks, in the driver or not, and is not lost if it comes first.
#[test]
fn unpark_against_park() {
    for in_driver in [false, true] {
        model(move || {
            let parker = Arc::new((Parker::default(), ThreadDriver::default()));
            let other = {
                let parker = parker.clone();
                thread::spawn(move || parker.0.unpark(&parker.1))
            };
            if in_driver {
                parker.0.park_in(&parker.1, None);
            } else {
                parker.0.park();
            }
            other.join().unwrap();
        });
    }
}

/// Two threads unpark, and a third parks twice, in different places. It is woken at least once, and
/// a second time if the second unpark comes later.
#[test]
fn two_unparks_against_two_parks() {
    model(|| {
        let shared = Arc::new((Parker::default(), ThreadDriver::default(), AtomicUsize::new(0)));
        let others: Vec<_> = (0..2)
            .map(|_| {
                let shared = shared.clone();
                thread::spawn(move || {
                    shared.2.fetch_add(1, Ordering::Relaxed);
                    shared.0.unpark(&shared.1);
                })
            })
            .collect();
        shared.0.park();
        // The effects of a thread are visible after its unpark. If they are not all there yet,
        // another unpark will come.
        while shared.2.load(Ordering::Relaxed) < 2 {
            shared.0.park_in(&shared.1, None);
        }
        others.into_iter().for_each(|other| other.join().unwrap());
    });
}

/// A stuck worker is robbed while it comes back. Each task goes to one of the two.
#[test]
fn rob_against_the_owner() {
    model(|| {
        let seat = Arc::new(Seat::new(Deque::new_fifo().stealer()));
        assert_eq!(seat.set_last_woken(task(1)), None);
        let robber = {
            let seat = seat.clone();
            thread::spawn(move || seat.take_last_woken())
        };
        let displaced = seat.set_last_woken(task(2));
        let taken = seat.take_last_woken();
        let robbed = robber.join().unwrap();
        let mut all: Vec<_> = [displaced, taken, robbed].into_iter().flatten().collect();
        all.sort_by_key(|task| task.index());
        assert_eq!(all, [task(1), task(2)]);
    });
}

/// A worker learns once that another was started in its place, and otherwise stays.
#[test]
fn replace_against_the_end_of_the_task() {
    model(|| {
        let seat = Arc::new(Seat::new(Deque::new_fifo().stealer()));
        seat.begin(task(1));
        let monitor = {
            let seat = seat.clone();
            thread::spawn(move || {
                seat.mark_stuck();
                seat.ask_replacement() && seat.replace()
            })
        };
        let mut ends = u32::from(seat.end());
        let replaced = monitor.join().unwrap();
        for _ in 0..2 {
            seat.begin(task(2));
            ends += u32::from(seat.end());
        }
        assert_eq!(ends, u32::from(replaced));
    });
}

/// The monitor only sleeps while all workers do.
#[test]
fn the_monitor_against_a_worker_that_wakes() {
    model(|| {
        let scheduler = scheduler();
        let seat = Arc::new(Seat::new(Deque::new_fifo().stealer()));
        scheduler.seats.write().push(seat.clone());
        scheduler.idle.enter(&seat);
        let monitor = {
            let scheduler = scheduler.clone();
            thread::spawn(move || {
                let parker = scheduler.monitor.parker.lock();
                scheduler.rest(&parker);
            })
        };
        scheduler.idle.leave(&seat);
        scheduler.monitor.worker_wakes();
        monitor.join().unwrap();
    });
}
