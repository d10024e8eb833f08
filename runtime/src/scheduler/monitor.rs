//! The thread that watches the workers.
//!
//! A task that computes without a suspension point holds its worker. On a machine with two cores,
//! two such tasks would keep everything else from running. Every few milliseconds the monitor looks
//! at what each worker runs, and adds up how long that run has held the worker:
//!
//! | after | what happens |
//! |---|---|
//! | [`OVERDUE_AFTER`] | the task yields at its next suspension point, even if what it waits for is there |
//! | [`STUCK_AFTER`] | the worker is stuck: all tasks in its queue may be stolen, and another worker takes its place |
//! | [`REPORT_AFTER`] | the task is reported |
//!
//! When the task yields, its worker finds that it was replaced and ends. So the number of workers
//! is as before.
//!
//! A task holds its worker while it computes, which the CPU time of the worker's thread shows, and
//! while it waits in a system call or for a lock. It does not hold its worker while the thread is
//! runnable but the operating system runs other threads. Otherwise every worker on an overloaded
//! host would seem stuck, and replacing them would only add to the load.
//!
//! If the system provides no CPU times, a look counts for at most the interval between two looks,
//! since an overloaded host delays the monitor as well. When the monitor was delayed, a waiting
//! task is relieved but not reported: the thread that it waits for may be delayed too.
//!
//! While a worker is busy and none waits in the driver, the monitor polls the driver, so that
//! sockets and timers are served. The monitor sleeps while all workers sleep.
//!
//! Prior art: Go's `sysmon`.

use std::collections::HashMap;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use super::seat::Seat;
use super::{Runner, Scheduler, TaskId, Worker};
use crate::contain::contained;
use crate::env::Time;
use crate::log_rate::LogRate;
use crate::report;
use crate::sync::{AtomicBool, Mutex, Ordering, Parker, Unparker, fence};

/// The interval between two looks at the workers.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A task that has held its worker for this long is asked to yield. The second look sees it. This
/// and the next two constants are a few milliseconds less than a whole number of looks, since even
/// a thread that computes all the time is interrupted now and then.
const OVERDUE_AFTER: Duration = Duration::from_millis(3);

/// A worker that one task has held for this long is stuck. The third look sees it.
const STUCK_AFTER: Duration = Duration::from_millis(8);

/// A task that has held its worker for this long is reported.
const REPORT_AFTER: Duration = Duration::from_millis(48);

/// Roughly how many times slower a debug build is. A task may compute that much longer before it is
/// reported, since a process that is fast enough in a release build is not at fault.
const SLOWNESS: u32 = if cfg!(debug_assertions) { 10 } else { 1 };

/// The monitor sleeps after all workers have slept for this many looks. A few needless looks are
/// cheaper than being woken for each packet.
const QUIET_LOOKS: u32 = 20;

/// More replacements for stuck workers than this do not help.
const REPLACEMENTS_MAX: usize = 256;

pub(super) struct Monitor {
    pub(super) parker: Mutex<Parker>,
    unparker: Unparker,
    asleep: AtomicBool,
    /// Limits the reports of stuck tasks.
    reports: LogRate,
    /// Limits the reports of threads that the system refuses.
    refused: LogRate,
}

impl Default for Monitor {
    fn default() -> Self {
        let parker = Parker::new();
        let unparker = parker.unparker().clone();
        let (asleep, reports) = (AtomicBool::new(false), LogRate::default());
        Monitor {
            parker: Mutex::new(parker),
            unparker,
            asleep,
            reports,
            refused: LogRate::default(),
        }
    }
}

impl Monitor {
    /// Wakes the monitor when a worker wakes. The worker has left the sleepers before.
    pub(super) fn worker_wakes(&self) {
        // Pairs with the fence in `rest`: at least one of the two threads sees the other.
        fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::Relaxed) {
            self.unpark();
        }
    }

    pub(super) fn unpark(&self) {
        self.unparker.unpark();
    }
}

