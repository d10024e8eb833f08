//! Workloads between two nodes. A remote actor is found by its name, so the other node registers as
//! many actors as the workload needs.
//!
//! kameo sends each message on a stream of its own, and always sends an answer. Without `send_ack`,
//! messages are lost silently when there are too many streams, so the senders here use `send_ack`.
//! The window therefore counts unanswered messages instead of unacknowledged batches.

use std::time::Duration;

use fika_bench_kit::{
    Clock, Params, Peer, Stopwatch, failed, free_port, latency, metric, not_noticed,
};
use futures::stream::{FuturesUnordered, StreamExt as _, TryStreamExt as _};
use kameo::error::RemoteSendError;
use kameo::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::swarm;

/// Answers pings, and accepts data.
#[derive(Actor, RemoteActor)]
pub(crate) struct RemoteEcho;

#[derive(Serialize, Deserialize)]
pub(crate) struct Ping(u64);

#[kameo::remote_message("fika_bench::ping")]
impl Message<Ping> for RemoteEcho {
    type Reply = u64;

    async fn handle(&mut self, ping: Ping, _: &mut Context<Self, u64>) -> u64 {
        ping.0
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Data(#[serde(with = "serde_bytes")] Vec<u8>);

#[kameo::remote_message("fika_bench::data")]
impl Message<Data> for RemoteEcho {
    type Reply = ();

    async fn handle(&mut self, data: Data, _: &mut Context<Self, ()>) {
        std::hint::black_box(data.0.len());
    }
}

type Echo = RemoteActorRef<RemoteEcho>;

/// The other node, an OS process.
pub(crate) struct Server {
    peer: Peer,
    port: u16,
    echoes: u64,
}

impl Server {
    /// Starts the other node. Returns `None` for workloads that need no other node, or that kameo
    /// can't do.
    pub(crate) fn start_for(workload: &str, p: &Params) -> Option<Server> {
        let echoes = match workload {
            "remote.pairs" => p.get("pairs"),
            "remote.pingpong" | "remote.headofline" => 1,
            _ if workload.starts_with("remote.nodedown.") => 1,
            _ if workload.starts_with("remote.oneway.") => p.get("senders"),
            _ if workload.starts_with("remote.bulk.") => p.get("senders"),
            _ => return None,
        };
        let port = free_port();
        let args = ["serve".to_owned(), format!("port={port}"), format!("echoes={echoes}")];
        Some(Server { peer: Peer::start_server(port, args), port, echoes })
    }

    /// Connects, and finds the actors.
    async fn connect(&self) -> (Vec<Echo>, UnboundedReceiver<()>) {
        let losses = swarm::start(free_port(), Some(self.port));
        let mut found = Vec::new();
        for i in 0..self.echoes {
            loop {
                if let Ok(Some(echo)) = Echo::lookup(format!("echo{i}")).await {
                    found.push(echo);
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        for i in 0..500 {
            let _ = found[0].ask(&Ping(i)).await;
        }
        (found, losses)
    }
}

/// Runs the other node until it is killed.
pub(crate) async fn serve(p: Params) {
    let _losses = swarm::start(u16::try_from(p.get("port")).expect("a port"), None);
    let mut echoes = Vec::new();
    for i in 0..p.get("echoes") {
        let echo = RemoteEcho::spawn_with_mailbox(RemoteEcho, mailbox::unbounded());
        echo.register(format!("echo{i}")).await.expect("the name is free");
        echoes.push(echo);
    }
    std::future::pending::<()>().await
}

pub(crate) async fn run(workload: &str, p: Params, server: Server) {
    let (echoes, losses) = server.connect().await;
    match workload {
        "remote.pingpong" => pingpong(p, &echoes[0]).await,
        "remote.pairs" => pairs(p, echoes, &server).await,
        "remote.headofline" => headofline(p, echoes[0].clone()).await,
        "remote.nodedown.kill" => nodedown(p, losses, || server.peer.kill()).await,
        "remote.nodedown.stop" => nodedown(p, losses, || server.peer.freeze()).await,
        _ => oneway(p, echoes, &server).await,
    }
}

async fn pingpong(p: Params, echo: &Echo) {
    for i in 0..1000 {
        let _ = echo.ask(&Ping(i)).await;
    }
    let mut round_trips = Vec::with_capacity(p.size("n"));
    for i in 0..p.get("n") {
        let clock = Clock::start();
        if let Err(error) = echo.ask(&Ping(i)).await {
            return failed(&error.to_string());
        }
        round_trips.push(clock.ns());
    }
    latency("round_trip", &round_trips);
}

async fn pairs(p: Params, echoes: Vec<Echo>, server: &Server) {
    let (pairs, each) = (p.get("pairs"), p.get("each"));
    for echo in &echoes {
        for i in 0..10 {
            let _ = echo.ask(&Ping(i)).await;
        }
    }
    let watch = Stopwatch::start_with(&[server.peer.id()]);
    let one = |echo: Echo| {
        tokio::spawn(async move {
            let mut errors = 0;
            for i in 0..each {
                errors += u64::from(echo.ask(&Ping(i)).await.is_err());
            }
            errors
        })
    };
    let askers: Vec<_> = echoes.into_iter().map(one).collect();
    let mut errors = 0;
    for asker in askers {
        errors += asker.await.unwrap_or(each);
    }
    let elapsed = watch.stop();
    if errors > 0 {
        return failed(&format!("{errors} of {} calls failed", pairs * each));
    }
    metric("round_trips_per_s", elapsed.per_s(pairs * each));
    metric("cpu_us_per_round_trip", elapsed.cpu_us_each(pairs * each));
}

async fn oneway(p: Params, echoes: Vec<Echo>, server: &Server) {
    let (senders, each, size) = (p.get("senders"), p.get("each"), p.get("size"));
    let watch = Stopwatch::start_with(&[server.peer.id()]);
    let one = |echo: Echo| tokio::spawn(feed(echo, p.clone()));
    let feeders: Vec<_> = echoes.into_iter().map(one).collect();
    for feeder in feeders {
        if let Err(error) = feeder.await.expect("it does not panic") {
            return failed(&error.to_string());
        }
    }
    let (elapsed, n) = (watch.stop(), senders * each);
    metric("messages_per_s", elapsed.per_s(n));
    metric("mb_per_s", elapsed.per_s(n * size) / 1e6);
    metric("cpu_us_per_message", elapsed.cpu_us_each(n));
}

/// Sends messages, and keeps a full window of them in flight.
async fn feed(echo: Echo, p: Params) -> Result<(), RemoteSendError> {
    let data = Data(vec![7; p.size("size")]);
    let mut under_way = FuturesUnordered::new();
    for _ in 0..p.get("each") {
        if under_way.len() == p.size("window")
            && let Some(acknowledged) = under_way.next().await
        {
            acknowledged?;
        }
        under_way.push(echo.tell(&data).send_ack());
    }
    under_way.try_collect().await
}

async fn headofline(p: Params, echo: Echo) {
    let (bulk, size) = (echo.clone(), p.size("size"));
    let (moved, mut arrived) = unbounded_channel();
    let feeder = tokio::spawn(async move {
        let data = Data(vec![7; size]);
        let send = || bulk.tell(&data).send_ack();
        let mut under_way: FuturesUnordered<_> = [send(), send()].into_iter().collect();
        while let Some(Ok(())) = under_way.next().await {
            let _ = moved.send(());
            under_way.push(send());
        }
    });
    tokio::time::sleep(Duration::from_millis(p.get("settle_ms"))).await;
    while arrived.try_recv().is_ok() {}
    let all = Clock::start();
    let mut round_trips = Vec::new();
    while all.elapsed() < Duration::from_millis(p.get("ms")) {
        let clock = Clock::start();
        if let Err(error) = echo.ask(&Ping(1)).await {
            return failed(&error.to_string());
        }
        round_trips.push(clock.ns());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let bytes = arrived.len() * size;
    feeder.abort();
    latency("round_trip", &round_trips);
    metric("bulk_mb_per_s", bytes as f64 / all.elapsed().as_secs_f64() / 1e6);
}

async fn nodedown(p: Params, mut losses: UnboundedReceiver<()>, end: impl FnOnce()) {
    tokio::time::sleep(Duration::from_millis(p.get("settle_ms"))).await;
    let clock = Clock::start();
    end();
    let limit = Duration::from_secs(p.get("wait_s"));
    match tokio::time::timeout(limit, losses.recv()).await {
        Ok(_) => metric("ms_until_nodedown", clock.ns() as f64 / 1e6),
        Err(_) => not_noticed(p.get("wait_s"), "frozen peers are not detected"),
    }
}
