//! The thread that watches the workers.
//!
//! A task that computes without a suspension point keeps its worker, and with two such
//! tasks on two cores nothing else would ever run. The monitor samples what each worker
//! runs. One that is in the same run for [`STUCK_AFTER`] is stuck: its queue may be
//! robbed to the last task, another worker takes its place, and the task is reported.
//! When the task comes back its worker finds that it was replaced, and ends, so that
//! there are again as many workers as there were.
//!
//! While some worker is busy and none waits in the driver, the monitor polls it, so that
//! sockets and timers are served. When all workers sleep, so does the monitor.
//!
//! Prior art: Go's `sysmon`.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crossbeam_utils::sync::{Parker, Unparker};
use parking_lot::Mutex;

use super::seat::Seat;
use super::{Runner, Scheduler};
use crate::env::Time;

/// A worker that is this long in one run of a task is stuck.
const STUCK_AFTER: Duration = Duration::from_millis(10);

/// How often the workers are looked at.
const SAMPLE_EVERY: Duration = Duration::from_millis(5);

/// How long all workers must have slept before the monitor sleeps, too, in samples: it
/// is cheaper to sample a few times in vain than to be woken for each packet.
const QUIET_SAMPLES: u32 = 20;

/// More workers than this in the place of stuck ones do not help.
const REPLACEMENTS_MAX: usize = 256;

pub(super) struct Monitor {
    parker: Mutex<Parker>,
    unparker: Unparker,
    awake_workers: AtomicUsize,
    asleep: std::sync::atomic::AtomicBool,
}

impl Default for Monitor {
    fn default() -> Self {
        let parker = Parker::new();
        let unparker = parker.unparker().clone();
        let asleep = std::sync::atomic::AtomicBool::new(false);
        Monitor { parker: Mutex::new(parker), unparker, awake_workers: AtomicUsize::new(0), asleep }
    }
}

impl Monitor {
    pub(super) fn worker_sleeps(&self) {
        self.awake_workers.fetch_sub(1, Ordering::SeqCst);
    }

    /// Also when a worker starts.
    pub(super) fn worker_wakes(&self) {
        self.awake_workers.fetch_add(1, Ordering::SeqCst);
        if self.asleep.load(Ordering::SeqCst) {
            self.unpark();
        }
    }

    pub(super) fn unpark(&self) {
        self.unparker.unpark();
    }
}

/// What was seen of a worker when it was last looked at.
struct Sample {
    run: u64,
    since: Time,
    reported: bool,
}

impl Scheduler {
    pub(super) fn watch(self: &Arc<Self>, runner: &Arc<dyn Runner>) {
        let parker = self.monitor.parker.lock();
        let mut samples: HashMap<*const Seat, Sample> = HashMap::new();
        let mut quiet = 0;
        while !self.is_stopping() {
            if self.monitor.awake_workers.load(Ordering::SeqCst) == 0 {
                quiet += 1;
            } else {
                quiet = 0;
            }
            if quiet > QUIET_SAMPLES {
                self.monitor.asleep.store(true, Ordering::SeqCst);
                if self.monitor.awake_workers.load(Ordering::SeqCst) == 0 {
                    parker.park();
                }
                self.monitor.asleep.store(false, Ordering::SeqCst);
                quiet = 0;
            } else {
                parker.park_timeout(SAMPLE_EVERY);
            }
            self.sample(runner, &mut samples);
        }
    }

    fn sample(
        self: &Arc<Self>,
        runner: &Arc<dyn Runner>,
        samples: &mut HashMap<*const Seat, Sample>,
    ) {
        let now = runner.now();
        let seats: Vec<_> = self.seats.read().clone();
        samples.retain(|at, _| seats.iter().any(|seat| Arc::as_ptr(seat) == *at));
        let mut busy = false;
        for seat in &seats {
            let Some((run, task)) = seat.running() else {
                samples.remove(&Arc::as_ptr(seat));
                continue;
            };
            busy = true;
            let fresh = Sample { run, since: now, reported: false };
            let sample = samples.entry(Arc::as_ptr(seat)).or_insert(fresh);
            if sample.run != run {
                *sample = Sample { run, since: now, reported: false };
                continue;
            }
            let time = now.since(sample.since);
            if time >= STUCK_AFTER {
                if !std::mem::replace(&mut sample.reported, true) {
                    runner.stuck(task, time);
                }
                self.relieve(runner, seat, seats.len());
            }
        }
        // With a worker asleep in the driver the lock is taken, and all is well.
        if busy && let Some(turn) = self.driver_turn.try_lock() {
            runner.maintain();
            self.driver.park(Some(Duration::ZERO));
            runner.turn_end();
            drop(turn);
            // A worker that went to sleep meanwhile found the turn taken, and waits
            // elsewhere: somebody has to wait in the driver.
            self.wake_one();
        }
    }

    /// Sees to it that the work of a stuck worker is done by others.
    fn relieve(self: &Arc<Self>, runner: &Arc<dyn Runner>, seat: &Seat, workers: usize) {
        if !seat.is_stuck() {
            seat.mark_stuck();
        }
        if self.idle.sleeping() > 0 {
            self.wake_one();
        } else if workers < REPLACEMENTS_MAX
            && seat.mark_replaced()
            && self.start_worker(runner.clone()).is_err()
        {
            tracing::error!("no thread can be started in the place of a stuck worker");
        }
    }
}
