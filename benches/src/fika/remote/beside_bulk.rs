//! connect_beside_bulk: connecting to a third node while two others send large messages to this
//! one, compared with connecting while nothing else goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use fika::net::disconnect_node;
use fika::prelude::*;
use fika_bench_kit::{Clock, Params, Peer, failed, latency, metric};
use serde::{Deserialize, Serialize};

use super::oneway::{feed_forever, sink};
use super::{builder, connect, start_node};

const BUSY: [&str; 2] = ["b@127.0.0.1", "c@127.0.0.1"];
const THIRD: &str = "d@127.0.0.1";

/// The number of bytes that were received so far, as one of the busy nodes knows it.
#[derive(Message, Serialize, Deserialize)]
struct Moved(u64);

/// Sends messages of this size to `sink` without end, and reports what was acknowledged.
#[remote]
async fn feed_home(sink: Pid, home: Pid, size: u64) {
    let data = Bytes::from(vec![7; usize::try_from(size).expect("a size in memory")]);
    feed_forever(sink, data, move |bytes| send(home, Moved(bytes))).await;
}

pub(super) fn run(p: Params) {
    let node = match builder("a@127.0.0.1", &p).build() {
        Ok(node) => node,
        Err(error) => return failed(&format!("no node: {error}")),
    };
    let nodes = BUSY.into_iter().chain([THIRD]);
    let peers: Vec<Peer> = nodes.map(|name| start_node(name, &p)).collect();
    node.block_on(async move {
        measure(&p).await;
        drop(peers);
    });
}

async fn measure(p: &Params) {
    for name in BUSY.into_iter().chain([THIRD]) {
        connect(name).await;
    }
    let idle = connects(p.get("connects")).await;
    let moved = Arc::new(AtomicU64::new(0));
    let counter = moved.clone();
    let home = spawn_link(async move {
        loop {
            receive! { Moved(bytes) => drop(counter.fetch_add(bytes, Ordering::Relaxed)) }
        }
    });
    for name in BUSY {
        let sink = spawn_link(sink(1));
        spawn_on(name, feed_home(sink, home, p.get("size"))).await;
    }
    sleep(millis(p.get("settle_ms"))).await;
    let (before, all) = (moved.load(Ordering::Relaxed), Clock::start());
    let busy = connects(p.get("connects")).await;
    let bytes = moved.load(Ordering::Relaxed) - before;
    metric("bulk_mb_per_s", bytes as f64 / all.elapsed().as_secs_f64() / 1e6);
    latency("idle_connect", &idle);
    latency("connect", &busy);
    metric("times_idle", median(busy) as f64 / median(idle) as f64);
}

/// Connects to the third node so many times, and returns how long each took, in nanoseconds.
async fn connects(count: u64) -> Vec<u64> {
    let mut times = Vec::new();
    for _ in 0..count {
        disconnect_node(THIRD).await;
        // The other node is to have noticed, so that it takes no connection for a second one.
        sleep(millis(10)).await;
        let clock = Clock::start();
        if connect_node(THIRD).await != Some(true) {
            failed("the third node can't be connected");
            break;
        }
        times.push(clock.ns());
    }
    times
}

fn median(mut times: Vec<u64>) -> u64 {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or(1)
}
