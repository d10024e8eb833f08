//! monitors: a process with many monitors ends. One watcher has all monitors, or each of many
//! watchers has one.

use fika::prelude::*;
use fika_bench_kit::{Elapsed, Params, Stopwatch, metric};

use super::echo::{Done, Go, all_done, wait_forever};

pub(super) async fn run(p: Params) {
    let (n, settle) = (p.get("n"), millis(p.get("settle_ms")));
    let (monitors, downs) = one_watcher(n, settle).await;
    metric("ns_per_monitor", monitors.ns_each(n));
    metric("ms_one_watcher", downs.ms());
    metric("ms_many_watchers", many_watchers(n, settle).await.ms());
}

pub(super) async fn run_scale(p: Params) {
    let (n, settle) = (p.get("n"), millis(p.get("settle_ms")));
    one_watcher(n / 10, settle).await;
    let (monitors, downs) = one_watcher(n, settle).await;
    metric("ns_per_monitor", monitors.ns_each(n));
    metric("ns_per_down_one_watcher", downs.ns_each(n));
    many_watchers(n / 10, settle).await;
    let downs = many_watchers(n, settle).await;
    metric("ns_per_down_many_watchers", downs.ns_each(n));
}

/// Returns how long it took to make the monitors, and until each had sent its DOWN.
async fn one_watcher(n: u64, settle: Duration) -> (Elapsed, Elapsed) {
    let target = spawn(wait_forever());
    let watch = Stopwatch::start();
    for _ in 0..n {
        monitor(target);
    }
    let made = watch.stop();
    sleep(settle).await;
    let watch = Stopwatch::start();
    exit_process(target, ExitReason::Kill);
    for _ in 0..n {
        receive! { Down { .. } => {} }
    }
    (made, watch.stop())
}

async fn many_watchers(n: u64, settle: Duration) -> Elapsed {
    let (me, target) = (self_pid(), spawn(wait_forever()));
    for _ in 0..n {
        spawn(async move {
            monitor(target);
            send(me, Go);
            receive! { Down { .. } => send(me, Done) }
        });
    }
    for _ in 0..n {
        receive! { Go => {} }
    }
    sleep(settle).await;
    let watch = Stopwatch::start();
    exit_process(target, ExitReason::Kill);
    all_done(n).await;
    watch.stop()
}
