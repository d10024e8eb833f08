//! idle: many waiting actors.

use std::time::Duration;

use actix::prelude::*;
use fika_bench_kit::{Params, Stopwatch, metric, rss_bytes};
use tokio::sync::mpsc::unbounded_channel;

use crate::echo::{Echo, Hello, all_done};

pub(crate) async fn run(p: Params) {
    let n = p.get("n");
    let mut actors = Vec::with_capacity(p.size("n"));
    let before = rss_bytes();
    let watch = Stopwatch::start();
    actors.extend((0..n).map(|_| Echo.start()));
    metric("ns_per_spawn", watch.stop().ns_each(n));
    tokio::time::sleep(Duration::from_millis(p.get("settle_ms"))).await;
    metric("bytes_per_process", (rss_bytes() - before) / n as f64);
    let (done, mut all) = unbounded_channel();
    let watch = Stopwatch::start();
    actors.iter().for_each(|actor| actor.do_send(Hello(done.clone())));
    all_done(&mut all, n).await;
    metric("wake_all_ns_each", watch.stop().ns_each(n));
}
