//! Clusters become a full mesh, also after faults.

use fika::prelude::*;
use fika::sim::{Failure, Fault, Sim, SimNode, seeds};

/// How many seeds each scenario runs.
const SEEDS: u64 = if cfg!(debug_assertions) { 20 } else { 500 };

fn is_meshed(sim: &Sim) -> bool {
    let count = sim.nodes().count();
    sim.nodes().all(|node| sim.nodes_of(node).len() == count - 1)
}

/// Adds a node that keeps connecting to the nodes in `seeds`.
fn member(sim: &mut Sim, n: usize, seeds: Vec<String>) -> SimNode {
    let name = format!("n{n}@host{n}");
    sim.node(&name, move || {
        let seeds = seeds.clone();
        async move {
            loop {
                for seed in &seeds {
                    connect_node(seed.as_str()).await;
                }
                sleep(secs(5)).await;
            }
        }
    })
}

fn cluster(seed: u64, count: usize, known: impl Fn(usize) -> Vec<String>) -> Sim {
    let mut sim = Sim::on_any_network(seed);
    for n in 0..count {
        member(&mut sim, n, known(n));
    }
    sim
}

/// Returns one of the first two nodes, and the first one.
fn one_of_two(n: usize) -> Vec<String> {
    vec![format!("n{}@host{}", n % 2, n % 2), "n0@host0".to_owned()]
}

/// As in OTP, a node that has lost a connection must make it again itself. The others do not know
/// about it.
fn all_of(count: usize) -> impl Fn(usize) -> Vec<String> {
    move |n| (0..count).filter(|other| *other != n).map(|m| format!("n{m}@host{m}")).collect()
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = |seed| {
        let mut sim = cluster(seed, 4, one_of_two);
        sim.run_with_some_faults(secs(300), &Fault::ALL);
        sim.run_for(secs(60));
        (sim.trace_hash(), sim.now())
    };
    let first: Vec<_> = (0..5).map(run).collect();
    let second: Vec<_> = (0..5).map(run).collect();
    assert_eq!(first, second);
    assert_ne!(first[0], first[1]);
}

#[test]
fn random_joins_make_a_mesh() {
    seeds(0..SEEDS, |seed| {
        let mut sim = cluster(seed, 2 + seed as usize % 19, one_of_two);
        sim.run_until(is_meshed, secs(60))?;
        sim.finish()
    });
}

#[test]
fn a_mesh_heals() {
    seeds(0..SEEDS, |seed| {
        let count = 3 + seed as usize % 3;
        let mut sim = cluster(seed, count, all_of(count));
        sim.run_until(is_meshed, secs(60))?;
        sim.run_with_some_faults(secs(600), &Fault::ALL);
        sim.run_until(is_meshed, secs(180))?;
        sim.finish()
    });
}

#[test]
fn both_sides_of_a_partition_notice_it() -> Result<(), Failure> {
    let mut sim = cluster(7, 2, one_of_two);
    let [a, b] = [0, 1].map(|n| sim.nodes().nth(n).unwrap());
    sim.run_until(is_meshed, secs(60))?;
    sim.partition([a], [b]);
    sim.run_until(|sim| sim.nodes_of(a).is_empty() && sim.nodes_of(b).is_empty(), secs(90))?;
    sim.heal();
    sim.run_until(is_meshed, secs(20))?;
    sim.finish()
}
