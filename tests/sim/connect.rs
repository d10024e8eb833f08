//! Nodes that connect to each other at the same time end with one connection and lose nothing. They
//! get connected whatever happens to an attempt.

use std::collections::BTreeMap;

use fika::net::{disconnect_node, monitor_nodes};
use fika::prelude::*;
use fika::process::unregister;
use fika::sim::{Checks, Failure, Sim, SimNode, seeds};
use serde::{Deserialize, Serialize};

/// How many seeds each scenario runs.
const SEEDS: u64 = if cfg!(debug_assertions) { 10 } else { 1000 };

/// The number of messages from each process to each other process.
const NUMBERS: u64 = 20;

/// Tells all processes to send.
#[derive(Message, Serialize, Deserialize)]
#[message(tag = "sim::connect::Begin")]
struct Begin;

#[derive(Message, Serialize, Deserialize)]
#[message(tag = "sim::connect::Number")]
struct Number {
    from: Pid,
    n: u64,
}

/// Receives the numbers of all others, in order and without a gap, and then changes its name.
async fn sink(checks: Checks, others: u64) {
    register("sink", self_pid()).expect("a node has one");
    monitor_nodes(true);
    let mut last: BTreeMap<Pid, u64> = BTreeMap::new();
    let mut left = others * NUMBERS;
    while left > 0 {
        receive! {
            Number { from, n } => {
                let before = last.insert(from, n).unwrap_or_default();
                let me = self_pid();
                checks.hold(n == before + 1, || format!("{me}: {n} of {from} after {before}"));
                left -= 1;
            }
            NodeDown { node, reason, .. } => {
                checks.violated(format!("{}: nodedown {node}: {reason}", self_pid()));
            }
        }
    }
    unregister("sink").expect("it had it");
    register("full", self_pid()).expect("a node has one");
    loop {
        receive! {
            NodeDown { node, reason, .. } => {
                checks.violated(format!("{}: nodedown {node}: {reason}", self_pid()));
            }
        }
    }
}

/// Adds a node that sends to all others by name, in an order of its own. The sends make the
/// connections.
fn member(sim: &mut Sim, n: usize, count: usize, pause: Duration) -> SimNode {
    let checks = sim.checks();
    sim.node(format!("n{n}@host{n}"), move || {
        let checks = checks.clone();
        async move {
            spawn(sink(checks, count as u64 - 1));
            register("main", self_pid()).expect("a node has one");
            receive! { Begin => {} }
            sleep(pause).await;
            let from = self_pid();
            for number in 1..=NUMBERS {
                for other in (1..count).map(|step| (n + step) % count) {
                    let node = format!("n{other}@host{other}");
                    send(("sink", node.as_str()), Number { from, n: number });
                }
                if number % 7 == 0 {
                    sleep(pause).await;
                }
            }
        }
    })
}

fn everywhere(sim: &mut Sim, name: &str) -> Result<(), Failure> {
    let is_there = |sim: &Sim, node| sim.runtime(node).is_some_and(|of| of.whereis(name).is_some());
    sim.run_until(|sim| sim.nodes().all(|node| is_there(sim, node)), secs(60))
}

#[test]
fn simultaneous_connects_make_one_connection() {
    seeds(0..SEEDS, |seed| {
        let mut sim = Sim::on_any_network(seed);
        if seed.is_multiple_of(3) {
            // A connection may be complete while a packet of another connection is still in flight.
            sim.change_network(|network| {
                network.latency = Duration::from_micros(50)..=Duration::from_micros(90);
                (network.slow, network.slow_latency) = (100, millis(10)..=secs(1));
            });
        }
        let count = 2 + seed as usize % 4;
        let pauses = [Duration::ZERO, millis(1), millis(30), millis(200)];
        for n in 0..count {
            member(&mut sim, n, count, pauses[(seed as usize / 4 + n * (seed as usize / 16)) % 4]);
        }
        everywhere(&mut sim, "main")?;
        // The nodes' requests to the port mappers are over.
        sim.run_for(secs(1));
        let before = sim.connection_count();
        for node in sim.nodes() {
            sim.send(node, "main", Begin);
        }
        everywhere(&mut sim, "full")?;
        // Failed attempts are gone by then.
        sim.run_for(secs(30));
        sim.verdict()?;
        let made = sim.connection_count() - before;
        let all = count * (count - 1) / 2;
        sim.check(made == all, &format!("{made} connections of {count} nodes"))?;
        sim.finish()
    });
}

/// Adds a node that keeps connecting to the other.
fn seeker(sim: &mut Sim, name: &str, other: &'static str, every: Duration) -> SimNode {
    sim.node(name, move || async move {
        register("main", self_pid()).expect("a node has one");
        receive! { Begin => {} }
        loop {
            connect_node(other).await;
            sleep(every).await;
        }
    })
}

/// Runs the simulation to any moment of a new attempt: between any two events, or at a time.
fn any_moment(sim: &mut Sim) {
    let (seed, any) = (sim.seed(), sim.seed().wrapping_mul(7_919));
    match seed / 2 % 4 {
        0 => sim.run_for(Duration::from_micros(any % 1_500_000)),
        1 => sim.run_for(Duration::from_micros(any % 15_000)),
        _ => sim.run_steps(any as usize % 400),
    }
}

