//! Two nodes. Remote actors are found in a process group.

use std::collections::VecDeque;
use std::time::Duration;

use fika_bench_kit::{Clock, Params, Stopwatch, free_port, latency, metric, not_noticed};
use ractor::concurrency::oneshot;
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, RpcReplyPort, pg};
use ractor_cluster::node::{NodeConnectionMode, NodeServerSessionInformation};
use ractor_cluster::{
    NodeEventSubscription, NodeServerMessage, RactorClusterMessage, client_connect,
};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::cluster::{Others, start_node};

const GROUP: &str = "echoes";

/// Answers pings.
struct RemoteEcho;

#[derive(RactorClusterMessage)]
enum Say {
    #[rpc]
    Ping(u64, RpcReplyPort<u64>),
    Data(Vec<u8>),
}

impl Actor for RemoteEcho {
    type Msg = Say;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, me: ActorRef<Say>, (): ()) -> Result<(), ActorProcessingErr> {
        pg::join(GROUP.into(), vec![me.get_cell()]);
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Say>,
        said: Say,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        match said {
            Say::Ping(n, port) => drop(port.send(n)),
            Say::Data(data) => drop(std::hint::black_box(data)),
        }
        Ok(())
    }
}

/// Runs the other node until it is killed.
pub(crate) async fn serve(p: Params) {
    let port = u16::try_from(p.get("port")).expect("a port");
    let _node = start_node("server", port, NodeConnectionMode::Isolated).await;
    for _ in 0..p.get("echoes") {
        Actor::spawn(None, RemoteEcho, ()).await.expect("it starts");
    }
    std::future::pending::<()>().await
}

pub(crate) async fn run(workload: &str, p: Params, others: Others) {
    let node = start_node("client", free_port(), NodeConnectionMode::Isolated).await;
    while client_connect(&node, ("127.0.0.1", others.port)).await.is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let echoes = match workload {
        "remote.pairs" => p.size("pairs"),
        _ if workload.starts_with("remote.oneway.") => p.size("senders"),
        _ => 1,
    };
    let echoes = find(echoes).await;
    ping_times(&echoes[0], 500).await;
    match workload {
        "remote.pingpong" => pingpong(p, &echoes[0]).await,
        "remote.pairs" => pairs(p, echoes, others).await,
        "remote.headofline" => headofline(p, echoes[0].clone()).await,
        "remote.nodedown.kill" => nodedown(p, node, || others.peers[0].kill()).await,
        "remote.nodedown.stop" => nodedown(p, node, || others.peers[0].freeze()).await,
        _ => oneway(p, echoes, others).await,
    }
}

