//! hydra: Erlang-like processes on tokio, with a worker per core.
//!
//! Each workload does the same work as fika's workload of that name.

mod fairness;
mod local;
mod message;
mod otp;
mod remote;
mod timers;

use fika_bench_kit::{Params, cannot, die_with_parent};
use hydra::Process;
use tokio::sync::oneshot;

#[tokio::main]
async fn main() {
    die_with_parent();
    let (workload, p) = Params::of_this_program();
    // Started on the main thread, since the kernel kills the other node when the thread that
    // started it ends.
    let server = workload.starts_with("remote.").then(|| remote::Server::start());
    let (done, ended) = oneshot::channel();
    Process::spawn(async move {
        run(&workload, p, server).await;
        let _ = done.send(());
    });
    // The process died, and has printed why.
    if ended.await.is_err() {
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
        "local.spawn" => local::spawn(p).await,
        "local.idle" => local::idle(p).await,
        "local.pingpong" => local::pingpong(p).await,
        "local.pairs" => local::pairs(p).await,
        "local.ring" => local::ring(p).await,
        "local.fanin" => local::fanin(p).await,
        "local.big" => local::big(p).await,
        "local.selective" => local::selective(p).await,
        "local.timers.start_cancel" => timers::start_cancel(p),
        "local.timers.fire" => timers::fire(p).await,
        "local.links" => otp::links(p).await,
        "local.monitors" => otp::monitors(p).await,
        "local.registry" => otp::registry(p).await,
        "local.call.1_client" | "local.call.100_clients" => otp::call(p).await,
        "local.supervisor.1000" | "local.supervisor.10000" => otp::supervisor(p).await,
        "local.fairness.hard" => fairness::hard(p).await,
        "local.fairness.cooperative" => fairness::cooperative(p).await,
        "local.idle.hibernated" => cannot("has no hibernation"),
        _ => cannot("has no such thing"),
    }
}
