//! Equal seeds give equal runs: again in the same program, in another program, and whether the log
//! is kept or not. The runs have all kinds of traffic and all kinds of faults.

use std::collections::BTreeMap;
use std::process::Command;

use fika::net::monitor_nodes;
use fika::prelude::*;
use fika::process::{spawn_blocking, spawn_link_on, spawn_monitor_on};
use fika::sim::{Fault, Sim};
use serde::{Deserialize, Serialize};

const SEEDS: std::ops::Range<u64> = 0..8;
const NODES: [&str; 4] = ["a@host1", "b@host1", "c@host2", "d@host3"];

#[derive(Message, Serialize, Deserialize)]
struct Number(u64);

#[derive(Message, Serialize, Deserialize)]
struct Bulk(String);

/// Answers, and ends soon, in one of several ways.
#[remote(name = "sim_determinism_worker")]
async fn worker(to: Pid, way: u64) {
    send(to, Number(way));
    sleep(millis(way % 5000)).await;
    match way % 4 {
        0 => panic!("as it was asked to"),
        1 => exit(ExitReason::Shutdown),
        2 => drop(spawn_blocking(move || way).await),
        _ => {}
    }
}

/// Sends, spawns, links, monitors, starts timers and makes requests, all over the cluster.
async fn restless() {
    trap_exit(true);
    monitor_nodes(true);
    let _ = register("restless", self_pid());
    let mut last = None;
    for step in 0_u64.. {
        let random = self_node().env().random();
        let node = NODES[(random % 4) as usize];
        match random / 4 % 8 {
            0 => drop(connect_node(node).await),
            1 => send(("restless", node), Number(step)),
            2 => send(("restless", node), Bulk("x".repeat((random / 32 % 20_000) as usize))),
            3 => last = Some(spawn_link_on(node, worker(self_pid(), random / 32)).await),
            4 => last = Some(spawn_monitor_on(node, worker(self_pid(), random / 32)).await.0),
            5 => last.into_iter().for_each(|pid| {
                monitor(pid);
            }),
            6 => last.into_iter().for_each(link),
            _ => drop(send_after(millis(random / 32 % 3000), self_pid(), Number(step))),
        }
        sleep(millis(random / 64 % 500)).await;
        // If each message caused another, they would never end.
        while receive! { other => { drop(other); true } after Duration::ZERO => false } {}
    }
}

/// Returns the hash of a run with this traffic.
fn run(seed: u64, keeps_log: bool) -> u64 {
    let mut sim = Sim::on_any_network(seed);
    if keeps_log {
        sim.keep_log();
    }
    for name in NODES {
        sim.node(name, restless);
    }
    sim.run_with_some_faults(secs(60), &Fault::ALL);
    sim.run_for(secs(10));
    sim.trace_hash()
}

#[test]
fn a_seed_gives_the_same_run_again() {
    let first: BTreeMap<u64, u64> = SEEDS.map(|seed| (seed, run(seed, false))).collect();
    let again: BTreeMap<u64, u64> = SEEDS.rev().map(|seed| (seed, run(seed, true))).collect();
    assert_eq!(first, again);
    let different: std::collections::BTreeSet<_> = first.values().collect();
    assert_eq!(different.len(), first.len());
}

/// Prints the hashes that the other test compares, if requested.
#[test]
fn hashes() {
    if std::env::var_os("FIKA_TEST_HASHES").is_some() {
        SEEDS.for_each(|seed| println!("hash of {seed}: {:016x}", run(seed, false)));
    }
}

/// Another program has other addresses, and other keys for the hashes of its tables.
#[test]
fn a_seed_gives_the_same_run_in_another_program() {
    let hashes = |padding: usize| {
        let program = std::env::current_exe().unwrap();
        let output = Command::new(program)
            .args(["determinism::hashes", "--exact", "--nocapture"])
            .env("FIKA_TEST_HASHES", "x".repeat(padding))
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let lines = text.lines().filter_map(|line| Some(line[line.find("hash of ")?..].to_owned()));
        lines.collect::<Vec<_>>()
    };
    let first = hashes(1);
    assert_eq!(first.len() as u64, SEEDS.end - SEEDS.start);
    assert_eq!(first, hashes(10_000));
}
