//! pingpong: the times of single round trips between nodes. pairs: a hundred pairs at once.

use fika::prelude::*;
use fika_bench_kit::{Clock, Params, Peer, Stopwatch, latency, metric};

use super::super::echo::{Done, Go, all_done, echo, ping_times};
use super::B;

pub(super) async fn run(p: Params, _peer: Peer) {
    let me = self_pid();
    spawn_link(async move {
        let echo = spawn_on(B, echo()).await;
        ping_times(echo, 1000).await;
        let mut round_trips = Vec::with_capacity(p.size("n"));
        for _ in 0..p.get("n") {
            let clock = Clock::start();
            ping_times(echo, 1).await;
            round_trips.push(clock.ns());
        }
        latency("round_trip", &round_trips);
        send(me, Done);
    });
    all_done(1).await;
}

pub(super) async fn run_pairs(p: Params, peer: Peer) {
    let (pairs, each) = (p.get("pairs"), p.get("each"));
    let me = self_pid();
    let mut askers = Vec::new();
    for _ in 0..pairs {
        let echo = spawn_on(B, echo()).await;
        askers.push(spawn_link(async move {
            ping_times(echo, 10).await;
            send(me, Done);
            receive! { Go => {} }
            ping_times(echo, each).await;
            send(me, Done);
        }));
    }
    all_done(pairs).await;
    let watch = Stopwatch::start_with(&[peer.id()]);
    askers.into_iter().for_each(|asker| send(asker, Go));
    all_done(pairs).await;
    let elapsed = watch.stop();
    metric("round_trips_per_s", elapsed.per_s(pairs * each));
    metric("cpu_us_per_round_trip", elapsed.cpu_us_each(pairs * each));
}
