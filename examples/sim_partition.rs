//! Finds a bug by simulation, in a replicated counter that loses votes.
//!
//! ```sh
//! cargo run --features sim --bin sim_partition
//! ```
//!
//! Each of three nodes has a process `votes` that counts the votes of its own clients and tells the
//! other nodes its count. It keeps one count per node, and the result is their sum. So nodes that
//! have lost each other go on counting, and agree again later.
//!
//! The buggy version tells the others only when its count changes. A node that can't be reached at
//! that moment never learns of the change. The fixed version watches the nodes, and tells a node
//! all counts when that node comes up.
//!
//! `-- --buggy` and `-- --fixed` run only one of the versions.

use std::collections::BTreeMap;

use fika::net::monitor_nodes;
use fika::prelude::*;
use fika::sim::{Failure, Fault, Faults, Sim, first_failure};
use serde::{Deserialize, Serialize};

const NODES: [&str; 3] = ["a@host1", "b@host2", "c@host3"];

/// A client's vote.
#[derive(Message, Serialize, Deserialize)]
struct Vote;

/// The number of votes that a node has counted.
#[derive(Message, Serialize, Deserialize)]
struct Counted {
    node: String,
    votes: u64,
}

/// A request for the result.
#[derive(Message, Serialize, Deserialize)]
struct Ask {
    from: Pid,
}

#[derive(Message, Serialize, Deserialize)]
struct Answer(u64);

/// The application, which does not know that it is simulated.
async fn votes(is_fixed: bool) {
    register("votes", self_pid()).expect("the name is free");
    if is_fixed {
        monitor_nodes(true);
    }
    spawn_link(keep_looking_for_others());
    let me = self_node().name().to_string();
    let mut counts = BTreeMap::<String, u64>::new();
    loop {
        receive! {
            Vote => {
                let votes = counts.entry(me.clone()).or_default();
                *votes += 1;
                for node in nodes() {
                    send(("votes", node.as_str()), Counted { node: me.clone(), votes: *votes });
                }
            }
            Counted { node, votes } => {
                let known = counts.entry(node).or_default();
                *known = votes.max(*known);
            }
            Ask { from } => send(from, Answer(counts.values().sum())),
            // Only the fixed version has subscribed.
            NodeUp { node: newcomer, .. } => {
                for (node, votes) in &counts {
                    let (node, votes) = (node.clone(), *votes);
                    send(("votes", newcomer.as_str()), Counted { node, votes });
                }
            }
        }
    }
}

async fn keep_looking_for_others() {
    loop {
        for node in NODES {
            connect_node(node).await;
        }
        sleep(secs(2)).await;
    }
}

/// Votes come in while the network breaks now and then. When it is whole again, all nodes must
/// have the same result.
fn scenario(seed: u64, is_fixed: bool) -> Result<(), Failure> {
    let mut sim = Sim::new(seed);
    let nodes = NODES.map(|name| sim.node(name, move || votes(is_fixed)));
    sim.run_until(|sim| nodes.iter().all(|node| sim.nodes_of(*node).len() == 2), secs(30))?;

    let faults = Faults {
        every: secs(100),
        lasting: secs(120),
        ..Faults::of(&[Fault::Partition, Fault::Reset, Fault::Link])
    };
    for round in 0..10 {
        sim.send(nodes[round % 3], "votes", Vote);
        sim.run_with_faults(secs(20), &faults);
    }
    // Time for the nodes to find each other again, and to exchange their counts.
    sim.run_for(secs(30));

    let results = nodes.map(|node| {
        sim.run_on(node, secs(5), async {
            send("votes", Ask { from: self_pid() });
            receive! { Answer(votes) => votes }
        })
    });
    let [a, b, c] = results;
    let results = [a?, b?, c?];
    let said = format!("10 votes were given, and a, b and c count {results:?}");
    sim.check(results == [10; 3], &said)
}

fn main() {
    let only = std::env::args().nth(1);
    let is_asked_for = |which: &str| only.as_deref().is_none_or(|only| only == which);
    if is_asked_for("--buggy") {
        println!("The buggy version:\n");
        match first_failure(0..1000, |seed| scenario(seed, false)) {
            Some(failure) => println!("{failure}\n"),
            None => println!("no seed fails\n"),
        }
    }
    if is_asked_for("--fixed") {
        println!("The fixed version:\n");
        match first_failure(0..200, |seed| scenario(seed, true)) {
            Some(failure) => println!("{failure}"),
            None => println!("it passes with every seed"),
        }
    }
}
