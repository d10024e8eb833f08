//! stop: a node with many waiting processes stops.

use fika::Node;
use fika::prelude::*;
use fika_bench_kit::{Params, Stopwatch, failed, metric};

use super::echo::wait_forever;

pub(super) fn run(node: &Node, p: Params) {
    let n = p.get("n");
    node.block_on(async move {
        for _ in 0..n {
            spawn(wait_forever());
        }
        sleep(millis(p.get("settle_ms"))).await;
    });
    let watch = Stopwatch::start();
    let all_ended = node.stop();
    let elapsed = watch.stop();
    if !all_ended {
        return failed("some processes had not ended in time");
    }
    metric("ms_until_stopped", elapsed.ms());
    metric("ns_per_process", elapsed.ns_each(n));
}
