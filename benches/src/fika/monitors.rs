//! monitors: a process with many monitors on it ends; all of one watcher, or one of many.

use fika::prelude::*;
use fika_bench_kit::{Params, Stopwatch, metric};

use super::echo::{Done, Go, all_done, wait_forever};

pub(super) async fn run(p: Params) {
    let (n, settle) = (p.get("n"), millis(p.get("settle_ms")));
    let target = spawn(wait_forever());
    let watch = Stopwatch::start();
    for _ in 0..n {
        monitor(target);
    }
    metric("ns_per_monitor", watch.stop().ns_each(n));
    sleep(settle).await;
    let watch = Stopwatch::start();
    exit_process(target, ExitReason::Kill);
    for _ in 0..n {
        receive! { Down { .. } => {} }
    }
    metric("ms_one_watcher", watch.stop().ms());

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
    metric("ms_many_watchers", watch.stop().ms());
}
