//! mesh: thirty nodes, each of which connects to the first. Measures how long it takes until all
//! see all others, and the memory of a node then.

use std::collections::BTreeSet;

use fika::net::{Ping as PingAnswer, monitor_nodes, ping};
use fika::node::NodeName;
use fika::prelude::*;
use fika_bench_kit::{Params, Peer, Stopwatch, failed, metric, pss_bytes, rss_bytes_of};
use serde::{Deserialize, Serialize};

use super::{builder, start_node};

#[derive(Message, Serialize, Deserialize)]
struct Ready;

#[derive(Message, Serialize, Deserialize)]
struct Join(String);

/// This node sees all others. It has lost `disconnects` connections before.
#[derive(Message, Serialize, Deserialize)]
struct Full {
    node: NodeName,
    disconnects: u64,
}

/// Watches how its node becomes part of the mesh, and reports to `home`, a node that does not
/// count.
#[remote]
async fn watch_mesh(home: Pid, others: u64) {
    monitor_nodes(true);
    send(home, Ready);
    let mut disconnects = 0;
    loop {
        if nodes().len() as u64 == others {
            send(home, Full { node: self_node().name(), disconnects });
        }
        receive! {
            NodeUp { .. } => {}
            NodeDown { .. } => disconnects += 1,
            Join(node) => drop(spawn(async { connect_node(node).await })),
        }
    }
}

pub(super) fn run(p: Params) {
    let node = match builder("control@127.0.0.1", &p).hidden(true).build() {
        Ok(node) => node,
        Err(error) => return failed(&format!("no node: {error}")),
    };
    let names: Vec<String> = (0..p.get("nodes")).map(|i| format!("n{i}@127.0.0.1")).collect();
    let peers: Vec<Peer> = names.iter().map(|name| start_node(name, &p)).collect();
    node.block_on(control(p, names, peers));
}

async fn control(p: Params, names: Vec<String>, peers: Vec<Peer>) {
    let n = names.len() as u64;
    let mut watchers = Vec::new();
    for name in &names {
        while ping(name).await != PingAnswer::Pong {
            sleep(millis(5)).await;
        }
        watchers.push(spawn_on(name, watch_mesh(self_pid(), n - 1)).await);
    }
    for _ in 0..n {
        receive! { Ready => {} }
    }
    let watch = Stopwatch::start();
    watchers[1..].iter().for_each(|watcher| send(watcher, Join(names[0].clone())));
    let (mut full, mut lost) = (BTreeSet::new(), 0);
    while (full.len() as u64) < n {
        receive! {
            Full { node, disconnects } => {
                full.insert(node);
                lost += disconnects;
            }
            after secs(p.get("wait_s")) => {
                return failed(&format!("{} of {n} nodes saw all others in time", full.len()));
            }
        }
    }
    metric("ms_to_full_mesh", watch.stop().ms());
    metric("disconnects", lost as f64);
    sleep(millis(p.get("settle_ms"))).await;
    let mean = |bytes: fn(u32) -> f64| {
        peers.iter().map(|peer| bytes(peer.id())).sum::<f64>() / n as f64 / 1_048_576.0
    };
    metric("rss_mib_per_node", mean(rss_bytes_of));
    metric("pss_mib_per_node", mean(pss_bytes));
}