/// A task that has held its worker for too long.
pub(crate) struct Stuck {
    pub(crate) task: TaskId,
    /// Where the task was spawned, if known.
    pub(crate) origin: Option<&'static Location<'static>>,
    /// How long the task has computed.
    pub(crate) computed: Duration,
    /// How long the task has waited for something other than a processor.
    pub(crate) blocked: Duration,
    /// How many reports were left out before this one, if any.
    pub(crate) left_out: Option<u64>,
}

/// The last look at a run of a task.
struct Sample {
    run: u64,
    at: Time,
    /// The CPU time of the worker's thread.
    cpu: Option<Duration>,
    held: Held,
    reported: bool,
}

impl Sample {
    fn of(run: u64, at: Time, cpu: Option<Duration>) -> Sample {
        Sample { run, at, cpu, held: Held::default(), reported: false }
    }

    /// Adds the time since the last look.
    fn look(&mut self, at: Time, cpu: Option<Duration>, is_blocked: impl FnOnce() -> Option<bool>) {
        let computed = cpu.zip(self.cpu).map(|(cpu, before)| cpu.saturating_sub(before));
        self.held.add(at.since(self.at), computed, is_blocked);
        (self.at, self.cpu) = (at, cpu);
    }
}

/// How long a run has held its worker.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Held {
    computed: Duration,
    blocked: Duration,
    /// The part of `blocked` during which the host ran the monitor late.
    excused: Duration,
}

impl Held {
    /// Adds a look. `computed` is the CPU time that the thread has used since the previous look, if
    /// the system provides it.
    fn add(
        &mut self,
        passed: Duration,
        computed: Option<Duration>,
        is_blocked: impl FnOnce() -> Option<bool>,
    ) {
        let look = passed.min(LOOK_EVERY);
        match computed {
            None => self.computed += look,
            Some(computed) if computed >= look / 2 => self.computed += computed,
            // Reading the state costs more than reading the clock. It is only needed if the thread
            // does not compute.
            Some(computed) => match is_blocked() {
                Some(true) => {
                    self.blocked += look;
                    // The host may also delay the thread that holds the lock or reads the pipe.
                    if passed >= 2 * LOOK_EVERY {
                        self.excused += look;
                    }
                }
                Some(false) => self.computed += computed,
                None => self.computed += look,
            },
        }
    }

    fn total(self) -> Duration {
        self.computed + self.blocked
    }

    fn is_to_report(self, slowness: u32) -> bool {
        self.computed / slowness + self.blocked - self.excused >= REPORT_AFTER
    }
}

impl Scheduler {
    pub(super) fn watch(self: &Arc<Self>, runner: &Arc<dyn Runner>) {
        let parker = self.monitor.parker.lock();
        let mut samples: HashMap<*const Seat, Sample> = HashMap::new();
        let mut quiet = 0;
        while !self.is_stopping() {
            quiet = if self.all_sleep() { quiet + 1 } else { 0 };
            if quiet > QUIET_LOOKS {
                self.rest(&parker);
                quiet = 0;
            } else {
                parker.park_timeout(LOOK_EVERY);
            }
            // If a look panics, the next one makes up for it.
            contained(|| self.sample(runner, &mut samples));
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
            let cpu = seat.thread().cpu_time();
            let fresh = || Sample::of(run, now, cpu);
            let sample = samples.entry(Arc::as_ptr(seat)).or_insert_with(fresh);
            if sample.run != run {
                *sample = fresh();
                continue;
            }
            sample.look(now, cpu, || seat.thread().is_blocked());
            let held = sample.held.total();
            if held >= OVERDUE_AFTER {
                seat.mark_overdue(run);
            }
            if held >= STUCK_AFTER {
                self.relieve(runner, seat, seats.len());
            }
            if sample.held.is_to_report(SLOWNESS) && !std::mem::replace(&mut sample.reported, true)
            {
                self.report(&**runner, seat, task, run, sample.held, now);
            }
        }
        if self.idle.may_take() && self.has_work() {
            self.wake_one();
        }
        // A worker that sleeps in the driver holds the lock, and no poll is needed.
        if busy && let Some(turn) = self.driver_turn.try_lock() {
            contained(|| {
                runner.maintain();
                self.driver.park(Some(Duration::ZERO));
                runner.turn_end();
            });
            drop(turn);
            // A worker that went to sleep meanwhile found the driver taken and waits elsewhere, but
            // one worker has to wait in the driver.
            self.wake_one();
        }
    }

