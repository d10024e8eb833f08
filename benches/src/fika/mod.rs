//! fika's side of the workloads. Each workload is a file, and runs in an OS process of its own.
//!
//! All systems do the same work under the same name. If a workload can be understood in several
//! ways, the comment in its file here decides.

mod big;
mod call;
mod echo;
mod fairness;
mod fanin;
mod idle;
mod links;
mod mailbox;
mod monitors;
mod pingpong;
mod registry;
mod remote;
mod ring;
mod selective;
mod spawn;
mod stop;
mod supervisor;
mod timers;

use fika::Node;
use fika::node::NodeBuilder;
use fika_bench_kit::{Params, cannot, failed};

pub(crate) use remote::run_node;

/// Runs one workload, and prints its figures.
pub(crate) fn run(workload: &str, params: &Params, workers: Option<usize>) {
    if workload.starts_with("remote.") {
        return remote::run(workload, params);
    }
    let node = match builder(workload, params, workers).build() {
        Ok(node) => node,
        Err(error) => return failed(&format!("no node: {error}")),
    };
    let p = params.clone();
    match workload {
        "local.spawn" => node.block_on(spawn::run(p)),
        "local.idle" => node.block_on(idle::run(p)),
        "local.pingpong" => node.block_on(pingpong::run(p)),
        "local.pairs" => node.block_on(pingpong::run_pairs(p)),
        "local.ring" => node.block_on(ring::run(p)),
        "local.fanin" => node.block_on(fanin::run(p)),
        "local.big" => node.block_on(big::run(p)),
        "local.selective" => node.block_on(selective::run(p)),
        "local.timers.start_cancel" => node.block_on(timers::run_start_cancel(p)),
        "local.timers.fire" => node.block_on(timers::run_fire(p)),
        "local.links" => node.block_on(links::run(p)),
        "local.monitors" => node.block_on(monitors::run(p)),
        "local.registry" => node.block_on(registry::run(p)),
        "local.fairness.hard" => node.block_on(fairness::run_hard(p)),
        "local.fairness.cooperative" => node.block_on(fairness::run_cooperative(p)),
        "scale.processes" => node.block_on(idle::run_scale(with_rest(p))),
        "scale.monitors" => node.block_on(monitors::run_scale(with_rest(p))),
        "scale.links" => node.block_on(links::run_scale(with_rest(p))),
        "scale.children" => node.block_on(supervisor::run_scale(p)),
        "scale.mailbox" => node.block_on(mailbox::run(p)),
        "scale.timers" => node.block_on(timers::run_start_cancel(p)),
        "scale.name" => node.block_on(fanin::run_scale(p)),
        "scale.stop" => stop::run(&node, with_rest(p)),
        "local.idle.hibernated" => cannot("an idle process has nothing to give back"),
        "local.call.1_client" | "local.call.100_clients" => node.block_on(call::run(p)),
        "local.supervisor.1000" | "local.supervisor.10000" => node.block_on(supervisor::run(p)),
        _ => cannot("not there yet"),
    }
    // Freeing a million processes one by one is not part of the work. The operating system takes
    // the memory back.
    std::process::exit(0);
}

/// Returns the settings of a node: the defaults, and the parameters of the workload.
fn builder(workload: &str, p: &Params, workers: Option<usize>) -> NodeBuilder {
    let mut builder = Node::builder();
    if let Some(workers) = workers {
        builder = builder.workers(workers);
    }
    if workload == "scale.processes" {
        builder = builder.process_limit(p.size("process_limit"));
    }
    builder
}

/// Adds the time in which this many processes come to rest.
fn with_rest(mut p: Params) -> Params {
    p.set("settle_ms", 200 + p.get("n") / 2000);
    p
}
