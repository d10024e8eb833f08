//! Shows how large a simulation may be: a mesh of 256 nodes, and 1,000 nodes each of which is
//! connected to about ten others. Prints the time and the memory that they take.
//!
//! ```sh
//! cargo run --release --features sim --bin sim_scale
//! ```
//!
//! `-- mesh 64` and `-- sparse 500` run only one of the two, with this many nodes. The memory is
//! the program's peak so far, as reported by Linux.

use std::time::Instant;

use fika::prelude::*;
use fika::sim::{Sim, SimNode};

fn name(n: usize) -> String {
    format!("n{n}@host{n}")
}

/// Each node connects to one of the nodes before it, and hears of the rest.
fn mesh(count: usize) {
    let mut sim = Sim::new(1);
    for n in 0..count {
        add(&mut sim, n, if n == 0 { Vec::new() } else { vec![n / 2] });
    }
    run(sim, &format!("{count} nodes in a mesh"), |sim, node| {
        sim.nodes_of(node).len() == sim.nodes().count() - 1
    });
}

/// Each node connects to five others, and to none of the nodes that those know.
fn sparse(count: usize) {
    let mut sim = Sim::new(1);
    sim.configure(|config| config.connect_all = false);
    let far = [1, 7, 31, 127, 500];
    for n in 0..count {
        add(&mut sim, n, far.iter().map(|far| (n + far) % count).collect());
    }
    run(sim, &format!("{count} nodes, each connected to about ten"), move |sim, node| {
        sim.nodes_of(node).len() >= far.len()
    });
}

/// Adds a node that keeps up its connections to the nodes in `to`.
fn add(sim: &mut Sim, n: usize, to: Vec<usize>) {
    sim.node(name(n), move || {
        let to = to.clone();
        async move {
            loop {
                for other in &to {
                    connect_node(name(*other).as_str()).await;
                }
                sleep(secs(5)).await;
            }
        }
    });
}

#[allow(clippy::disallowed_methods, reason = "this example measures real time")]
fn run(mut sim: Sim, what: &str, is_there: impl Fn(&Sim, SimNode) -> bool) {
    let start = Instant::now();
    // Looking at all nodes after each step would take longer than the steps.
    while !sim.nodes().all(|node| is_there(&sim, node)) {
        assert!(sim.now() < secs(600), "{what}: not connected after {:?}", sim.now());
        sim.run_for(millis(100));
    }
    let (up, at) = (start.elapsed(), sim.now());
    println!("{what}");
    println!("  all connected: {:.1} s of real time, {at:.1?} simulated", up.as_secs_f64());
    let start = Instant::now();
    sim.run_for(secs(60));
    println!("  a minute of ticks: {:.1} s", start.elapsed().as_secs_f64());
    println!("  connections: {}, memory: {} MiB", sim.connection_count(), memory_mib());
}

fn memory_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or_default() >> 10
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let count = |otherwise| args.get(1).and_then(|n| n.parse().ok()).unwrap_or(otherwise);
    let kind = args.first().map(String::as_str);
    if kind.is_none_or(|kind| kind == "sparse") {
        sparse(count(1000));
    }
    if kind.is_none_or(|kind| kind == "mesh") {
        mesh(count(256));
    }
}
