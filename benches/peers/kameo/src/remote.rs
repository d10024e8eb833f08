//! Two nodes. A remote actor is found by its name, so the other node has as many registered
//! actors as the workload needs.
//!
//! Each message is a stream of its own: messages are not ordered, and those above the limit of
//! 100 streams are lost without a word. So no more than `IN_FLIGHT_MAX` are under way here, and
//! what did not arrive is counted.

use std::collections::VecDeque;
use std::time::Duration;

use fika_bench_kit::{
    Clock, Params, Peer, Stopwatch, failed, free_port, latency, metric, not_noticed,
};
use kameo::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::echo::start;
use crate::swarm;

/// Of the 100 streams that there may be.
const IN_FLIGHT_MAX: usize = 80;
/// The count of what has arrived is asked for so often.
const COUNT_EVERY: Duration = Duration::from_millis(10);
/// What has not arrived by then is lost.
const COUNTS_MAX: u32 = 200;

/// Answers, and counts what it is sent.
#[derive(Actor, RemoteActor)]
pub(crate) struct RemoteEcho(u64);

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
        self.0 += 1;
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Count;

#[kameo::remote_message("fika_bench::count")]
impl Message<Count> for RemoteEcho {
    type Reply = u64;

    async fn handle(&mut self, _: Count, _: &mut Context<Self, u64>) -> u64 {
        self.0
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
    /// None for workloads that need none, or that kameo has nothing for.
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

/// The other node, until it is killed.
pub(crate) async fn serve(p: Params) {
    let _losses = swarm::start(u16::try_from(p.get("port")).expect("a port"), None);
    let mut echoes = Vec::new();
    for i in 0..p.get("echoes") {
        let echo = start(RemoteEcho(0));
        echo.register(format!("echo{i}")).await.expect("nobody has the name");
        echoes.push(echo);
    }
    std::future::pending().await
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
    let window = p.size("window").min((IN_FLIGHT_MAX / echoes.len()).max(1));
    let watch = Stopwatch::start_with(&[server.peer.id()]);
    let one = |echo: Echo| tokio::spawn(feed(echo, p.clone(), window));
    let feeders: Vec<_> = echoes.into_iter().map(one).collect();
    let mut arrived = 0;
    for feeder in feeders {
        arrived += feeder.await.unwrap_or(0);
    }
    let (elapsed, n) = (watch.stop(), senders * each);
    if arrived < n {
        return failed(&format!("lost {} of {n} messages", n - arrived));
    }
    metric("messages_per_s", elapsed.per_s(n));
    metric("mb_per_s", elapsed.per_s(n * size) / 1e6);
    metric("cpu_us_per_message", elapsed.cpu_us_each(n));
}

/// Sends, and after each quarter of the window a ping whose answer stands for the
/// acknowledgement. Returns how many messages arrived.
async fn feed(echo: Echo, p: Params, window: usize) -> u64 {
    let each = p.get("each");
    let ack_every = (window / 4).max(1) as u64;
    let data = Data(vec![7; p.size("size")]);
    let mut acks = VecDeque::new();
    for i in 1..=each {
        let _ = echo.tell(&data).send();
        if i % ack_every == 0 {
            let echo = echo.clone();
            acks.push_back(tokio::spawn(async move { echo.ask(&Ping(i)).await.is_ok() }));
        }
        if acks.len() as u64 * ack_every >= window as u64
            && let Some(ack) = acks.pop_front()
        {
            let _ = ack.await;
        }
    }
    let mut arrived = 0;
    for _ in 0..COUNTS_MAX {
        arrived = echo.ask(&Count).await.unwrap_or(arrived);
        if arrived >= each {
            break;
        }
        tokio::time::sleep(COUNT_EVERY).await;
    }
    arrived
}

async fn headofline(p: Params, echo: Echo) {
    let (bulk, size) = (echo.clone(), p.size("size"));
    let moved = tokio::spawn(async move {
        let data = Data(vec![7; size]);
        let mut failures = 0_u32;
        while bulk.tell(&data).send().is_ok() && failures < 3 {
            failures += u32::from(bulk.ask(&Ping(0)).await.is_err());
        }
    });
    tokio::time::sleep(Duration::from_millis(p.get("settle_ms"))).await;
    let before = echo.ask(&Count).await.unwrap_or(0);
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
    let seconds = all.elapsed().as_secs_f64();
    let arrived = echo.ask(&Count).await.unwrap_or(0) - before;
    moved.abort();
    latency("round_trip", &round_trips);
    metric("bulk_mb_per_s", arrived as f64 * size as f64 / seconds / 1e6);
}

async fn nodedown(p: Params, mut losses: UnboundedReceiver<()>, end: impl FnOnce()) {
    tokio::time::sleep(Duration::from_millis(p.get("settle_ms"))).await;
    let clock = Clock::start();
    end();
    let limit = Duration::from_secs(p.get("wait_s"));
    match tokio::time::timeout(limit, losses.recv()).await {
        Ok(_) => metric("ms_until_nodedown", clock.ns() as f64 / 1e6),
        Err(_) => not_noticed(p.get("wait_s"), "a frozen peer is not looked for"),
    }
}
