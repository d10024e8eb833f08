//! oneway: messages in one direction. The receiver acknowledges them in batches, and a sender has
//! at most a window of messages in flight. bulk does this with large messages.

use bytes::Bytes;
use fika::prelude::*;
use fika_bench_kit::{Params, Peer, Stopwatch, metric};
use serde::{Deserialize, Serialize};

use super::super::echo::{Done, Go, all_done};
use super::B;

#[derive(Message, Serialize, Deserialize)]
struct Data {
    from: Pid,
    data: Bytes,
}

#[derive(Message, Serialize, Deserialize)]
struct Ack;

pub(super) async fn run(p: Params, peer: Peer) {
    let (senders, each, size) = (p.get("senders"), p.get("each"), p.get("size"));
    let me = self_pid();
    let mut feeders = Vec::new();
    for _ in 0..senders {
        let sink = spawn_on(B, sink(p.get("ack_every"))).await;
        feeders.push(spawn_link(feed(p.clone(), sink, me)));
    }
    let watch = Stopwatch::start_with(&[peer.id()]);
    feeders.into_iter().for_each(|feeder| send(feeder, Go));
    all_done(senders).await;
    let (elapsed, n) = (watch.stop(), senders * each);
    metric("messages_per_s", elapsed.per_s(n));
    metric("mb_per_s", elapsed.per_s(n * size) / 1e6);
    metric("cpu_us_per_message", elapsed.cpu_us_each(n));
}

/// Acknowledges every `ack_every` messages.
#[remote]
pub(super) async fn sink(ack_every: u64) {
    loop {
        for left in (0..ack_every).rev() {
            let (from, data) = receive! { Data { from, data } => (from, data) };
            std::hint::black_box(data.len());
            if left == 0 {
                send(from, Ack);
            }
        }
    }
}

/// Sends until everything has been sent and acknowledged. `each` and the window are multiples of
/// `ack_every`.
async fn feed(p: Params, sink: Pid, home: Pid) {
    let (each, ack_every) = (p.get("each"), p.get("ack_every"));
    let from = self_pid();
    let data = Bytes::from(vec![7; p.size("size")]);
    let mut credit = p.get("window");
    let mut acks = each / ack_every;
    receive! { Go => {} }
    for _ in 0..each {
        if credit == 0 {
            receive! { Ack => {} }
            credit += ack_every;
            acks -= 1;
        }
        send(sink, Data { from, data: data.clone() });
        credit -= 1;
    }
    for _ in 0..acks {
        receive! { Ack => {} }
    }
    send(home, Done);
}

/// Sends forever, with two messages in flight, and reports the acknowledged bytes.
pub(super) async fn feed_forever(sink: Pid, data: Bytes, acked: impl Fn(u64)) {
    let from = self_pid();
    send(sink, Data { from, data: data.clone() });
    loop {
        send(sink, Data { from, data: data.clone() });
        receive! { Ack => acked(data.len() as u64) }
    }
}
