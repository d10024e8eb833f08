//! A cluster that is too large for its host comes together, or stays in parts. It does not use the
//! whole host, and does not write thousands of log lines.
//!
//! `FIKA_LONG=1 FIKA_NODES=160 cargo test --release --test alone overload -- --nocapture` prints the
//! figures for another number of nodes.

use crate::alone;
use crate::support;

use fika::prelude::*;
use support::process::{OsNode, allow_files};
use support::{Clock, Place, TestNode, times};

/// How long the cluster may take to become connected.
const SETTLES_WITHIN: Duration = secs(240);

/// Connects its node to another one, and stays.
#[remote]
async fn joins(node: String) {
    while connect_node(&node).await != Some(true) {
        sleep(secs(5)).await;
    }
}

/// Reports how many nodes its own node is connected to.
#[remote]
async fn counts(to: Pid) {
    send(to, nodes().len());
}

/// Returns how many nodes each of the named nodes is connected to. Nodes that do not answer are
/// left out.
async fn connected(names: &[String]) -> Vec<usize> {
    let me = self_pid();
    for name in names.iter().cloned() {
        spawn(async move { spawn_on(name, counts(me)).await });
    }
    let mut all = Vec::new();
    while all.len() < names.len() {
        receive! { count: usize => all.push(count), after secs(20) => break }
    }
    all
}

/// DIST-11: 250 programs can join each other at the same moment, on any host.
#[test]
fn many_nodes_of_one_host_form_a_mesh() {
    let _alone = alone();
    let count = std::env::var("FIKA_NODES").ok().and_then(|count| count.parse().ok());
    let count = count.unwrap_or(times(12, 250) as usize);
    let _ = allow_files();
    let place = Place::new();
    let all: Vec<OsNode> = (0..count).map(|n| place.os(&format!("n{n}")).start()).collect();
    let names: Vec<String> = all.iter().map(|node| node.name.clone()).collect();
    // This node sees all nodes, and none of them sees it.
    let eye = TestNode::of(place.builder("eye").hidden(true).connect_all(false));
    let cpu_time = || all.iter().map(OsNode::cpu_time).sum::<Duration>();
    let clock = Clock::new();
    let started = cpu_time();
    for (n, name) in names.iter().cloned().enumerate().skip(1) {
        let first = names[n / 2].clone();
        eye.spawn(async move { spawn_on(name, joins(first)).await });
    }
    let mut meshed = 0;
    while meshed < count && clock.elapsed() < SETTLES_WITHIN {
        let names = names.clone();
        let connected = eye.block_on(async move {
            sleep(millis(200)).await;
            connected(&names).await
        });
        meshed = connected.iter().filter(|nodes| **nodes == count - 1).count();
    }
    let (took, used) = (clock.elapsed(), cpu_time() - started);
    let (clock, before) = (Clock::new(), cpu_time());
    eye.block_on(async { sleep(secs(times(1, 30))).await });
    let rest = (cpu_time() - before).as_secs_f64() / clock.elapsed().as_secs_f64();
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as f64;
    let logged = |line: &str| all.iter().map(|node| node.logged(line)).sum::<usize>();
    let stuck = logged("has kept its worker");
    let late = logged("the setup time is over");
    println!(
        "{meshed} of {count} nodes are connected to all others after {took:?} and {used:?} of the \
         processors; then {:.1} % of {cores} are used; {stuck} processes were stuck, {late} \
         attempts took too long",
        rest / cores * 100.0
    );
    assert!(rest < cores / 2.0, "{rest:.2} of {cores} processors are used");
    assert!(stuck <= count, "{stuck} lines of stuck processes");
    assert!(late <= 4 * count, "{late} attempts took too long");
    assert!(meshed == count || count > 200, "{meshed} of {count} nodes are connected to all");
}
