//! Workloads between nodes. Each node is an OS process: this program again, which is told
//! its name and runs what it is asked to.

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

/// The other node's name, where there is one.
const B: &str = "b@127.0.0.1";

/// Larger than any message of a workload.
const MESSAGE_BYTES_MAX: usize = 65 << 20;

/// Runs a remote workload in this OS process, as node `a`, with others beside it.
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
        "remote.mesh" => mesh::run(p),
        _ if workload.starts_with("remote.oneway.") => with_peer(p, oneway::run),
        _ if workload.starts_with("remote.bulk.") => with_peer(p, oneway::run),
        _ if workload.starts_with("remote.rpc.") => cannot("not there yet: rpc"),
        _ => cannot("not there yet"),
    }
    std::process::exit(0);
}

/// What this program does as one of the other nodes, until its standard input ends.
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

/// Starts another node as an OS process. It must be done on the program's main thread: it
/// is killed when the thread that started it ends.
fn start_node(name: &str, params: &Params) -> Peer {
    Peer::start(["node".to_owned(), name.to_owned()].into_iter().chain(words(params)))
}

fn words(params: &Params) -> Vec<String> {
    params.to_string().split(' ').map(str::to_owned).collect()
}

/// Runs `workload` as a process on node `a`, with node `b` beside it and connected.
fn with_peer<F>(p: Params, workload: impl FnOnce(Params, Peer) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    // First, so that the port mapper is here and outlives the other node.
    let node = match builder("a@127.0.0.1", &p).build() {
        Ok(node) => node,
        Err(error) => return failed(&format!("no node: {error}")),
    };
    let peer = start_node(B, &p);
    let workload = workload(p, peer);
    // What the workload spawns is linked to it, so the failure of any is known here.
    let ended = node.try_block_on(async {
        connect(B).await;
        workload.await;
    });
    if let Err(reason) = ended {
        failed(&reason.to_string());
    }
}

/// Waits until the node is there, and warms the connection up.
async fn connect(node: &str) {
    while ping(node).await != PingAnswer::Pong {
        sleep(millis(5)).await;
    }
    let echo = fika::process::spawn_on(node, echo()).await;
    ping_times(echo, 500).await;
}
