//! The cost of single operations of processes. Each operation is timed inside a process, in
//! batches. Between batches, the garbage that the operations leave is removed without being timed.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use fika::prelude::*;
use fika::process::unregister;
use fika::time::cancel_timer;
use fika_bench_kit::Clock;
use serde::{Deserialize, Serialize};

/// The operations in a batch.
const TURN: u64 = 1000;

#[derive(Message, Serialize, Deserialize)]
struct Item(u64);

/// A batch has ended.
#[derive(Message, Serialize, Deserialize)]
struct Over(Pid);

#[derive(Message, Serialize, Deserialize)]
struct Done;

/// Returns the sizes of the batches for this many operations.
fn turns(operations: u64) -> impl Iterator<Item = u64> + Send {
    (0..operations).step_by(TURN as usize).map(move |begin| TURN.min(operations - begin))
}

/// Measures an operation. `work` does the operation this many times in a process, and returns how
/// long that took.
fn measure<F>(c: &mut Criterion, name: &str, work: impl Fn(u64) -> F)
where
    F: Future<Output = Duration> + Send + 'static,
{
    let node = Node::builder().build().expect("a node without a name needs nothing");
    c.bench_function(name, |b| b.iter_custom(|operations| node.block_on(work(operations))));
    node.stop();
}

fn local(c: &mut Criterion) {
    measure(c, "send", sends);
    measure(c, "receive", receives);
    measure(c, "round_trip", round_trips);
    measure(c, "spawn", spawns);
    measure(c, "look_up", look_ups);
    measure(c, "whereis", whereis_calls);
    measure(c, "timer/start", |n| timers(n, true));
    measure(c, "timer/cancel", |n| timers(n, false));
}

async fn take() {
    loop {
        receive! {
            Item(n) => drop(black_box(n)),
            Over(from) => send(from, Done),
        }
    }
}

async fn sends(operations: u64) -> Duration {
    let (to, mut time) = (spawn(take()), Duration::ZERO);
    for n in turns(operations) {
        let clock = Clock::start();
        (0..n).for_each(|i| send(to, Item(i)));
        time += clock.elapsed();
        send(to, Over(self_pid()));
        receive! { Done => {} }
    }
    exit_process(to, ExitReason::Kill);
    time
}

async fn receives(operations: u64) -> Duration {
    let mut time = Duration::ZERO;
    for n in turns(operations) {
        (0..n).for_each(|i| send(self_pid(), Item(i)));
        let clock = Clock::start();
        for _ in 0..n {
            receive! { Item(n) => drop(black_box(n)) }
        }
        time += clock.elapsed();
    }
    time
}

async fn round_trips(operations: u64) -> Duration {
    let (to, me) = (spawn(take()), self_pid());
    let clock = Clock::start();
    for _ in 0..operations {
        send(to, Over(me));
        receive! { Done => {} }
    }
    let time = clock.elapsed();
    exit_process(to, ExitReason::Kill);
    time
}

/// Measures only the call. The process runs and ends at the same time or later.
async fn spawns(operations: u64) -> Duration {
    let (me, mut time) = (self_pid(), Duration::ZERO);
    for n in turns(operations) {
        let clock = Clock::start();
        for _ in 0..n {
            black_box(spawn(async move { send(me, Done) }));
        }
        time += clock.elapsed();
        for _ in 0..n {
            receive! { Done => {} }
        }
    }
    time
}

/// Looks up a process's slot by its pid, among a thousand processes.
async fn look_ups(operations: u64) -> Duration {
    let node = self_node();
    let pids: Vec<Pid> = (0..TURN).map(|_| spawn(take())).collect();
    let mut time = Duration::ZERO;
    for n in turns(operations) {
        let clock = Clock::start();
        for pid in &pids[..n as usize] {
            black_box(node.is_process_alive(*black_box(pid)));
        }
        time += clock.elapsed();
    }
    pids.into_iter().for_each(|pid| exit_process(pid, ExitReason::Kill));
    time
}

async fn whereis_calls(operations: u64) -> Duration {
    register("measured", self_pid()).expect("the name is free");
    let clock = Clock::start();
    for _ in 0..operations {
        black_box(whereis(black_box("measured")));
    }
    let time = clock.elapsed();
    let _ = unregister("measured");
    time
}

/// Starts and cancels a batch of timers; `starts` says which of the two is measured.
async fn timers(operations: u64, starts: bool) -> Duration {
    let (me, mut time) = (self_pid(), Duration::ZERO);
    for n in turns(operations) {
        let clock = Clock::start();
        let timers: Vec<_> = (0..n).map(|i| send_after(secs(60 + i), me, Done)).collect();
        let started = clock.elapsed();
        for timer in timers {
            black_box(cancel_timer(timer));
        }
        time += if starts { started } else { clock.elapsed() - started };
    }
    time
}

/// A short run, which still gives figures within a few percent.
fn short() -> Criterion {
    Criterion::default().warm_up_time(millis(500)).measurement_time(secs(2))
}

criterion_group! {
    name = benches;
    config = short();
    targets = local
}
criterion_main!(benches);
