//! Timers of processes.

use std::hint::black_box;
use std::time::Duration;

use fika_bench_kit::{Clock, Params, Stopwatch, latency, metric};
use hydra::Process;

use crate::message::{Say, hear};

pub(crate) fn start_cancel(p: Params) {
    let n = p.get("n");
    let me = Process::current();
    let after = |i: u64| Duration::from_millis(60_000 + i % 60_000);
    let watch = Stopwatch::start();
    let timers: Vec<_> = (0..n).map(|i| Process::send_after(me, Say::Go, after(i))).collect();
    metric("ns_per_start", watch.stop().ns_each(n));
    let watch = Stopwatch::start();
    timers.into_iter().for_each(Process::cancel_timer);
    metric("ns_per_cancel", watch.stop().ns_each(n));
    let watch = Stopwatch::start();
    for i in 0..n {
        Process::cancel_timer(black_box(Process::send_after(me, Say::Go, after(i))));
    }
    metric("ns_per_start_and_cancel", watch.stop().ns_each(n));
}

pub(crate) async fn fire(p: Params) {
    let (n, lead_ms, over_ms) = (p.get("n"), p.get("lead_ms"), p.get("over_ms"));
    let me = Process::current();
    let clock = Clock::start();
    for i in 0..n {
        let due = (lead_ms + i % over_ms) * 1_000_000;
        let after = Duration::from_nanos(due.saturating_sub(clock.ns()));
        Process::send_after(me, Say::Due(due), after);
    }
    let mut late = Vec::with_capacity(p.size("n"));
    while late.len() < p.size("n") {
        if let Say::Due(due) = hear().await {
            late.push(clock.ns().saturating_sub(due));
        }
    }
    latency("late", &late);
}
