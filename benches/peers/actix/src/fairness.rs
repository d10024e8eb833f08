//! fairness: a round trip every millisecond, next to a loop on every arbiter.

use std::time::Duration;

use actix::prelude::*;
use fika_bench_kit::{Clock, Params, latency, spin_for, watchdog};
use tokio::sync::mpsc::unbounded_channel;

use crate::arbiters;
use crate::echo::{Asker, Echo, Go, all_done};

pub(crate) async fn run_hard(p: Params) {
    beside(&p, |arbiter| arbiter.spawn(async { spin_for(Duration::MAX) })).await;
}

pub(crate) async fn run_cooperative(p: Params) {
    let slice = Duration::from_micros(p.get("slice_us"));
    let start_loop = |arbiter: &Arbiter| {
        arbiter.spawn(async move {
            loop {
                spin_for(slice);
                tokio::task::yield_now().await;
            }
        })
    };
    beside(&p, start_loop).await;
}

async fn beside(p: &Params, start_loop: impl Fn(&Arbiter) -> bool) {
    watchdog(p.get("starved_s"), "starved: no progress next to loops on all cores");
    let arbiters = arbiters();
    let (done, mut all) = unbounded_channel();
    let arbiter = arbiters[0].handle();
    let echo = Echo::start_in_arbiter(&arbiter, |_| Echo);
    let asker = Asker::start_in_arbiter(&arbiter, move |_| Asker { echo, left: 0, done });
    asker.do_send(Go(100));
    all_done(&mut all, 1).await;
    for arbiter in &arbiters {
        start_loop(arbiter);
    }
    let (mut round_trips, mut late) = (Vec::new(), Vec::new());
    for _ in 0..p.get("rounds") {
        let clock = Clock::start();
        tokio::time::sleep(Duration::from_millis(1)).await;
        late.push(clock.ns().saturating_sub(1_000_000));
        let clock = Clock::start();
        asker.do_send(Go(1));
        all_done(&mut all, 1).await;
        round_trips.push(clock.ns());
    }
    latency("round_trip", &round_trips);
    latency("sleep_late", &late);
}
