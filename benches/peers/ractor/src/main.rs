//! ractor and ractor_cluster: actors on tokio, with a worker a core.
//!
//! Each workload does the same work as fika's of the same name.

mod cluster;
mod echo;
mod fairness;
mod local;
mod mesh;
mod otp;
mod remote;
mod ring;
mod timers;

use fika_bench_kit::{Params, cannot, die_with_parent};

#[tokio::main]
async fn main() {
    die_with_parent();
    let (workload, p) = Params::of_this_program();
    // On the main thread, whose end they do not outlive.
    let others = cluster::Others::start_for(&workload, &p);
    // In a task of its own, so that it runs on a worker as all others do.
    let run = tokio::spawn(async move { run(&workload, p, others).await });
    // It panicked, and has said why.
    if run.await.is_err() {
        std::process::exit(1);
    }
    // To free what is left is not part of the work.
    std::process::exit(0);
}

async fn run(workload: &str, p: Params, others: Option<cluster::Others>) {
    if let Some(others) = others {
        return match workload {
            "remote.mesh" => mesh::run(p, others).await,
            _ => remote::run(workload, p, others).await,
        };
    }
    match workload {
        "serve" => remote::serve(p).await,
        "mesh_node" => mesh::serve(p).await,
        "local.spawn" => local::spawn(p).await,
        "local.idle" => local::idle(p).await,
        "local.pingpong" => local::pingpong(p).await,
        "local.pairs" => local::pairs(p).await,
        "local.fanin" => local::fanin(p).await,
        "local.call.1_client" | "local.call.100_clients" => local::call(p).await,
        "local.ring" => ring::run(p).await,
        "local.big" => ring::run_big(p).await,
        "local.timers.start_cancel" => timers::start_cancel(p).await,
        "local.timers.fire" => timers::fire(p).await,
        "local.links" => otp::links(p).await,
        "local.monitors" => otp::monitors(p).await,
        "local.registry" => otp::registry(p).await,
        "local.fairness.hard" => fairness::hard(p).await,
        "local.fairness.cooperative" => fairness::cooperative(p).await,
        "local.idle.hibernated" => cannot("has no hibernation"),
        "local.selective" => cannot("has no selective receive"),
        "local.supervisor.1000" | "local.supervisor.10000" => {
            cannot("tells a supervisor that a child ended, and leaves restarts to it");
        }
        "remote.spawn.in_flight" | "remote.spawn.one_by_one" => cannot("has no remote spawn"),
        "remote.rpc.1_caller" | "remote.rpc.64_callers" => cannot("has no rpc"),
        _ => cannot("has no such thing"),
    }
}
