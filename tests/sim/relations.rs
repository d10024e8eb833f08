//! Links, monitors and remote spawns during random faults. Each monitor gives one `Down` and each
//! link one `Exit`, unless it was removed. At the end, no relations are left.

use fika::prelude::*;
use fika::sim::{Failure, Fault, Sim, seeds};

use crate::agent::{Agent, Begin, Rest};
use crate::target::Enough;

/// How many seeds each scenario runs.
const SEEDS: u64 = if cfg!(debug_assertions) { 5 } else { 1000 };

/// Adds a node with an agent that waits until it may begin.
fn member(sim: &mut Sim, n: usize, count: usize, pause: Duration) {
    let (checks, seed) = (sim.checks(), sim.seed());
    let others = (0..count).filter(|other| *other != n);
    let others: Vec<String> = others.map(|other| format!("n{other}@host{other}")).collect();
    sim.node(format!("n{n}@host{n}"), move || {
        let (checks, others) = (checks.clone(), others.clone());
        async move {
            register("agent", self_pid()).expect("a node has one");
            let mut agents = Vec::new();
            loop {
                receive! {
                    Begin => {
                        let random = seed * 31 + n as u64;
                        let agent = Agent::new(checks.clone(), others.clone(), random);
                        agents.push(spawn(agent.run(pause)));
                    }
                    // A restarted node has no agent.
                    Rest => agents.iter().for_each(|agent| send(*agent, Rest)),
                    Enough => agents.iter().for_each(|agent| send(*agent, Enough)),
                }
            }
        }
    });
}

fn is_meshed(sim: &Sim) -> bool {
    let count = sim.nodes().count();
    sim.nodes().all(|node| sim.nodes_of(node).len() == count - 1)
}

/// Waits for the agents, and connects all nodes.
fn mesh(sim: &mut Sim) -> Result<(), Failure> {
    let names: Vec<_> = sim.nodes().map(|node| sim.name(node).to_string()).collect();
    let there = |sim: &Sim, node| sim.runtime(node).is_some_and(|of| of.whereis("agent").is_some());
    sim.run_until(|sim| sim.nodes().all(|node| there(sim, node)), secs(60))?;
    for _ in 0..30 {
        for node in sim.nodes() {
            let names = names.clone();
            sim.spawn(node, async move {
                for name in &names {
                    connect_node(name.as_str()).await;
                }
            });
        }
        if sim.eventually(secs(10), is_meshed) {
            return Ok(());
        }
    }
    Err(sim.failure("the nodes are not connected"))
}

#[test]
fn each_monitor_and_link_fires_once() {
    seeds(0..SEEDS, |seed| {
        let mut sim = Sim::on_any_network(seed);
        let count = 2 + seed as usize % 3;
        let pause = [millis(20), millis(200), secs(2)][seed as usize / 3 % 3];
        let ticktime = [secs(4), secs(16), secs(60)][seed as usize / 9 % 3];
        sim.configure(move |config| config.ticktime = ticktime);
        for n in 0..count {
            member(&mut sim, n, count, pause);
        }
        mesh(&mut sim)?;
        sim.run_for(secs(20));
        let before = sim.census()?;
        for node in sim.nodes() {
            sim.send(node, "agent", Begin);
        }
        sim.run_with_some_faults(secs(60), &Fault::ALL);
        mesh(&mut sim)?;
        for node in sim.nodes() {
            sim.send(node, "agent", Rest);
        }
        // By then, each connection that the faults have broken has been reported lost.
        sim.run_for(ticktime * 2);
        mesh(&mut sim)?;
        sim.rest(secs(120))?;
        for node in sim.nodes() {
            sim.send(node, "agent", Enough);
        }
        sim.settle(&before, secs(900))?;
        sim.finish()
    });
}
