//! The thread that watches the workers.
//!
//! A task that computes without a suspension point keeps its worker, and with two such
//! tasks on two cores nothing else would ever run. The monitor samples what each worker
//! runs. One that is in the same run for [`OVERDUE_SAMPLES`] gives way at its next suspension
//! point, even if what it waits for is there. One in the same run for [`STUCK_SAMPLES`] is
//! stuck: its queue may be
//! robbed to the last task, and another worker takes its place; after [`REPORT_SAMPLES`]
//! the task is reported. Samples are counted, and not time: on a machine that is busy with
//! other things the monitor gets no more turns than the workers do. When the task comes back its worker finds that it was replaced, and ends, so that
//! there are again as many workers as there were.
//!
//! While some worker is busy and none waits in the driver, the monitor polls it, so that
//! sockets and timers are served. When all workers sleep, so does the monitor.
//!
//! Prior art: Go's `sysmon`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::seat::Seat;
use super::{Runner, Scheduler, Worker};
use crate::env::Time;
use crate::log_rate::LogRate;
use crate::sync::{AtomicBool, Mutex, Ordering, Parker, Unparker, fence};

/// A task that is in the same run at so many samples should come to an end: 5 ms.
const OVERDUE_SAMPLES: u32 = 1;

/// A worker that is in the same run of a task at so many samples is stuck: 10 ms.
const STUCK_SAMPLES: u32 = 2;

/// After so many the task is reported: 50 ms.
const REPORT_SAMPLES: u32 = 10;

/// How often the workers are looked at.
const SAMPLE_EVERY: Duration = Duration::from_millis(5);

/// How long all workers must have slept before the monitor sleeps, too, in samples: it
/// is cheaper to sample a few times in vain than to be woken for each packet.
const QUIET_SAMPLES: u32 = 20;

/// More workers than this in the place of stuck ones do not help.
const REPLACEMENTS_MAX: usize = 256;

pub(super) struct Monitor {
    pub(super) parker: Mutex<Parker>,
    unparker: Unparker,
    asleep: AtomicBool,
    /// For threads that the system refuses.
    refused: LogRate,
}

impl Default for Monitor {
    fn default() -> Self {
        let parker = Parker::new();
        let unparker = parker.unparker().clone();
        let (asleep, refused) = (AtomicBool::new(false), LogRate::default());
        Monitor { parker: Mutex::new(parker), unparker, asleep, refused }
    }
}

impl Monitor {
    /// A worker is awake: it has left the sleepers before.
    pub(super) fn worker_wakes(&self) {
        // Pairs with the fence in `rest`: one of the two sees the other.
        fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::Relaxed) {
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
    /// How often the same run was seen again.
    again: u32,
}

impl Scheduler {
    pub(super) fn watch(self: &Arc<Self>, runner: &Arc<dyn Runner>) {
        let parker = self.monitor.parker.lock();
        let mut samples: HashMap<*const Seat, Sample> = HashMap::new();
        let mut quiet = 0;
        while !self.is_stopping() {
            quiet = if self.all_sleep() { quiet + 1 } else { 0 };
            if quiet > QUIET_SAMPLES {
                self.rest(&parker);
                quiet = 0;
            } else {
                parker.park_timeout(SAMPLE_EVERY);
            }
            self.sample(runner, &mut samples);
        }
    }

    /// Sleeps while all workers do.
    pub(super) fn rest(&self, parker: &Parker) {
        self.monitor.asleep.store(true, Ordering::Relaxed);
        // Pairs with the fence in `worker_wakes`.
        fence(Ordering::SeqCst);
        if self.all_sleep() {
            parker.park();
        }
        self.monitor.asleep.store(false, Ordering::Relaxed);
    }

    fn all_sleep(&self) -> bool {
        self.idle.sleeping() >= self.seats.read().len()
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
            let fresh = Sample { run, since: now, again: 0 };
            let sample = samples.entry(Arc::as_ptr(seat)).or_insert(fresh);
            if sample.run != run {
                *sample = Sample { run, since: now, again: 0 };
                continue;
            }
            sample.again = sample.again.saturating_add(1);
            if sample.again == OVERDUE_SAMPLES {
                seat.mark_overdue(run);
            }
            if sample.again == REPORT_SAMPLES {
                runner.stuck(task, now.since(sample.since));
            }
            if sample.again >= STUCK_SAMPLES {
                self.relieve(runner, seat, seats.len());
            }
        }
        if self.idle.may_take() && self.has_work() {
            self.wake_one();
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
    fn relieve(self: &Arc<Self>, runner: &Arc<dyn Runner>, seat: &Arc<Seat>, workers: usize) {
        if !seat.is_stuck() {
            seat.mark_stuck();
        }
        if self.idle.sleeping() > 0 {
            self.wake_one();
        } else if workers < REPLACEMENTS_MAX
            && seat.ask_replacement()
            && let Err(error) = self.start_replacement(runner.clone(), seat.clone())
        {
            // The next sample tries again.
            seat.unask_replacement();
            self.monitor.refused.line(runner.now(), |left_out| {
                let why = "no thread can be started in the place of a stuck worker";
                tracing::error!(%error, left_out, "{why}");
            });
        }
    }

    fn start_replacement(
        self: &Arc<Self>,
        runner: Arc<dyn Runner>,
        seat: Arc<Seat>,
    ) -> std::io::Result<()> {
        let scheduler = self.clone();
        self.start_thread("worker", move || {
            if seat.replace() {
                Worker::main(scheduler, &*runner);
            }
        })
    }
}
