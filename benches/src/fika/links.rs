//! links: a process with many linked children is killed, and all of them die.

use fika::prelude::*;
use fika_bench_kit::{Elapsed, Params, Stopwatch, metric};
use serde::{Deserialize, Serialize};

use super::echo::wait_forever;

#[derive(Message, Serialize, Deserialize)]
struct Children(Vec<Pid>);

pub(super) async fn run(p: Params) {
    let (_, died) = family(p.get("n"), millis(p.get("settle_ms"))).await;
    metric("ms_until_all_died", died.ms());
}

pub(super) async fn run_scale(p: Params) {
    let (n, settle) = (p.get("n"), millis(p.get("settle_ms")));
    family(n / 10, settle).await;
    let (born, died) = family(n, settle).await;
    metric("ns_per_spawn_link", born.ns_each(n));
    metric("ns_per_child", died.ns_each(n));
}

/// Returns how long it took to spawn the children, and until all of them had died.
async fn family(n: u64, settle: Duration) -> (Elapsed, Elapsed) {
    let me = self_pid();
    let watch = Stopwatch::start();
    let parent = spawn(async move {
        send(me, Children((0..n).map(|_| spawn_link(wait_forever())).collect()));
        wait_forever().await;
    });
    let children = receive! { Children(children) => children };
    let born = watch.stop();
    for child in children {
        monitor(child);
    }
    sleep(settle).await;
    let watch = Stopwatch::start();
    exit_process(parent, ExitReason::Kill);
    for _ in 0..n {
        receive! { Down { .. } => {} }
    }
    (born, watch.stop())
}
