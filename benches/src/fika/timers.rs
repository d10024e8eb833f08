//! timers: starting and canceling timers while a million are active, and how late they fire when
//! a hundred thousand are due within a second.

use std::hint::black_box;

use fika::prelude::*;
use fika::time::cancel_timer;
use fika_bench_kit::{Clock, Params, Stopwatch, latency, metric};
use serde::{Deserialize, Serialize};

#[derive(Message, Serialize, Deserialize)]
struct Tick;

/// The time at which the timer should fire, on the workload's clock.
#[derive(Message, Serialize, Deserialize)]
struct Due(u64);

pub(super) async fn run_start_cancel(p: Params) {
    let n = p.get("n");
    let me = self_pid();
    let after = |i: u64| millis(60_000 + i % 60_000);
    let watch = Stopwatch::start();
    let timers: Vec<_> = (0..n).map(|i| send_after(after(i), me, Tick)).collect();
    metric("ns_per_start", watch.stop().ns_each(n));
    let watch = Stopwatch::start();
    for timer in timers {
        black_box(cancel_timer(timer));
    }
    metric("ns_per_cancel", watch.stop().ns_each(n));
    let watch = Stopwatch::start();
    for i in 0..n {
        black_box(cancel_timer(send_after(after(i), me, Tick)));
    }
    metric("ns_per_start_and_cancel", watch.stop().ns_each(n));
}

pub(super) async fn run_fire(p: Params) {
    let (n, lead_ms, over_ms) = (p.get("n"), p.get("lead_ms"), p.get("over_ms"));
    let clock = Clock::start();
    for i in 0..n {
        let due = (lead_ms + i % over_ms) * 1_000_000;
        send_after(Duration::from_nanos(due.saturating_sub(clock.ns())), self_pid(), Due(due));
    }
    let mut late = Vec::with_capacity(p.size("n"));
    for _ in 0..n {
        receive! { Due(due) => late.push(clock.ns().saturating_sub(due)) }
    }
    latency("late", &late);
}
