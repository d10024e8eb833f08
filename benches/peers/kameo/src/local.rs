//! Actors that send and receive.

use std::time::Duration;

use fika_bench_kit::{Params, Stopwatch, metric, rss_bytes};
use kameo::error::Infallible;
use kameo::prelude::*;
use tokio::sync::mpsc::unbounded_channel;
use tokio::sync::watch;

use crate::echo::{Asker, Done, Echo, Go, Hello, all_done, start, tell};

/// An actor that sends a message when it starts. It then ends, since there are no references to it.
struct Once;

impl Actor for Once {
    type Args = Done;
    type Error = Infallible;

    async fn on_start(done: Done, _: ActorRef<Self>) -> Result<Self, Infallible> {
        let _ = done.send(());
        Ok(Once)
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
            Once::spawn_with_mailbox(done.clone(), mailbox::unbounded());
        }
        all_done(&mut all, batch).await;
    }
}

pub(crate) async fn idle(p: Params) {
    let n = p.get("n");
    let mut actors = Vec::with_capacity(p.size("n"));
    let before = rss_bytes();
    let watch = Stopwatch::start();
    actors.extend((0..n).map(|_| start(Echo)));
    metric("ns_per_spawn", watch.stop().ns_each(n));
    tokio::time::sleep(Duration::from_millis(p.get("settle_ms"))).await;
    metric("bytes_per_process", (rss_bytes() - before) / n as f64);
    let (done, mut all) = unbounded_channel();
    let watch = Stopwatch::start();
    actors.iter().for_each(|actor| tell(actor, Hello(done.clone())));
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
    let one = |_| start(Asker { echo: start(Echo), left: 0, done: done.clone() });
    let askers: Vec<ActorRef<Asker>> = (0..pairs).map(one).collect();
    // Wait until each actor has started.
    askers.iter().for_each(|asker| tell(asker, Go(1)));
    all_done(&mut all, pairs).await;
    let watch = Stopwatch::start();
    askers.iter().for_each(|asker| tell(asker, Go(each)));
    all_done(&mut all, pairs).await;
    watch
}

/// Receives a number of messages.
#[derive(Actor)]
pub(crate) struct Receiver {
    pub(crate) left: u64,
    pub(crate) done: Done,
}

pub(crate) struct Item(pub(crate) u64);

impl Message<Item> for Receiver {
    type Reply = ();

    async fn handle(&mut self, item: Item, _: &mut Context<Self, ()>) {
        std::hint::black_box(item.0);
        self.left -= 1;
        if self.left == 0 {
            let _ = self.done.send(());
        }
    }
}

pub(crate) async fn fanin(p: Params) {
    let (senders, each) = (p.get("senders"), p.get("each"));
    let (done, mut all) = unbounded_channel();
    let receiver = start(Receiver { left: senders * each, done });
    let (go, going) = watch::channel(());
    for _ in 0..senders {
        let (receiver, mut going) = (receiver.clone(), going.clone());
        tokio::spawn(async move {
            let _ = going.changed().await;
            (0..each).for_each(|i| tell(&receiver, Item(i)));
        });
    }
    let watch = Stopwatch::start();
    let _ = go.send(());
    all_done(&mut all, 1).await;
    metric("messages_per_s", watch.stop().per_s(senders * each));
}

#[derive(Actor)]
struct Server(u64);

struct Call;

impl Message<Call> for Server {
    type Reply = u64;

    async fn handle(&mut self, _: Call, _: &mut Context<Self, u64>) -> u64 {
        self.0 += 1;
        self.0
    }
}

pub(crate) async fn call(p: Params) {
    let (clients, each) = (p.get("clients"), p.get("each"));
    let server = start(Server(0));
    calls(&server, each / 10).await;
    let (done, mut all) = unbounded_channel();
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

async fn calls(server: &ActorRef<Server>, n: u64) {
    for _ in 0..n {
        let _ = server.ask(Call).await;
    }
}
