//! Workloads between nodes. Each node is an OS process that runs this program with the node's name.

mod beside_bulk;
mod headofline;
mod mesh;
mod nodedown;
mod oneway;
mod pingpong;
mod spawn;

use fika::net::{Ping as PingAnswer, ping};
use fika::node::{NodeBuilder, NodeError};
use fika::prelude::*;
use fika_bench_kit::{Params, Peer, cannot, failed, free_port, until_stdin_ends};

use super::echo::{echo, ping_times};

/// The other node's name, in workloads with two nodes.
const B: &str = "b@127.0.0.1";

/// Larger than any message of a workload.
const MESSAGE_BYTES_MAX: usize = 65 << 20;

/// Runs a remote workload in this OS process, as node `a`, together with the other nodes.
pub(super) fn run(workload: &str, params: &Params) {
    let mut p = params.clone();
    p.set("mapper", u64::from(free_port()));
    match workload {
        "remote.pingpong" => with_peer(p, pingpong::run),
        "remote.pairs" => with_peer(p, pingpong::run_pairs),
        "remote.spawn.in_flight" => with_peer(p, spawn::run_in_flight),
        "remote.spawn.one_by_one" => with_peer(p, spawn::run_one_by_one),
        "remote.headofline" => with_peer(p, headofline::run),
        "remote.nodedown.kill" => with_peer(p, nodedown::run_kill),
        "remote.nodedown.stop" => with_peer(p, nodedown::run_stop),
        "remote.connect_beside_bulk" => beside_bulk::run(p),
        "remote.mesh" => mesh::run(p),
        _ if workload.starts_with("remote.oneway.") => with_peer(p, oneway::run),
        _ if workload.starts_with("remote.bulk.") => with_peer(p, oneway::run),
        _ if workload.starts_with("remote.rpc.") => cannot("not there yet: rpc"),
        _ => cannot("not there yet"),
    }
    std::process::exit(0);
}

/// Runs one of the other nodes until standard input is closed.
pub(crate) fn run_node(name: &str, params: &Params) -> Result<(), NodeError> {
    let node = builder(name, params).build()?;
    until_stdin_ends();
    node.stop();
    Ok(())
}

fn builder(name: &str, params: &Params) -> NodeBuilder {
    let mapper = u16::try_from(params.get("mapper")).expect("a port");
    let builder = Node::builder().name(name).cookie("fika-bench-fika-bench").epmd_port(mapper);
    let builder = builder.message_bytes_max(MESSAGE_BYTES_MAX);
    builder.net_ticktime(secs(params.get("ticktime_s")))
}

/// Starts another node as an OS process. Call this on the program's main thread: the node is killed
/// when the thread that started it ends.
fn start_node(name: &str, params: &Params) -> Peer {
    Peer::start(["node".to_owned(), name.to_owned()].into_iter().chain(words(params)))
}

fn words(params: &Params) -> Vec<String> {
    params.to_string().split(' ').map(str::to_owned).collect()
}

/// Runs `workload` as a process on node `a`, connected to node `b`.
fn with_peer<F>(p: Params, workload: impl FnOnce(Params, Peer) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    // Node `a` starts first, so that the port mapper runs in this OS process and outlives node `b`.
    let node = match builder("a@127.0.0.1", &p).build() {
        Ok(node) => node,
        Err(error) => return failed(&format!("no node: {error}")),
    };
    let peer = start_node(B, &p);
    let workload = workload(p, peer);
    // The processes of the workload are linked to it, so a failure of any of them is seen here.
    let ended = node.try_block_on(async {
        connect(B).await;
        workload.await;
    });
    if let Err(reason) = ended {
        failed(&reason.to_string());
    }
}

/// Connects to the node and warms up the connection.
async fn connect(node: &str) {
    while ping(node).await != PingAnswer::Pong {
        sleep(millis(5)).await;
    }
    let echo = fika::process::spawn_on(node, echo()).await;
    ping_times(echo, 500).await;
}
