//! spawn: processes on another node, each of which sends one message back. Many requests are in
//! flight, or one at a time.

use fika::prelude::*;
use fika_bench_kit::{Params, Peer, Stopwatch, metric};

use super::super::echo::{Done, all_done};
use super::B;

#[remote]
async fn say(to: Pid) {
    send(to, Done);
}

/// The caller waits for each spawn, so each request in flight needs a process here.
pub(super) async fn run_in_flight(p: Params, _peer: Peer) {
    let (n, batch) = (p.get("n"), p.get("batch"));
    let me = self_pid();
    let watch = Stopwatch::start();
    for _ in 0..n / batch {
        for _ in 0..batch {
            spawn(async move { spawn_on(B, say(me)).await });
        }
        all_done(batch).await;
    }
    metric("spawns_per_s", watch.stop().per_s(n));
}

pub(super) async fn run_one_by_one(p: Params, _peer: Peer) {
    let n = p.get("n");
    let me = self_pid();
    let watch = Stopwatch::start();
    for _ in 0..n {
        spawn_on(B, say(me)).await;
        all_done(1).await;
    }
    metric("spawns_per_s", watch.stop().per_s(n));
}
