//! Workloads between two nodes. hydra can't spawn a process on another node, so the other node has
//! a process that spawns processes on request.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use fika_bench_kit::{
    Clock, Params, Peer, Stopwatch, cannot, free_port, latency, metric, not_noticed,
};
use hydra::{Message, Node, NodeOptions, Pid, Process, SystemMessage};

use crate::message::{Say, echo, hear, hear_times, ping_times};

/// An answer that takes longer than this counts as lost.
const PATIENCE: Duration = Duration::from_millis(50);

/// The other node, an OS process.
pub(crate) struct Server {
    peer: Peer,
    node: Node,
}

impl Server {
    pub(crate) fn start() -> Server {
        let port = free_port();
        let peer = Peer::start_server(port, ["serve".to_owned(), format!("port={port}")]);
        Server { peer, node: Node::from(("server", address(port))) }
    }

    fn root(&self) -> (&'static str, Node) {
        ("root", self.node.clone())
    }

    async fn echoes(&self, n: u64) -> Vec<Pid> {
        self.spawned(Say::Echoes(Process::current(), n)).await
    }

    async fn sink(&self, ack_every: u64) -> Pid {
        self.spawned(Say::Sink(Process::current(), ack_every)).await[0]
    }

    async fn spawned(&self, request: Say) -> Vec<Pid> {
        Process::send(self.root(), request);
        loop {
            if let Say::Members(pids) = hear().await {
                return pids;
            }
        }
    }

    /// Waits until the other node runs, and warms up the connection.
    async fn connect(&self) {
        start_node("client", free_port());
        Node::connect(self.node.clone());
        loop {
            Process::send(self.root(), Say::Ping(Process::current()));
            if Process::timeout(PATIENCE, hear()).await.is_ok() {
                break;
            }
        }
        // Some of the earlier pings may have arrived, too.
        while Process::timeout(PATIENCE, hear()).await.is_ok() {}
        ping_times(self.echoes(1).await[0], 500).await;
    }
}