    fn report(
        &self,
        runner: &dyn Runner,
        seat: &Seat,
        task: TaskId,
        run: u64,
        Held { computed, blocked, .. }: Held,
        now: Time,
    ) {
        let origin = seat.origin().get();
        // The worker has moved on to another task, so it is no longer stuck.
        if seat.running() != Some((run, task)) {
            return;
        }
        self.monitor.reports.line(now, |left_out| {
            runner.report_stuck(&Stuck { task, origin, computed, blocked, left_out });
        });
    }

    /// Lets others do the work of a stuck worker.
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
            // The next look retries.
            seat.unask_replacement();
            self.monitor.refused.line(runner.now(), |left_out| {
                let why = "no thread can be started to replace a stuck worker";
                report!(error, %error, left_out, "{why}");
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

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Returns what `Held` adds up to. Each look gives the time that has passed, the part of it
    /// that the thread has computed, and whether the thread is blocked.
    fn held(looks: impl IntoIterator<Item = (u64, Option<u64>, bool)>) -> Held {
        let mut held = Held::default();
        for (passed, computed, is_blocked) in looks {
            held.add(millis(passed), computed.map(millis), || Some(is_blocked));
        }
        held
    }

    fn computed(time: u64) -> Held {
        Held { computed: millis(time), ..Held::default() }
    }

    fn blocked(time: u64) -> Held {
        Held { blocked: millis(time), ..Held::default() }
    }

    fn excused(time: u64) -> Held {
        Held { excused: millis(time), ..blocked(time) }
    }

    #[test]
    fn the_time_for_which_a_run_has_held_its_worker() {
        let times = |count: usize, look| std::iter::repeat_n(look, count);
        let cases = [
            ("it computes", held(times(10, (5, Some(5), false))), computed(50)),
            ("it sleeps", held(times(10, (5, Some(0), true))), blocked(50)),
            ("the host runs others", held(times(10, (5, Some(0), false))), computed(0)),
            ("… most of the time", held(times(10, (5, Some(1), false))), computed(10)),
            ("… and the monitor neither", held([(900, Some(3), false)]), computed(3)),
            ("a late look at a loop", held([(900, Some(700), false)]), computed(700)),
            ("a late look at a sleeper", held([(900, Some(0), true)]), excused(5)),
            ("it computes and is seen asleep", held([(5, Some(4), true)]), computed(4)),
            ("the system does not tell", held(times(10, (5, None, false))), computed(50)),
            ("… on a busy host", held(times(10, (900, None, false))), computed(50)),
        ];
        for (what, held, expected) in cases {
            assert_eq!(held, expected, "{what}");
        }
        let mut held = Held::default();
        held.add(millis(5), Some(millis(0)), || None);
        assert_eq!(held, computed(5), "the system does not say whether it is blocked");
    }

    #[test]
    fn long_runs_are_reported() {
        assert!(computed(50).is_to_report(1));
        assert!(!computed(45).is_to_report(1));
        assert!(!computed(450).is_to_report(10), "a debug build is slow");
        assert!(computed(500).is_to_report(10));
        assert!(blocked(50).is_to_report(10), "a sleep takes as long in any build");
        assert!(
            !excused(500).is_to_report(1),
            "it may wait for a thread that the host does not run"
        );
    }
}