/// Waits until this many remote actors are known.
async fn find(n: usize) -> Vec<ActorRef<Say>> {
    loop {
        let members = pg::get_members(&GROUP.to_owned()).into_iter();
        let remote: Vec<ActorCell> = members.filter(|cell| !cell.get_id().is_local()).collect();
        if remote.len() >= n {
            return remote.into_iter().take(n).map(ActorRef::from).collect();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn ping_times(echo: &ActorRef<Say>, n: u64) {
    for i in 0..n {
        let _ = echo.call(|port| Say::Ping(i, port), None).await;
    }
}

async fn pingpong(p: Params, echo: &ActorRef<Say>) {
    ping_times(echo, 1000).await;
    let mut round_trips = Vec::with_capacity(p.size("n"));
    for _ in 0..p.get("n") {
        let clock = Clock::start();
        ping_times(echo, 1).await;
        round_trips.push(clock.ns());
    }
    latency("round_trip", &round_trips);
}

async fn pairs(p: Params, echoes: Vec<ActorRef<Say>>, others: Others) {
    let (pairs, each) = (p.get("pairs"), p.get("each"));
    for echo in &echoes {
        ping_times(echo, 10).await;
    }
    let watch = Stopwatch::start_with(&[others.peers[0].id()]);
    let one = |echo: ActorRef<Say>| tokio::spawn(async move { ping_times(&echo, each).await });
    let askers: Vec<_> = echoes.into_iter().map(one).collect();
    for asker in askers {
        let _ = asker.await;
    }
    let elapsed = watch.stop();
    metric("round_trips_per_s", elapsed.per_s(pairs * each));
    metric("cpu_us_per_round_trip", elapsed.cpu_us_each(pairs * each));
}

async fn oneway(p: Params, echoes: Vec<ActorRef<Say>>, others: Others) {
    let (senders, each, size) = (p.get("senders"), p.get("each"), p.get("size"));
    let watch = Stopwatch::start_with(&[others.peers[0].id()]);
    let one = |echo: ActorRef<Say>| tokio::spawn(feed(echo, p.clone()));
    let feeders: Vec<_> = echoes.into_iter().map(one).collect();
    for feeder in feeders {
        let _ = feeder.await;
    }
    let (elapsed, n) = (watch.stop(), senders * each);
    metric("messages_per_s", elapsed.per_s(n));
    metric("mb_per_s", elapsed.per_s(n * size) / 1e6);
    metric("cpu_us_per_message", elapsed.cpu_us_each(n));
}

/// Sends messages in batches, each followed by a ping. The answer to a ping comes after everything
/// that was sent before the ping, so it acknowledges the batch.
async fn feed(echo: ActorRef<Say>, p: Params) {
    let (ack_every, window) = (p.get("ack_every"), p.size("window") / p.size("ack_every"));
    let data = vec![7; p.size("size")];
    let mut acks = VecDeque::new();
    for i in 1..=p.get("each") {
        let _ = echo.cast(Say::Data(data.clone()));
        if i % ack_every == 0 {
            let (answer, answered) = oneshot();
            let _ = echo.cast(Say::Ping(i, answer.into()));
            acks.push_back(answered);
        }
        if acks.len() >= window
            && let Some(answered) = acks.pop_front()
        {
            let _ = answered.await;
        }
    }
    for answered in acks {
        let _ = answered.await;
    }
}

async fn headofline(p: Params, echo: ActorRef<Say>) {
    let (bulk, size) = (echo.clone(), p.size("size"));
    let (moved, mut arrived) = unbounded_channel();
    tokio::spawn(async move {
        let data = vec![7; size];
        let mut acks = VecDeque::new();
        loop {
            let (answer, answered) = oneshot();
            let _ = bulk.cast(Say::Data(data.clone()));
            let _ = bulk.cast(Say::Ping(0, answer.into()));
            acks.push_back(answered);
            if acks.len() == 2
                && let Some(answered) = acks.pop_front()
            {
                let _ = answered.await;
                let _ = moved.send(());
            }
        }
    });
    tokio::time::sleep(Duration::from_millis(p.get("settle_ms"))).await;
    while arrived.try_recv().is_ok() {}
    let all = Clock::start();
    let mut round_trips = Vec::new();
    while all.elapsed() < Duration::from_millis(p.get("ms")) {
        let clock = Clock::start();
        ping_times(&echo, 1).await;
        round_trips.push(clock.ns());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let bytes = arrived.len() * size;
    latency("round_trip", &round_trips);
    metric("bulk_mb_per_s", bytes as f64 / all.elapsed().as_secs_f64() / 1e6);
}

/// Gets an event when a session is lost.
struct Losses(UnboundedSender<()>);

impl NodeEventSubscription for Losses {
    fn node_session_opened(&self, _: NodeServerSessionInformation) {}

    fn node_session_authenticated(&self, _: NodeServerSessionInformation) {}

    fn node_session_disconnected(&self, _: NodeServerSessionInformation) {
        let _ = self.0.send(());
    }
}

async fn nodedown(p: Params, node: ActorRef<NodeServerMessage>, end: impl FnOnce()) {
    let (lost, mut losses) = unbounded_channel();
    let subscription = Box::new(Losses(lost));
    let subscribe = NodeServerMessage::SubscribeToEvents { id: "losses".into(), subscription };
    let _ = node.cast(subscribe);
    tokio::time::sleep(Duration::from_millis(p.get("settle_ms"))).await;
    let clock = Clock::start();
    end();
    let limit = Duration::from_secs(p.get("wait_s"));
    match tokio::time::timeout(limit, losses.recv()).await {
        Ok(_) => metric("ms_until_nodedown", clock.ns() as f64 / 1e6),
        Err(_) => not_noticed(p.get("wait_s"), "frozen peers are not detected"),
    }
}
