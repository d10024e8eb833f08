//! A round trip every millisecond, next to a loop on every core.

use std::thread::available_parallelism;
use std::time::Duration;

use fika_bench_kit::{Clock, Params, latency, spin_for, watchdog};
use tokio::sync::mpsc::unbounded_channel;

use crate::echo::{Asker, Echo, Go, all_done, start, tell};

pub(crate) async fn hard(p: Params) {
    let start_loop = || {
        tokio::spawn(async { spin_for(Duration::MAX) });
    };
    beside(&p, start_loop).await;
}

pub(crate) async fn cooperative(p: Params) {
    let slice = Duration::from_micros(p.get("slice_us"));
    let start_loop = || {
        tokio::spawn(async move {
            loop {
                spin_for(slice);
                tokio::task::yield_now().await;
            }
        });
    };
    beside(&p, start_loop).await;
}

async fn beside(p: &Params, start_loop: impl Fn()) {
    watchdog(p.get("starved_s"), "starved: no progress next to loops on all cores");
    let (done, mut all) = unbounded_channel();
    let asker = start(Asker { echo: start(Echo), left: 0, done });
    tell(&asker, Go(100));
    all_done(&mut all, 1).await;
    let cores = available_parallelism().map_or(1, usize::from);
    (0..cores).for_each(|_| start_loop());
    let (mut round_trips, mut late) = (Vec::new(), Vec::new());
    for _ in 0..p.get("rounds") {
        let clock = Clock::start();
        tokio::time::sleep(Duration::from_millis(1)).await;
        late.push(clock.ns().saturating_sub(1_000_000));
        let clock = Clock::start();
        tell(&asker, Go(1));
        all_done(&mut all, 1).await;
        round_trips.push(clock.ns());
    }
    latency("round_trip", &round_trips);
    latency("sleep_late", &late);
}
