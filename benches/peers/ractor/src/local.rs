//! Actors that send and receive.

use std::time::Duration;

use fika_bench_kit::{Params, Stopwatch, metric, rss_bytes};
use ractor::{Actor, ActorRef, RpcReplyPort};
use tokio::sync::mpsc::unbounded_channel;
use tokio::sync::watch;

use crate::echo::{Asker, Asking, Done, Echo, Handled, Ping, Pong, all_done, start, tell};

/// Sends a message when it starts, and then ends.
struct Once;

struct Nothing;

impl Actor for Once {
    type Msg = Nothing;
    type State = ();
    type Arguments = Done;

    async fn pre_start(&self, me: ActorRef<Nothing>, done: Done) -> Handled {
        me.stop(None);
        let _ = done.send(());
        Ok(())
    }
}

pub(crate) async fn spawn(p: Params) {
    let (n, batch) = (p.get("n"), p.get("batch"));
    spawn_batches(n / 10, batch).await;
    let watch = Stopwatch::start();
    spawn_batches(n, batch).await;
    metric("ns_per_process", watch.stop().ns_each(n));
}

async fn spawn_batches(n: u64, batch: u64) {
    let (done, mut all) = unbounded_channel();
    for _ in 0..n / batch {
        for _ in 0..batch {
            start(Once, done.clone()).await;
        }
        all_done(&mut all, batch).await;
    }
}

pub(crate) async fn idle(p: Params) {
    let n = p.get("n");
    let mut actors = Vec::with_capacity(p.size("n"));
    let before = rss_bytes();
    let watch = Stopwatch::start();
    for _ in 0..n {
        actors.push(start(Echo, ()).await);
    }
    metric("ns_per_spawn", watch.stop().ns_each(n));
    tokio::time::sleep(Duration::from_millis(p.get("settle_ms"))).await;
    metric("bytes_per_process", (rss_bytes() - before) / n as f64);
    let (done, mut all) = unbounded_channel();
    let watch = Stopwatch::start();
    actors.iter().for_each(|actor| tell(actor, Ping::Hello(done.clone())));
    all_done(&mut all, n).await;
    metric("wake_all_ns_each", watch.stop().ns_each(n));
}

pub(crate) async fn pingpong(p: Params) {
    let n = p.get("n");
    rounds(1, n / 10).await;
    metric("ns_per_round_trip", rounds(1, n).await.stop().ns_each(n));
}

pub(crate) async fn pairs(p: Params) {
    let (pairs, each) = (p.get("pairs"), p.get("each"));
    rounds(pairs, each / 10).await;
    let elapsed = rounds(pairs, each).await.stop();
    metric("round_trips_per_s", elapsed.per_s(pairs * each));
}

async fn rounds(pairs: u64, each: u64) -> Stopwatch {
    let (done, mut all) = unbounded_channel();
    let mut askers = Vec::new();
    for _ in 0..pairs {
        let asking = Asking { echo: start(Echo, ()).await, left: 0, done: done.clone() };
        askers.push(start(Asker, asking).await);
    }
    let watch = Stopwatch::start();
    askers.iter().for_each(|asker| tell(asker, Pong::Go(each)));
    all_done(&mut all, pairs).await;
    watch
}

/// Counts the messages that it receives, and answers calls.
pub(crate) struct Counter;

pub(crate) struct Counting {
    pub(crate) n: u64,
    pub(crate) until: u64,
    pub(crate) done: Done,
}

pub(crate) enum Count {
    Item(u64),
    Call(RpcReplyPort<u64>),
}

impl Actor for Counter {
    type Msg = Count;
    type State = Counting;
    type Arguments = Counting;

    async fn pre_start(&self, _: ActorRef<Count>, counting: Counting) -> Handled<Counting> {
        Ok(counting)
    }

    async fn handle(&self, _: ActorRef<Count>, count: Count, counting: &mut Counting) -> Handled {
        counting.n += 1;
        match count {
            Count::Item(item) => {
                std::hint::black_box(item);
                if counting.n == counting.until {
                    let _ = counting.done.send(());
                }
            }
            Count::Call(port) => drop(port.send(counting.n)),
        }
        Ok(())
    }
}

pub(crate) async fn fanin(p: Params) {
    let (senders, each) = (p.get("senders"), p.get("each"));
    let (done, mut all) = unbounded_channel();
    let receiver = start(Counter, Counting { n: 0, until: senders * each, done }).await;
    let (go, going) = watch::channel(());
    for _ in 0..senders {
        let (receiver, mut going) = (receiver.clone(), going.clone());
        tokio::spawn(async move {
            let _ = going.changed().await;
            (0..each).for_each(|i| tell(&receiver, Count::Item(i)));
        });
    }
    let watch = Stopwatch::start();
    let _ = go.send(());
    all_done(&mut all, 1).await;
    metric("messages_per_s", watch.stop().per_s(senders * each));
}

pub(crate) async fn call(p: Params) {
    let (clients, each) = (p.get("clients"), p.get("each"));
    let (done, mut all) = unbounded_channel();
    let server = start(Counter, Counting { n: 0, until: u64::MAX, done: done.clone() }).await;
    calls(&server, each / 10).await;
    let (go, going) = watch::channel(());
    for _ in 0..clients {
        let (server, done, mut going) = (server.clone(), done.clone(), going.clone());
        tokio::spawn(async move {
            let _ = going.changed().await;
            calls(&server, each).await;
            let _ = done.send(());
        });
    }
    let watch = Stopwatch::start();
    let _ = go.send(());
    all_done(&mut all, clients).await;
    metric("calls_per_s", watch.stop().per_s(clients * each));
}

async fn calls(server: &ActorRef<Count>, n: u64) {
    for _ in 0..n {
        let _ = server.call(Count::Call, None).await;
    }
}
