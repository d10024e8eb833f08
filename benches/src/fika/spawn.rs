//! spawn: processes that send one message and end, in batches. Each batch is waited for.

use fika::prelude::*;
use fika_bench_kit::{Params, Stopwatch, metric};

use super::echo::{Done, all_done};

pub(super) async fn run(p: Params) {
    let (n, batch) = (p.get("n"), p.get("batch"));
    batches(n / 10, batch).await;
    let watch = Stopwatch::start();
    batches(n, batch).await;
    metric("ns_per_process", watch.stop().ns_each(n));
}

async fn batches(n: u64, batch: u64) {
    let me = self_pid();
    for _ in 0..n / batch {
        for _ in 0..batch {
            spawn(async move { send(me, Done) });
        }
        all_done(batch).await;
    }
}
