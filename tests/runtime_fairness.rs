//! How much a process that does not yield, or that floods, leaves to the others, in figures.
//!
//! The machine of a test also runs other programs, so a figure is the best of a few attempts. A
//! node that is unfair is unfair each time.
#![deny(warnings)]

#[allow(dead_code, reason = "other test binaries use the rest")]
#[path = "support/wait.rs"]
mod wait;

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once};

use fika::message::{Local, Reference};
use fika::node::{Env, Time};
use fika::prelude::*;
use fika::process::yield_now;

use wait::{LIMIT, down, next, serve, sync};

/// The longest wait of 99 in a hundred: one and a half times the time after which a worker counts
/// as stuck.
const P99_MAX: Duration = millis(15);

/// The limit if the machine may also run other programs: without `FIKA_LONG=1`.
const P99_MAX_BUSY: Duration = secs(1);

/// After this time, a stuck process is reported. A debug build may be ten times slower before it is
/// reported.
const REPORT_MAX: Duration = if cfg!(debug_assertions) { millis(700) } else { millis(100) };

/// The limit if the machine may also run other programs: a process is judged by the time that it
/// has run.
const REPORT_MAX_BUSY: Duration = secs(5);

const ATTEMPTS: usize = 8;

const ROUNDS: usize = 300;

/// Two measuring tests would disturb each other.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A node that also stops when its test fails, so that it does not affect the next one.
struct TestNode(Node);

impl TestNode {
    fn new() -> TestNode {
        TestNode(Node::builder().workers(2).env(clock()).build().unwrap())
    }
}

impl Drop for TestNode {
    fn drop(&mut self) {
        assert!(self.0.stop() || std::thread::panicking());
    }
}

/// Returns the number of threads of nodes without a name.
fn threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| {
        // A thread that ends meanwhile has no name.
        std::fs::read_to_string(task.ok()?.path().join("comm")).ok()
    });
    names.filter(|name| name.starts_with("nonode")).count()
}

/// Returns whether the machine runs nothing else.
fn has_machine() -> bool {
    std::env::var_os("FIKA_LONG").is_some_and(|value| value == "1")
}

/// The length of round trips, and how late timers are: in each case the 99th of a hundred.
#[derive(Clone, Copy, Debug)]
struct Figures {
    trip: Duration,
    late: Duration,
}

impl Figures {
    fn are_fair(self) -> bool {
        let max = if has_machine() { P99_MAX } else { P99_MAX_BUSY };
        self.trip <= max && self.late <= max
    }
}

async fn measure(echo: Pid) -> Figures {
    let node = self_node();
    let (mut trips, mut late) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let begun = node.env().now();
        sync(echo).await;
        let answered = node.env().now();
        trips.push(answered.since(begun));
        sleep(millis(1)).await;
        late.push(node.env().now().since(answered).saturating_sub(millis(1)));
    }
    let p99 = |mut all: Vec<Duration>| {
        all.sort_unstable();
        all[all.len() * 99 / 100]
    };
    Figures { trip: p99(trips), late: p99(late) }
}

/// Measures until the figures are fair.
async fn measure_until_fair() {
    let echo = spawn(serve());
    let mut seen = Vec::new();
    for _ in 0..ATTEMPTS {
        let figures = measure(echo).await;
        seen.push(figures);
        if figures.are_fair() {
            exit_process(echo, ExitReason::Kill);
            return;
        }
    }
    panic!("in {ATTEMPTS} attempts: {seen:?}");
}

/// The nodes' log lines, with their times.
static LOG: Mutex<Vec<(Duration, String)>> = Mutex::new(Vec::new());

struct Log(Arc<dyn Env>);

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(line).into_owned();
        LOG.lock().unwrap().push((self.0.now().since_start(), text));
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn clock() -> Arc<dyn Env> {
    static CLOCK: Mutex<Option<Arc<dyn Env>>> = Mutex::new(None);
    CLOCK.lock().unwrap().get_or_insert_with(|| Arc::new(fika::node::SystemEnv::new())).clone()
}

