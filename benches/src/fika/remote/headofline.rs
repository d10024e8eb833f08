//! headofline: a round trip every millisecond next to 64 MiB messages in the same direction, and
//! the throughput of these messages.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use fika::prelude::*;
use fika_bench_kit::{Clock, Params, Peer, latency, metric};

use super::super::echo::{echo, ping_times};
use super::B;
use super::oneway::{feed_forever, sink};

pub(super) async fn run(p: Params, _peer: Peer) {
    let echo = spawn_on(B, echo()).await;
    ping_times(echo, 500).await;
    let sink = spawn_on(B, sink(1)).await;
    let moved = Arc::new(AtomicU64::new(0));
    let data = Bytes::from(vec![7; p.size("size")]);
    let counter = moved.clone();
    spawn_link(feed_forever(sink, data, move |bytes| {
        counter.fetch_add(bytes, Ordering::Relaxed);
    }));
    sleep(millis(p.get("settle_ms"))).await;

    let before = moved.load(Ordering::Relaxed);
    let all = Clock::start();
    let mut round_trips = Vec::new();
    while all.elapsed() < millis(p.get("ms")) {
        let clock = Clock::start();
        ping_times(echo, 1).await;
        round_trips.push(clock.ns());
        sleep(millis(1)).await;
    }
    let bytes = moved.load(Ordering::Relaxed) - before;
    latency("round_trip", &round_trips);
    metric("bulk_mb_per_s", bytes as f64 / all.elapsed().as_secs_f64() / 1e6);
}
