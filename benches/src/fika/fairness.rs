//! fairness: a round trip every millisecond, next to a loop on every core. A hard loop never
//! awaits; a cooperative loop awaits after every slice.

use std::thread::available_parallelism;

use fika::prelude::*;
use fika::process::yield_now;
use fika_bench_kit::{Clock, Params, latency, spin_for, watchdog};

use super::echo::{echo, ping_times};

pub(super) async fn run_hard(p: Params) {
    let start_loop = || {
        spawn(async { spin_for(Duration::MAX) });
    };
    beside(&p, start_loop).await;
}

pub(super) async fn run_cooperative(p: Params) {
    let slice = Duration::from_micros(p.get("slice_us"));
    let start_loop = || {
        spawn(async move {
            loop {
                spin_for(slice);
                yield_now().await;
            }
        });
    };
    beside(&p, start_loop).await;
}

async fn beside(p: &Params, start_loop: impl Fn()) {
    watchdog(p.get("starved_s"), "starved: no progress next to loops on all cores");
    let echo = spawn(echo());
    ping_times(echo, 100).await;
    let cores = available_parallelism().map_or(1, usize::from);
    (0..cores).for_each(|_| start_loop());
    let (mut round_trips, mut late) = (Vec::new(), Vec::new());
    for _ in 0..p.get("rounds") {
        let clock = Clock::start();
        sleep(millis(1)).await;
        late.push(clock.ns().saturating_sub(1_000_000));
        let clock = Clock::start();
        ping_times(echo, 1).await;
        round_trips.push(clock.ns());
    }
    latency("round_trip", &round_trips);
    latency("sleep_late", &late);
}
