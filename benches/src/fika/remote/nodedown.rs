//! nodedown: how long until the loss of a killed or frozen node is reported.

use fika::net::monitor_nodes;
use fika::prelude::*;
use fika_bench_kit::{Clock, Params, Peer, failed, metric};

use super::super::echo::{echo, ping_times};
use super::B;

pub(super) async fn run_kill(p: Params, peer: Peer) {
    until_nodedown(p, || peer.kill()).await;
}

/// The loss is noticed by missing ticks: after the ticktime, plus or minus one tick.
pub(super) async fn run_stop(p: Params, peer: Peer) {
    until_nodedown(p, || peer.freeze()).await;
}

async fn until_nodedown(p: Params, end: impl FnOnce()) {
    let echo = spawn_on(B, echo()).await;
    ping_times(echo, 100).await;
    monitor_nodes(true);
    // Lets the first ticks pass.
    sleep(millis(p.get("settle_ms"))).await;
    let clock = Clock::start();
    end();
    receive! {
        NodeDown { .. } => metric("ms_until_nodedown", clock.ns() as f64 / 1e6),
        after secs(p.get("wait_s")) => failed("the loss was not noticed in time"),
    }
}
