//! kameo: actors on tokio, with a worker per core and unbounded mailboxes. The workloads between
//! nodes are in `kameo_remote`.
//!
//! Each workload does the same work as fika's workload of that name.

mod echo;
mod fairness;
mod local;
mod otp;
mod ring;
mod timers;

use fika_bench_kit::{Params, cannot, die_with_parent};

#[tokio::main]
async fn main() {
    die_with_parent();
    let (workload, p) = Params::of_this_program();
    // In a task, so that this code runs on a worker as all other tasks do.
    let run = tokio::spawn(async move { run(&workload, p).await });
    // The task panicked, and has printed why.
    if run.await.is_err() {
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
        "local.fanin" => local::fanin(p).await,
        "local.call.1_client" | "local.call.100_clients" => local::call(p).await,
        "local.ring" => ring::run(p).await,
        "local.big" => ring::run_big(p).await,
        "local.timers.start_cancel" => timers::start_cancel(p),
        "local.timers.fire" => timers::fire(p).await,
        "local.links" => otp::links(p).await,
        "local.registry" => otp::registry(p).await,
        "local.supervisor.1000" | "local.supervisor.10000" => otp::supervisor(p).await,
        "local.fairness.hard" => fairness::hard(p).await,
        "local.fairness.cooperative" => fairness::cooperative(p).await,
        "local.idle.hibernated" => cannot("has no hibernation"),
        "local.selective" => cannot("has no selective receive"),
        "local.monitors" => cannot("has links, but no monitors"),
        _ => cannot("has no such thing"),
    }
}
