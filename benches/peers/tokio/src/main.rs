//! Plain tokio. A "process" is a task that owns the receiver of an unbounded channel; other tasks
//! hold senders. The runtime has a worker per core.
//!
//! Each workload does the same work as fika's workload of that name.

mod fairness;
mod local;
mod timers;

use fika_bench_kit::{Params, cannot, die_with_parent};

fn main() {
    die_with_parent();
    let (workload, p) = Params::of_this_program();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.expect("the operating system gives threads");
    // In a task, so that this code runs on a worker as all other tasks do.
    let run = runtime.spawn(async move { run(&workload, p).await });
    // The task panicked, and has printed why.
    if runtime.block_on(run).is_err() {
        std::process::exit(1);
    }
    // Skips freeing memory, which is not part of the work.
    std::process::exit(0);
}

async fn run(workload: &str, p: Params) {
    match workload {
        "local.spawn" => local::spawn(p).await,
        "local.idle" => local::idle(p).await,
        "local.pingpong" => local::pingpong(p).await,
        "local.pairs" => local::pairs(p).await,
        "local.ring" => local::ring(p).await,
        "local.fanin" => local::fanin(p).await,
        "local.big" => local::big(p).await,
        "local.call.1_client" | "local.call.100_clients" => local::call(p).await,
        "local.timers.start_cancel" => timers::start_cancel(p),
        "local.timers.fire" => timers::fire(p).await,
        "local.fairness.hard" => fairness::hard(p).await,
        "local.fairness.cooperative" => fairness::cooperative(p).await,
        "local.idle.hibernated" => cannot("has no hibernation"),
        "local.selective" => cannot("has no selective receive"),
        "local.links" => cannot("has no links"),
        "local.monitors" => cannot("has no monitors"),
        "local.registry" => cannot("has no registered names"),
        _ if workload.starts_with("local.supervisor") => cannot("has no supervisors"),
        _ if workload.starts_with("remote.") => cannot("has no nodes"),
        _ => cannot("has no such thing"),
    }
}
