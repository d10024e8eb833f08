//! kameo with its feature `remote`, which is libp2p.
//!
//! Each workload does the same work as fika's of the same name.

mod remote;
mod swarm;

use fika_bench_kit::{Params, cannot, die_with_parent};

#[tokio::main]
async fn main() {
    die_with_parent();
    let (workload, p) = Params::of_this_program();
    // On the main thread, whose end it does not outlive.
    let server = remote::Server::start_for(&workload, &p);
    // In a task of its own, so that it runs on a worker as all others do.
    let run = tokio::spawn(async move { run(&workload, p, server).await });
    // It panicked, and has said why.
    if run.await.is_err() {
        std::process::exit(1);
    }
    // To free what is left is not part of the work.
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