/// Two nodes find each other again, although one is frozen at any moment of an attempt, for longer
/// than an attempt may take.
#[test]
fn a_node_frozen_in_a_handshake_is_found_again() {
    seeds(0..SEEDS, |seed| {
        let mut sim = Sim::on_any_network(seed);
        let a = seeker(&mut sim, "a@host1", "b@host2", secs(1));
        let b = seeker(&mut sim, "b@host2", "a@host1", secs(3600));
        everywhere(&mut sim, "main")?;
        for node in [a, b] {
            sim.send(node, "main", Begin);
        }
        let frozen = if seed.is_multiple_of(2) { a } else { b };
        any_moment(&mut sim);
        sim.pause(frozen);
        sim.run_for(secs([1, 6, 20][seed as usize / 8 % 3]));
        sim.resume(frozen);
        sim.run_until(|sim| sim.nodes_of(a) == [b] && sim.nodes_of(b) == [a], secs(150))?;
        sim.finish()
    });
}

/// Two nodes find each other, although their connections break repeatedly while one of them
/// connects.
#[test]
fn a_broken_handshake_is_retried() {
    seeds(0..SEEDS, |seed| {
        let mut sim = Sim::on_any_network(seed);
        let a = seeker(&mut sim, "a@host1", "b@host2", millis(100));
        let b = seeker(&mut sim, "b@host2", "a@host1", secs(3600));
        everywhere(&mut sim, "main")?;
        sim.send(a, "main", Begin);
        for _ in 0..1 + seed % 5 {
            any_moment(&mut sim);
            sim.reset(a, b);
        }
        sim.run_until(|sim| sim.nodes_of(a) == [b] && sim.nodes_of(b) == [a], secs(20))?;
        sim.finish()
    });
}

/// Adds a node that connects to all others, and is notified of them.
fn watcher(sim: &mut Sim, n: usize, count: usize) -> SimNode {
    sim.node(format!("n{n}@host{n}"), move || async move {
        for other in (0..count).filter(|other| *other != n) {
            spawn(async move {
                loop {
                    connect_node(format!("n{other}@host{other}")).await;
                    sleep(secs(1)).await;
                }
            });
        }
        monitor_nodes(true);
        loop {
            receive! { _ => {} }
        }
    })
}

/// Connections of an earlier life do not delay a new life of a node, though other nodes may still
/// believe that they are up.
#[test]
fn a_restarted_node_is_found_at_once() {
    let is_meshed = |sim: &Sim| {
        let count = sim.nodes().count();
        sim.nodes().all(|node| sim.nodes_of(node).len() == count - 1)
    };
    seeds(0..SEEDS, |seed| {
        let mut sim = Sim::on_any_network(seed);
        // Within this test, no node is given up because of ticks.
        sim.configure(|config| config.ticktime = secs(600));
        let count = 2 + seed as usize % 3;
        let nodes: Vec<_> = (0..count).map(|n| watcher(&mut sim, n, count)).collect();
        sim.run_until(is_meshed, secs(30))?;
        for round in 0..3 {
            let any = (seed as usize / 3) >> (2 * round);
            // Sometimes two nodes end at the same time, with all their connections.
            let dead = [nodes[any % count], nodes[(any + any / 2 % 2) % count]];
            for node in dead {
                if (any / 4).is_multiple_of(2) { sim.lose_power(node) } else { sim.crash(node) }
            }
            sim.run_for([Duration::ZERO, millis(1), millis(300), secs(3)][any / 8 % 4]);
            dead.into_iter().for_each(|node| sim.restart(node));
            sim.run_until(is_meshed, secs(30))?;
        }
        sim.finish()
    });
}

/// HS-7: a node that closes a connection can make another at once. It does not wait for the first
/// connection, of which the peer might not even know.
#[test]
fn a_node_that_disconnects_can_reconnect_at_once() {
    seeds(0..SEEDS, |seed| {
        let mut sim = Sim::on_any_network(seed);
        let checks = sim.checks();
        let (own, other) = match seed.is_multiple_of(2) {
            true => ("a@host1", "b@host2"),
            false => ("b@host2", "a@host1"),
        };
        sim.node(other, register_main);
        let node = sim.node(own, move || {
            let checks = checks.clone();
            async move {
                register("main", self_pid()).expect("a node has one");
                receive! { Begin => {} }
                for round in 0..20 {
                    let connected = connect_node(other).await;
                    checks.hold(connected == Some(true), || {
                        format!("connected: {connected:?} in round {round}")
                    });
                    disconnect_node(other).await;
                }
                unregister("main").expect("it had it");
                register("full", self_pid()).expect("a node has one");
                receive! { Begin => {} }
            }
        });
        everywhere(&mut sim, "main")?;
        sim.send(node, "main", Begin);
        sim.run_until(
            |sim| sim.runtime(node).is_some_and(|of| of.whereis("full").is_some()),
            secs(600),
        )?;
        sim.finish()
    });
}

/// A connection to a host that nobody knows is refused with a warning, unless it is only a peer that
/// has named the node.
#[test]
fn an_unknown_host_is_reported() -> Result<(), Failure> {
    let mut sim = Sim::new(1);
    sim.keep_log();
    let a = sim.node("a@host1", || async {
        assert_eq!(connect_node("b@hots2").await, Some(false));
        send(("net_kernel", "c@hots3"), ());
    });
    sim.run_until(|sim| sim.main_end(a).is_some(), secs(10))?;
    sim.run_for(secs(10));
    let log = sim.log();
    for node in ["b@hots2", "c@hots3"] {
        let line = "not connected: the host in the node's name is unknown";
        let is_it = |entry: &str| entry.contains(line) && entry.contains(node);
        assert_eq!(log.lines().filter(|entry| is_it(entry)).count(), 1, "{node}:\n{log}");
    }
    sim.finish()
}

async fn register_main() {
    register("main", self_pid()).expect("a node has one");
    receive! { Begin => {} }
}
