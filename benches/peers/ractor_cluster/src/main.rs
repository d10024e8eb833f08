//! ractor_cluster: nodes of ractor's actors.
//!
//! Each workload does the same work as fika's of the same name.

mod cluster;
mod mesh;
mod remote;

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
        "remote.spawn.in_flight" | "remote.spawn.one_by_one" => cannot("has no remote spawn"),
        "remote.rpc.1_caller" | "remote.rpc.64_callers" => cannot("has no rpc"),
        _ => cannot("has no such thing"),
    }
}
