//! The operations of the machine itself, without any system. For workloads of processes these are the
//! queue operations that no system can avoid. For workloads between nodes it is raw TCP on
//! loopback.
//!
//! | workload | what is done |
//! |---|---|
//! | spawn | allocate and free the memory of a small process |
//! | idle | allocate that memory; to wake it, push to a queue and pop, for the message and the answer |
//! | pingpong, pairs, ring, call, big | a push and a pop for each message, on one thread per core |
//! | fanin | one thread sends to another through a channel |
//! | remote | the same bytes over TCP between two OS processes; all that is ready goes out in one write |

mod beside_bulk;
mod local;
mod machine;
mod remote;
mod tcp;

use fika_bench_kit::{Params, cannot, die_with_parent};

fn main() {
    die_with_parent();
    let (workload, p) = Params::of_this_program();
    match workload.as_str() {
        "serve" => tcp::serve(&p),
        "echo" => tcp::echo(&p),
        "local.spawn" => local::spawn(&p),
        "local.idle" => local::idle(&p),
        "local.pingpong" => local::pingpong(&p),
        "local.pairs" => local::pairs(&p),
        "local.ring" => local::ring(&p),
        "local.fanin" => local::fanin(&p),
        "local.big" => local::big(&p),
        "local.call.1_client" | "local.call.100_clients" => local::call(&p),
        "remote.pingpong" => remote::pingpong(&p),
        "remote.pairs" => remote::pairs(&p),
        "remote.rpc.1_caller" | "remote.rpc.64_callers" => remote::rpc(&p),
        "remote.spawn.in_flight" | "remote.spawn.one_by_one" => remote::spawn(&p),
        "remote.headofline" => remote::headofline(&p),
        "remote.connect_beside_bulk" => beside_bulk::connect_beside_bulk(&p),
        "remote.nodedown.kill" => remote::nodedown(&p),
        "remote.nodedown.stop" => cannot("TCP does not notice a frozen peer"),
        _ if workload.starts_with("remote.oneway.") || workload.starts_with("remote.bulk.") => {
            remote::oneway(&p);
        }
        "floor.allocation" => machine::allocation(&p),
        "floor.queue" => machine::queue(&p),
        "floor.wake" => machine::wake(&p),
        _ => cannot("the machine has no counterpart"),
    }
    std::process::exit(0);
}
