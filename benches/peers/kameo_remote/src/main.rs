//! kameo with its feature `remote`, which uses libp2p.
//!
//! Each workload does the same work as fika's workload of that name.

mod remote;
mod swarm;

use fika_bench_kit::{Params, cannot, die_with_parent};

#[tokio::main]
async fn main() {
    die_with_parent();
    let (workload, p) = Params::of_this_program();
    // Started on the main thread, since the other node ends with the thread that started it.
    let server = remote::Server::start_for(&workload, &p);
    // In a task, so that this code runs on a worker as all other tasks do.
    let run = tokio::spawn(async move { run(&workload, p, server).await });
    // The task panicked, and has printed why.
    if run.await.is_err() {
        std::process::exit(1);
    }
    // Skips freeing memory, which is not part of the work.
    std::process::exit(0);
}

async fn run(workload: &str, p: Params, server: Option<remote::Server>) {
    if let Some(server) = server {
        return remote::run(workload, p, server).await;
    }
    match workload {
        "serve" => remote::serve(p).await,
        "remote.mesh" => cannot("has no mesh: each peer has to be dialled"),
        "remote.spawn.in_flight" | "remote.spawn.one_by_one" => cannot("has no remote spawn"),
        "remote.rpc.1_caller" | "remote.rpc.64_callers" => cannot("has no rpc"),
        _ => cannot("has no such thing"),
    }
}
