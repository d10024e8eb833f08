//! idle: many waiting processes: the memory of each, and the time to wake all of them and get their
//! answers.

use fika::prelude::*;
use fika_bench_kit::{Params, Stopwatch, metric, rss_bytes};

use super::echo::{Ping, Pong, echo};

/// Processes that are spawned before measuring, so that one-time costs do not count for few
/// processes.
const FIRST: u64 = 100;

pub(super) async fn run_scale(p: Params) {
    let pids: Vec<Pid> = (0..FIRST).map(|_| spawn(echo())).collect();
    wake_all(&pids).await;
    run(p).await;
}

pub(super) async fn run(p: Params) {
    let n = p.get("n");
    let mut pids = Vec::with_capacity(p.size("n"));
    let before = rss_bytes();
    let watch = Stopwatch::start();
    pids.extend((0..n).map(|_| spawn(echo())));
    metric("ns_per_spawn", watch.stop().ns_each(n));
    // Wait until each process waits in its `receive!`.
    sleep(millis(p.get("settle_ms"))).await;
    metric("bytes_per_process", (rss_bytes() - before) / n as f64);

    let watch = Stopwatch::start();
    wake_all(&pids).await;
    metric("wake_all_ns_each", watch.stop().ns_each(n));
}

async fn wake_all(pids: &[Pid]) {
    let me = self_pid();
    pids.iter().for_each(|pid| send(pid, Ping(me)));
    for _ in pids {
        receive! { Pong => {} }
    }
}
