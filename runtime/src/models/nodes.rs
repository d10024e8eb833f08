//! Whole nodes, with workers and a monitor, whose threads run in a random order or, with the PCT
//! scheduler, in an order with few changes of priority. Nothing is lost, and every execution ends.
//!
//! `FIKA_EXECUTIONS` sets the number of executions of each model.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, MaxSteps, Runner};

use super::{Clock, receive};
use crate::sync::{Condvar, Mutex, spin_loop};
use crate::{
    Down, Exit, Node, Pid, Priority, SpawnOpts, monitor, self_pid, send, send_after, sleep, spawn,
    spawn_link, spawn_monitor, spawn_opt, trap_exit, yield_now,
};

const EXECUTIONS: usize = 300;

/// The number of priority changes in one execution.
const DEPTH: usize = 3;

/// A step of a node takes a few microseconds.
const STEP: Duration = Duration::from_micros(5);

/// Runs `root` as the first process of a node, many times with each kind of scheduler. The node has
/// `workers` workers and its monitor.
#[allow(clippy::disallowed_methods, reason = "measures a model, not a node")]
fn check<F>(workers: usize, root: impl Fn() -> F + Send + Sync + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    let count = std::env::var("FIKA_EXECUTIONS").ok().and_then(|count| count.parse().ok());
    let count = count.unwrap_or(EXECUTIONS);
    let root = Arc::new(root);
    let run = |scheduler: Box<dyn Scheduler + Send>, kind: &str| {
        let root = root.clone();
        let begun = std::time::Instant::now();
        let mut config = Config::new();
        config.stack_size = 1 << 18;
        config.max_steps = MaxSteps::FailAfter(2_000_000);
        Runner::new(scheduler, config).run(move || execute(workers, root()));
        let (thread, time) = (std::thread::current(), begun.elapsed());
        println!("{}: {count} executions ({kind}) in {time:.1?}", thread.name().unwrap_or(""));
    };
    run(Box::new(RandomScheduler::new(count)), "random");
    run(Box::new(PctScheduler::new(DEPTH, count)), "PCT");
}

fn execute(workers: usize, root: impl Future<Output = ()> + Send + 'static) {
    let env = Arc::new(Clock::new(STEP));
    let node = Node::builder().workers(workers).process_limit(64).env(env).build().unwrap();
    let done = Arc::new((Mutex::new(false), Condvar::new()));
    let tells = done.clone();
    node.spawn(async move {
        root.await;
        *tells.0.lock() = true;
        tells.1.notify_all();
    });
    let mut is_done = done.0.lock();
    while !*is_done {
        done.1.wait(&mut is_done);
    }
    drop(is_done);
    assert!(node.stop(), "a thread is left");
    assert_eq!((node.process_count(), node.timer_count()), (0, 0), "processes and timers");
}

/// Each message goes around the ring, and all arrive.
#[test]
fn shuttle_ring() {
    check(2, || async {
        let me = self_pid();
        let mut next = me;
        for _ in 0..3 {
            let to = next;
            next = spawn(async move {
                loop {
                    send(to, receive::<u32>().await + 1);
                }
            });
        }
        for n in 0..4_u32 {
            send(next, n);
        }
        // Messages are in order between two processes, and so around the ring.
        for n in 0..4_u32 {
            assert_eq!(receive::<u32>().await, n + 3);
        }
    });
}

/// Processes send, yield, sleep and end on several workers. Work is stolen, sleepers are woken, and
/// nothing is lost.
#[test]
fn shuttle_fan_in() {
    check(3, || async {
        let me = self_pid();
        for n in 0..6_u64 {
            spawn(async move {
                send(me, n);
                match n % 3 {
                    0 => sleep(Duration::from_millis(n)).await,
                    1 => yield_now().await,
                    _ => drop(send_after(Duration::from_millis(1), me, 10_u64)),
                }
                send(me, 100_u64);
            });
        }
        let mut sum = 0;
        for _ in 0..14 {
            sum += receive::<u64>().await;
        }
        assert_eq!(sum, 15 + 20 + 600);
    });
}

/// Links and monitors between processes that run on different workers.
#[test]
fn shuttle_ends() {
    check(2, || async {
        trap_exit(true);
        let child = spawn_link(async { assert_ne!(receive::<Pid>().await, self_pid()) });
        let (other, first) = spawn_monitor(async move {
            monitor(child);
            receive::<Down>().await;
        });
        let second = monitor(other);
        send(child, self_pid());
        assert_eq!(receive::<Exit>().await.from, child);
        let downs = [receive::<Down>().await.monitor, receive::<Down>().await.monitor];
        assert!(downs == [first, second] || downs == [second, first]);
    });
}

/// Tasks of all priorities.
#[test]
fn shuttle_priorities() {
    check(2, || async {
        let me = self_pid();
        for priority in Priority::ALL {
            for _ in 0..2 {
                let opts = SpawnOpts::new().priority(priority);
                spawn_opt(opts, async move {
                    yield_now().await;
                    send(me, ());
                });
            }
        }
        for _ in 0..8 {
            receive::<()>().await;
        }
    });
}

/// Processes keep all workers busy until others have done something. The monitor finds them stuck,
/// and other workers take over.
#[test]
fn shuttle_hard_loops() {
    check(2, || async {
        let (me, done) = (self_pid(), Arc::new(AtomicUsize::new(0)));
        for _ in 0..2 {
            let done = done.clone();
            spawn(async move {
                while done.load(Relaxed) < 2 {
                    spin_loop();
                }
                send(me, ());
            });
        }
        for _ in 0..2 {
            let done = done.clone();
            spawn(async move {
                yield_now().await;
                done.fetch_add(1, Relaxed);
            });
        }
        for _ in 0..2 {
            receive::<()>().await;
        }
    });
}
