//! ractor_cluster: nodes of ractor's actors.
//!
//! Each workload does the same work as fika's workload of that name.

mod cluster;
mod mesh;
mod remote;

use fika_bench_kit::{Params, cannot, die_with_parent};

#[tokio::main]
async fn main() {
    die_with_parent();
    let (workload, p) = Params::of_this_program();
    // Started on the main thread, since the other nodes end with the thread that started them.
    let others = cluster::Others::start_for(&workload, &p);
    // In a task, so that this code runs on a worker as all other tasks do.
    let run = tokio::spawn(async move { run(&workload, p, others).await });
    // The task panicked, and has printed why.
    if run.await.is_err() {
        std::process::exit(1);
    }
    // Skips freeing memory, which is not part of the work.
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
        "remote.spawn.in_flight" | "remote.spawn.one_by_one" => cannot("has no remote spawn"),
        "remote.rpc.1_caller" | "remote.rpc.64_callers" => cannot("has no rpc"),
        _ => cannot("has no such thing"),
    }
}