fn keep_log() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(tracing::Level::WARN)
            .with_writer(|| Log(clock()))
            .init();
    });
    // The log is cleared of lines of other nodes, whose processes may have equal pids.
    LOG.lock().unwrap().clear();
}

/// Returns when the node reported that this process is stuck.
fn reported(pid: Pid) -> Option<Time> {
    let of = format!("pid={pid} ");
    let log = LOG.lock().unwrap();
    let line =
        log.iter().find(|(_, line)| line.contains("has kept its worker") && line.contains(&of));
    line.map(|(at, _)| Time::new(*at))
}

/// Processes that compute until they are asked to end.
struct HardLoops {
    done: Arc<AtomicBool>,
    /// Each process, its monitor, and the time at which its loop began.
    loops: Vec<(Pid, Reference, Time)>,
}

impl HardLoops {
    async fn start(count: usize) -> HardLoops {
        let done = Arc::new(AtomicBool::new(false));
        let me = self_pid();
        let mut loops = Vec::new();
        for _ in 0..count {
            let ends = done.clone();
            let (pid, monitor) = spawn_monitor(async move {
                send(me, Local(clock().now()));
                while !ends.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
            loops.push((pid, monitor, next::<Local<Time>>().await.0));
        }
        HardLoops { done, loops }
    }

    async fn end(self) {
        self.done.store(true, Ordering::Relaxed);
        for (_, monitor, _) in self.loops {
            assert_eq!(down(monitor).await, ExitReason::Normal);
        }
    }
}

/// PROC-12: with a process in a hard loop on each worker, the others continue, and timers fire.
/// When the loops are over, there are as many threads as before.
#[test]
fn hard_loops_on_all_workers_do_not_starve_others() {
    let _alone = alone();
    let node = TestNode::new();
    node.0.block_on(async {
        let echo = spawn(serve());
        // The threads are the workers and the monitor, once all have started.
        let before = 3;
        let begun = clock().now();
        while threads() != before {
            assert!(clock().now().since(begun) < LIMIT, "{} threads", threads());
            sync(echo).await;
        }
        let loops = HardLoops::start(2).await;
        measure_until_fair().await;
        assert!(threads() > before, "others have taken over");
        loops.end().await;
        let begun = clock().now();
        while threads() > before {
            assert!(clock().now().since(begun) < LIMIT, "{} threads, {before} before", threads());
            // A replaced worker ends when its task yields.
            sync(echo).await;
            sleep(millis(1)).await;
        }
        assert_eq!(threads(), before);
    });
}

/// PROC-12: each stuck process is reported soon, and once.
#[test]
fn a_hard_loop_is_reported_within_100_ms() {
    let _alone = alone();
    keep_log();
    let node = TestNode::new();
    node.0.block_on(async {
        let mut seen = Vec::new();
        for _ in 0..ATTEMPTS {
            let loops = HardLoops::start(2).await;
            let all = |times: &mut Vec<Duration>| {
                times.clear();
                let found = loops.loops.iter().map(|(pid, _, at)| Some(reported(*pid)?.since(*at)));
                found.map(|found| times.extend(found)).count();
                times.len() == loops.loops.len()
            };
            let (begun, mut times) = (clock().now(), Vec::new());
            while !all(&mut times) {
                assert!(clock().now().since(begun) < LIMIT, "after {times:?} nothing more");
                sleep(millis(1)).await;
            }
            loops.end().await;
            let max = if has_machine() { REPORT_MAX } else { REPORT_MAX_BUSY };
            if times.iter().all(|time| *time <= max) {
                return;
            }
            seen.push(times);
        }
        panic!("in {ATTEMPTS} attempts: {seen:?}");
    });
}

/// Returns the line that reports that this process is stuck.
fn report_of(pid: Pid) -> Option<String> {
    let of = format!("pid={pid} ");
    let log = LOG.lock().unwrap();
    log.iter().map(|(_, line)| line).find(|line| line.contains(&of)).cloned()
}

/// A process that waits in a system call holds its worker as a computing one does. Other workers
/// take over, and the report says where it was spawned.
#[test]
#[allow(clippy::disallowed_methods, reason = "a process that does what it should not")]
fn a_blocked_worker_is_replaced_and_reported() {
    let _alone = alone();
    keep_log();
    let node = TestNode::new();
    node.0.block_on(async {
        let echo = spawn(serve());
        let (release, released) = std::sync::mpsc::channel::<()>();
        let released = Arc::new(Mutex::new(released));
        let blocked: Vec<_> = (0..2)
            .map(|_| {
                let released = released.clone();
                // One process waits for the channel, the other for the lock.
                let waits = async move { _ = released.lock().unwrap().recv_timeout(LIMIT) };
                let line = line!() + 1;
                (spawn_monitor(waits), line)
            })
            .collect();
        sync(echo).await;
        let begun = clock().now();
        for ((pid, _), line) in &blocked {
            while report_of(*pid).is_none() {
                assert!(clock().now().since(begun) < LIMIT, "{pid} is not reported");
                sleep(millis(1)).await;
            }
            let report = report_of(*pid).unwrap();
            let place = format!("spawned_at={}:{line}:", file!());
            assert!(report.contains(&place), "{place} in {report}");
            assert!(!report.contains("blocked_ms=0"), "{report}");
        }
        drop(release);
        for ((_, monitor), _) in blocked {
            assert_eq!(down(monitor).await, ExitReason::Normal);
        }
    });
}

/// A thread that the host hardly runs is not stuck, however long its process takes by the clock. It
/// is not replaced or reported.
#[cfg(target_os = "linux")]
#[test]
#[allow(clippy::disallowed_methods, reason = "a thread that takes the processor")]
fn a_preempted_worker_is_not_stuck() {
    use rustix::process::setpriority_process;
    use rustix::thread::{CpuSet, gettid, sched_setaffinity};

    let _alone = alone();
    keep_log();
    let on_cpu_0 = || {
        let mut cpus = CpuSet::new();
        cpus.set(0);
        sched_setaffinity(None, &cpus)
    };
    let done = Arc::new(AtomicBool::new(false));
    let hogs: Vec<_> = (0..8)
        .map(|_| {
            let ends = done.clone();
            std::thread::spawn(move || {
                on_cpu_0().expect("any system has this processor");
                while !ends.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            })
        })
        .collect();
    for _ in 0..ATTEMPTS {
        LOG.lock().unwrap().clear();
        // The previous node, whose worker was starved as well, may still report.
        let begun = clock().now();
        while threads() > 0 {
            assert!(clock().now().since(begun) < LIMIT, "{} threads", threads());
            std::thread::yield_now();
        }
        let node = TestNode::new();
        let seen = node.0.block_on(async move {
            let me = self_pid();
            let starved = spawn(async move {
                on_cpu_0().expect("any system has this processor");
                setpriority_process(Some(gettid()), 19).expect("anybody may be nicer");
                let (begun, before) = (clock().now(), cpu_time());
                while clock().now().since(begun) < millis(500) {
                    std::hint::spin_loop();
                }
                send(me, Local(cpu_time() - before));
            });
            let mut most = 0;
            loop {
                most = most.max(threads());
                let used = receive! {
                    Local(used): Local<Duration> => Some(used),
                    after millis(5) => None,
                };
                if let Some(used) = used {
                    return (used, most, report_of(starved));
                }
            }
        });
        // The process may still have computed for long enough to make a worker stuck.
        if seen.0 < millis(6) {
            // The threads are the workers and the monitor.
            assert!(seen.1 <= 3 && seen.2.is_none(), "{seen:?}");
            break;
        }
    }
    done.store(true, Ordering::Relaxed);
    hogs.into_iter().for_each(|hog| hog.join().unwrap());
}

/// Returns for how long the calling thread has run on a processor.
#[cfg(target_os = "linux")]
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(stat.split_whitespace().next().unwrap().parse().unwrap())
}

/// Code of a debug build is slow, and no process is reported for that.
#[cfg(debug_assertions)]
#[test]
fn slow_code_of_a_debug_build_is_not_reported() {
    let _alone = alone();
    keep_log();
    let node = TestNode::new();
    node.0.block_on(async {
        let (slow, monitor) = spawn_monitor(async {
            let begun = clock().now();
            while clock().now().since(begun) < millis(200) {
                std::hint::spin_loop();
            }
        });
        assert_eq!(down(monitor).await, ExitReason::Normal);
        assert_eq!(report_of(slow), None);
    });
}

/// Many processes that are stuck at the same time do not fill the log.
#[test]
#[allow(clippy::disallowed_methods, reason = "processes that do what they should not")]
fn reports_are_limited() {
    const STUCK: usize = 80;
    let _alone = alone();
    keep_log();
    let node = TestNode::new();
    node.0.block_on(async {
        let (release, released) = std::sync::mpsc::channel::<()>();
        let released = Arc::new(Mutex::new(released));
        let stuck: Vec<_> = (0..STUCK)
            .map(|_| {
                let released = released.clone();
                spawn_monitor(async move { _ = released.lock().unwrap().recv_timeout(LIMIT) })
            })
            .collect();
        let reported = || stuck.iter().filter(|(pid, _)| report_of(*pid).is_some()).count();
        let begun = clock().now();
        while reported() < 32 {
            assert!(clock().now().since(begun) < LIMIT, "{} of {STUCK}", reported());
            sleep(millis(5)).await;
        }
        // The pause is long enough for the other processes. No event tells that they are stuck.
        sleep(millis(300)).await;
        let seconds = clock().now().since(begun).as_secs() as usize;
        assert!(reported() <= 33 + seconds, "{} of {STUCK}", reported());
        drop(release);
        for (_, monitor) in stuck {
            assert_eq!(down(monitor).await, ExitReason::Normal);
        }
    });
}

/// PROC-12: a process that sends to another all the time, with suspension points or without,
/// starves neither the other processes nor the timers.
#[test]
fn a_flood_of_messages_starves_nothing() {
    let _alone = alone();
    let node = TestNode::new();
    node.0.block_on(async {
        for pauses in [false, true] {
            let (sent, taken) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
            let done = Arc::new(AtomicBool::new(false));
            let (counts, ends) = (taken.clone(), done.clone());
            let (victim, drowned) = spawn_monitor(async move {
                while !ends.load(Ordering::Relaxed) {
                    receive! { _: u64 => counts.fetch_add(1, Ordering::Relaxed), after millis(1) => 0 };
                }
            });
            let (ends, took) = (done.clone(), taken.clone());
            let (_, flood) = spawn_monitor(async move {
                while !ends.load(Ordering::Relaxed) {
                    let n = sent.load(Ordering::Relaxed);
                    // The flood is limited to the messages that fit into memory.
                    if n < took.load(Ordering::Relaxed) + 100_000 {
                        send(victim, n);
                        sent.store(n + 1, Ordering::Relaxed);
                    }
                    if pauses && n.is_multiple_of(10) {
                        yield_now().await;
                    }
                }
            });
            measure_until_fair().await;
            done.store(true, Ordering::Relaxed);
            for monitor in [flood, drowned] {
                assert_eq!(down(monitor).await, ExitReason::Normal);
            }
            assert!(taken.load(Ordering::Relaxed) > 0);
        }
    });
}

/// PROC-12: processes that always have a message don't starve the others.
#[test]
fn processes_that_flood_themselves_starve_nothing() {
    let _alone = alone();
    let node = TestNode::new();
    node.0.block_on(async {
        let gluttons: Vec<_> = (0..4)
            .map(|_| {
                spawn_monitor(async move {
                    (0..1000_u64).for_each(|n| send(self_pid(), n));
                    loop {
                        receive! {
                            n: u64 => send(self_pid(), n),
                            (): () => return,
                        }
                    }
                })
            })
            .collect();
        measure_until_fair().await;
        for (pid, monitor) in gluttons {
            send(pid, ());
            assert_eq!(down(monitor).await, ExitReason::Normal);
        }
    });
}