fn address(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

fn start_node(name: &str, port: u16) {
    let options = NodeOptions::new();
    let options = options.listen_address(address(port)).broadcast_address(address(port));
    Node::start(name, options);
    Node::set_cookie("fika-bench");
}

/// Runs the other node until it is killed.
pub(crate) async fn serve(p: Params) {
    start_node("server", u16::try_from(p.get("port")).expect("a port"));
    Process::register(Process::current(), "root").expect("the name is free");
    loop {
        match hear().await {
            Say::Ping(from) => Process::send(from, Say::Pong),
            Say::Echoes(from, n) => {
                let pids = (0..n).map(|_| Process::spawn(echo())).collect();
                Process::send(from, Say::Members(pids));
            }
            Say::Sink(from, ack_every) => {
                Process::send(from, Say::Members(vec![Process::spawn(sink(ack_every))]));
            }
            Say::SayDone(to) => {
                Process::spawn(async move { Process::send(to, Say::Done) });
            }
            _ => {}
        }
    }
}

pub(crate) async fn run(workload: &str, p: Params, server: Server) {
    match workload {
        "remote.mesh" => return cannot("connects only the nodes that it is told to connect"),
        "remote.rpc.1_caller" | "remote.rpc.64_callers" => return cannot("has no rpc"),
        _ => server.connect().await,
    }
    match workload {
        "remote.pingpong" => pingpong(p, server).await,
        "remote.pairs" => pairs(p, server).await,
        "remote.spawn.in_flight" | "remote.spawn.one_by_one" => spawn(p, server).await,
        "remote.headofline" => headofline(p, server).await,
        "remote.nodedown.kill" => nodedown(p, server, Peer::kill).await,
        "remote.nodedown.stop" => nodedown(p, server, Peer::freeze).await,
        _ if workload.starts_with("remote.oneway.") || workload.starts_with("remote.bulk.") => {
            oneway(p, server).await;
        }
        _ => cannot("has no such thing"),
    }
}

async fn pingpong(p: Params, server: Server) {
    let echo = server.echoes(1).await[0];
    ping_times(echo, 1000).await;
    let mut round_trips = Vec::with_capacity(p.size("n"));
    for _ in 0..p.get("n") {
        let clock = Clock::start();
        ping_times(echo, 1).await;
        round_trips.push(clock.ns());
    }
    latency("round_trip", &round_trips);
}

async fn pairs(p: Params, server: Server) {
    let (pairs, each) = (p.get("pairs"), p.get("each"));
    let me = Process::current();
    let one = |echo| {
        Process::spawn(async move {
            ping_times(echo, 10).await;
            Process::send(me, Say::Done);
            hear().await;
            ping_times(echo, each).await;
            Process::send(me, Say::Done);
        })
    };
    let askers: Vec<Pid> = server.echoes(pairs).await.into_iter().map(one).collect();
    hear_times(pairs).await;
    let watch = Stopwatch::start_with(&[server.peer.id()]);
    askers.into_iter().for_each(|asker| Process::send(asker, Say::Go));
    hear_times(pairs).await;
    let elapsed = watch.stop();
    metric("round_trips_per_s", elapsed.per_s(pairs * each));
    metric("cpu_us_per_round_trip", elapsed.cpu_us_each(pairs * each));
}

/// Receives data, and sends an acknowledgement after every `ack_every` messages.
async fn sink(ack_every: u64) {
    let mut n = 0;
    loop {
        if let Say::Data(from, data) = hear().await {
            std::hint::black_box(data.len());
            n += 1;
            if n % ack_every == 0 {
                Process::send(from, Say::Ack);
            }
        }
    }
}

async fn oneway(p: Params, server: Server) {
    let (senders, each, size) = (p.get("senders"), p.get("each"), p.get("size"));
    let me = Process::current();
    let mut feeders = Vec::new();
    for _ in 0..senders {
        let sink = server.sink(p.get("ack_every")).await;
        feeders.push(Process::spawn(feed(p.clone(), sink, me)));
    }
    let watch = Stopwatch::start_with(&[server.peer.id()]);
    feeders.into_iter().for_each(|feeder| Process::send(feeder, Say::Go));
    hear_times(senders).await;
    let (elapsed, n) = (watch.stop(), senders * each);
    metric("messages_per_s", elapsed.per_s(n));
    metric("mb_per_s", elapsed.per_s(n * size) / 1e6);
    metric("cpu_us_per_message", elapsed.cpu_us_each(n));
}

async fn feed(p: Params, sink: Pid, home: Pid) {
    let (each, ack_every) = (p.get("each"), p.get("ack_every"));
    let me = Process::current();
    let data = Bytes::from(vec![7; p.size("size")]);
    let mut credit = p.get("window");
    let mut acks = each / ack_every;
    hear().await;
    for _ in 0..each {
        if credit == 0 {
            hear().await;
            credit += ack_every;
            acks -= 1;
        }
        Process::send(sink, Say::Data(me, data.clone()));
        credit -= 1;
    }
    hear_times(acks).await;
    Process::send(home, Say::Done);
}

async fn spawn(p: Params, server: Server) {
    let (n, batch) = (p.get("n"), p.get("batch"));
    let me = Process::current();
    let watch = Stopwatch::start();
    for _ in 0..n / batch {
        (0..batch).for_each(|_| Process::send(server.root(), Say::SayDone(me)));
        hear_times(batch).await;
    }
    metric("spawns_per_s", watch.stop().per_s(n));
}

async fn headofline(p: Params, server: Server) {
    let echo = server.echoes(1).await[0];
    ping_times(echo, 500).await;
    let sink = server.sink(1).await;
    let moved = Arc::new(AtomicU64::new(0));
    let (counter, data) = (moved.clone(), Bytes::from(vec![7; p.size("size")]));
    Process::spawn(async move {
        let me = Process::current();
        Process::send(sink, Say::Data(me, data.clone()));
        loop {
            Process::send(sink, Say::Data(me, data.clone()));
            hear().await;
            counter.fetch_add(data.len() as u64, Ordering::Relaxed);
        }
    });
    Process::sleep(Duration::from_millis(p.get("settle_ms"))).await;
    let (all, before) = (Clock::start(), moved.load(Ordering::Relaxed));
    let mut round_trips = Vec::new();
    while all.elapsed() < Duration::from_millis(p.get("ms")) {
        let clock = Clock::start();
        ping_times(echo, 1).await;
        round_trips.push(clock.ns());
        Process::sleep(Duration::from_millis(1)).await;
    }
    let bytes = moved.load(Ordering::Relaxed) - before;
    latency("round_trip", &round_trips);
    metric("bulk_mb_per_s", bytes as f64 / all.elapsed().as_secs_f64() / 1e6);
}

async fn nodedown(p: Params, server: Server, end: fn(&Peer)) {
    Node::monitor(server.node.clone());
    Process::sleep(Duration::from_millis(p.get("settle_ms"))).await;
    let clock = Clock::start();
    end(&server.peer);
    let told = async {
        loop {
            let message = Process::receive::<Say>().await;
            if let Message::System(SystemMessage::NodeDown(..)) = message {
                return;
            }
        }
    };
    match Process::timeout(Duration::from_secs(p.get("wait_s")), told).await {
        Ok(()) => metric("ms_until_nodedown", clock.ns() as f64 / 1e6),
        Err(_) => not_noticed(
            p.get("wait_s"),
            "the timeout is 45 s, and its setter changes another \
                               timeout",
        ),
    }
}
