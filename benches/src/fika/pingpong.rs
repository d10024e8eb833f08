//! pingpong: one pair of processes. pairs: a thousand pairs at once.

use fika::prelude::*;
use fika_bench_kit::{Params, Stopwatch, metric};

use super::echo::{Done, Go, all_done, echo, ping_times};

pub(super) async fn run(p: Params) {
    let n = p.get("n");
    let (me, echo) = (self_pid(), spawn(echo()));
    spawn(async move {
        ping_times(echo, n / 10).await;
        let watch = Stopwatch::start();
        ping_times(echo, n).await;
        metric("ns_per_round_trip", watch.stop().ns_each(n));
        send(me, Done);
    });
    all_done(1).await;
}

pub(super) async fn run_pairs(p: Params) {
    let (pairs, each) = (p.get("pairs"), p.get("each"));
    rounds(pairs, each / 10).await;
    let elapsed = rounds(pairs, each).await.stop();
    metric("round_trips_per_s", elapsed.per_s(pairs * each));
}

async fn rounds(pairs: u64, each: u64) -> Stopwatch {
    let me = self_pid();
    let one = |_| {
        let echo = spawn(echo());
        spawn(async move {
            receive! { Go => {} }
            ping_times(echo, each).await;
            send(me, Done);
        })
    };
    let askers: Vec<Pid> = (0..pairs).map(one).collect();
    let watch = Stopwatch::start();
    askers.into_iter().for_each(|asker| send(asker, Go));
    all_done(pairs).await;
    watch
}
