//! actix: actors on arbiters. An arbiter is a thread, and there is one per core. An actor never
//! moves to another arbiter. So the two actors of a pair share an arbiter, and the pairs are spread
//! over all arbiters.
//!
//! Each workload does the same work as fika's workload of that name.

mod big;
mod call;
mod echo;
mod fairness;
mod fanin;
mod idle;
mod pingpong;
mod ring;
mod spawn;
mod timers;

use std::thread::available_parallelism;

use actix::prelude::*;
use fika_bench_kit::{Params, cannot, die_with_parent};

fn main() {
    die_with_parent();
    let (workload, p) = Params::of_this_program();
    System::new().block_on(run(workload, p));
    // Skips freeing memory, which is not part of the work.
    std::process::exit(0);
}

async fn run(workload: String, p: Params) {
    match workload.as_str() {
        "local.spawn" => spawn::run(p).await,
        "local.idle" => idle::run(p).await,
        "local.pingpong" => pingpong::run(p).await,
        "local.pairs" => pingpong::run_pairs(p).await,
        "local.ring" => ring::run(p).await,
        "local.fanin" => fanin::run(p).await,
        "local.big" => big::run(p).await,
        "local.call.1_client" | "local.call.100_clients" => call::run(p).await,
        "local.timers.start_cancel" => timers::run_start_cancel(p).await,
        "local.timers.fire" => timers::run_fire(p).await,
        "local.fairness.hard" => fairness::run_hard(p).await,
        "local.fairness.cooperative" => fairness::run_cooperative(p).await,
        "local.idle.hibernated" => cannot("has no hibernation"),
        "local.selective" => cannot("has no selective receive"),
        "local.links" => cannot("has no links"),
        "local.monitors" => cannot("has no monitors"),
        "local.supervisor.1000" | "local.supervisor.10000" => {
            cannot("restarts an actor in place; no actor supervises others");
        }
        "local.registry" => cannot("finds actors by their type, not by a name"),
        _ if workload.starts_with("remote.") => cannot("has no nodes"),
        _ => cannot("has no such thing"),
    }
}

/// Starts one arbiter per core.
fn arbiters() -> Vec<Arbiter> {
    (0..cores()).map(|_| Arbiter::new()).collect()
}

fn cores() -> usize {
    available_parallelism().map_or(1, usize::from)
}
