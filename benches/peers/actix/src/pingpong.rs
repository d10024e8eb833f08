//! pingpong: one pair of actors, on one arbiter. pairs: a thousand pairs, spread over all arbiters.

use actix::prelude::*;
use fika_bench_kit::{Params, Stopwatch, metric};
use tokio::sync::mpsc::unbounded_channel;

use crate::arbiters;
use crate::echo::{Asker, Echo, Go, all_done};

pub(crate) async fn run(p: Params) {
    let n = p.get("n");
    rounds(1, n / 10).await;
    metric("ns_per_round_trip", rounds(1, n).await.stop().ns_each(n));
}

pub(crate) async fn run_pairs(p: Params) {
    let (pairs, each) = (p.get("pairs"), p.get("each"));
    rounds(pairs, each / 10).await;
    let elapsed = rounds(pairs, each).await.stop();
    metric("round_trips_per_s", elapsed.per_s(pairs * each));
}

async fn rounds(pairs: u64, each: u64) -> Stopwatch {
    let arbiters = arbiters();
    let (done, mut all) = unbounded_channel();
    let one = |i| {
        let arbiter = arbiters[i as usize % arbiters.len()].handle();
        let echo = Echo::start_in_arbiter(&arbiter, |_| Echo);
        let done = done.clone();
        Asker::start_in_arbiter(&arbiter, move |_| Asker { echo, left: 0, done })
    };
    let askers: Vec<Addr<Asker>> = (0..pairs).map(one).collect();
    // Wait until each actor has started.
    askers.iter().for_each(|asker| asker.do_send(Go(1)));
    all_done(&mut all, pairs).await;
    let watch = Stopwatch::start();
    askers.iter().for_each(|asker| asker.do_send(Go(each)));
    all_done(&mut all, pairs).await;
    watch
}
