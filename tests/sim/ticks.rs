//! Ticks: a live node is never given up, however much is queued, and a frozen node is given up in
//! time.

use fika::net::{BusyDist, SystemMonitor, monitor_nodes, system_monitor};
use fika::prelude::*;
use fika::sim::{Failure, Reads, Sim, SimNode, seeds};
use serde::{Deserialize, Serialize};

/// How many seeds each scenario runs.
const SEEDS: u64 = if cfg!(debug_assertions) { 5 } else { 500 };

const TICKTIME: Duration = secs(8);
/// The interval between two checks.
const INTERVAL: Duration = secs(2);

/// A slow network needs some seconds to carry these bytes.
const BULK_BYTES: usize = 8 << 10;
const BULKS: usize = 20;
const BANDWIDTH: u64 = 20_000;

/// The limit above which senders are suspended. The network needs longer than a ticktime to carry
/// this much.
const OUTPUT_BYTES: usize = 64 << 10;
const NARROW: u64 = 4_000;
const SENDERS: usize = 4;
/// More than a socket accepts in addition to the limit.
const SENT_BYTES: usize = 200 << 10;

/// From now on, a `nodedown` of the other node is wrong.
#[derive(Message, Serialize, Deserialize)]
struct Steady;

#[derive(Message, Serialize, Deserialize)]
struct Bulk(String);

/// Makes two connected nodes.
fn pair(seed: u64) -> Result<(Sim, [SimNode; 2]), Failure> {
    let mut sim = Sim::on_any_network(seed);
    sim.change_network(|network| {
        network.bandwidth = BANDWIDTH;
        // Reading single bytes would take time, and show nothing here.
        if network.reads == Reads::Bytes {
            network.reads = Reads::Pieces;
        }
    });
    sim.configure(|config| {
        config.ticktime = TICKTIME;
        (config.output_low_bytes, config.output_high_bytes) = (OUTPUT_BYTES / 2, OUTPUT_BYTES);
    });
    let checks = sim.checks();
    let app = move || {
        let checks = checks.clone();
        async move {
            register("watch", self_pid()).expect("a node has one");
            monitor_nodes(true);
            let mut steady = false;
            loop {
                receive! {
                    Steady => steady = true,
                    Bulk(_) => {}
                    NodeUp { .. } => {}
                    NodeDown { node, reason, .. } => {
                        checks.hold(!steady, || format!("nodedown {node}: {reason}"));
                    }
                }
            }
        }
    };
    let [a, b] = ["a@host1", "b@host2"].map(|name| sim.node(name, app.clone()));
    sim.run_for(secs(5));
    sim.spawn(a, async {
        connect_node("b@host2").await;
    });
    sim.run_until(|sim| sim.nodes_of(a) == [b] && sim.nodes_of(b) == [a], secs(10))?;
    Ok((sim, [a, b]))
}

/// Sends more to the other node than the connection carries in a ticktime.
fn bulk(sim: &mut Sim, from: SimNode, to: SimNode) {
    let to = sim.name(to).clone();
    sim.spawn(from, async move {
        for _ in 0..BULKS {
            send(("watch", &to), Bulk("x".repeat(BULK_BYTES)));
            sleep(millis(50)).await;
        }
    });
}

#[test]
fn a_live_node_is_not_given_up() {
    seeds(0..SEEDS, |seed| {
        let (mut sim, [a, b]) = pair(seed)?;
        for node in [a, b] {
            sim.send(node, "watch", Steady);
        }
        for step in 0..5 {
            match seed >> (3 * step) & 7 {
                0 => {
                    bulk(&mut sim, a, b);
                    bulk(&mut sim, b, a);
                }
                1 | 2 => bulk(&mut sim, a, b),
                3 => {
                    // The pause is shorter than the silence after which a peer is given up.
                    sim.pause(b);
                    sim.run_for(secs(2));
                    sim.resume(b);
                }
                4 => sim.jump_clock(a, secs(300)),
                _ => sim.run_for(TICKTIME),
            }
            sim.run_for(secs(4));
        }
        sim.run_for(3 * TICKTIME);
        sim.finish()
    });
}

/// TICK-6: neither end gives up the other while the output is congested for many ticktimes.
#[test]
fn a_congested_connection_is_kept() {
    seeds(0..SEEDS, |seed| {
        let (mut sim, [a, b]) = pair(seed)?;
        for node in [a, b] {
            sim.send(node, "watch", Steady);
        }
        sim.change_network(|network| network.bandwidth = NARROW);
        let to = sim.name(b).clone();
        sim.spawn(a, async move {
            register("senders", self_pid()).expect("a node has one");
            system_monitor(SystemMonitor::new(self_pid()).busy_dist());
            let send_all = move |bytes: usize| {
                let to = to.clone();
                spawn_monitor(async move {
                    for _ in 0..SENT_BYTES / bytes {
                        send(("watch", &to), Bulk("x".repeat(bytes)));
                        sleep(millis(1)).await;
                    }
                })
            };
            // The messages go in one piece, or in several.
            let bytes = if seed.is_multiple_of(2) { BULK_BYTES } else { 3 * OUTPUT_BYTES / 2 };
            let senders: Vec<_> = (0..SENDERS).map(|_| send_all(bytes)).collect();
            for (sender, _) in senders {
                receive! { BusyDist { pid, .. } if pid == sender => {} }
            }
        });
        sim.run_for(10 * TICKTIME);
        let is_congested = sim.runtime(a).is_some_and(|of| of.whereis("senders").is_none());
        sim.check(is_congested, "all senders were suspended")?;
        sim.change_network(|network| network.bandwidth = 1_000 * BANDWIDTH);
        sim.run_for(5 * TICKTIME);
        sim.finish()
    });
}

#[test]
fn a_frozen_node_is_given_up_in_time() {
    seeds(0..SEEDS, |seed| {
        let (mut sim, [a, b]) = pair(seed)?;
        sim.run_for(millis(seed.wrapping_mul(7_919) % 20_000));
        if seed.is_multiple_of(3) {
            bulk(&mut sim, a, b);
        }
        let began = sim.now();
        sim.pause(b);
        sim.run_until(|sim| sim.nodes_of(a).is_empty(), TICKTIME + INTERVAL + secs(1))?;
        let took = sim.now() - began;
        let early = format!("given up after {took:?}");
        sim.check(took >= TICKTIME - 2 * INTERVAL, &early)?;
        sim.resume(b);
        sim.run_until(|sim| sim.nodes_of(b).is_empty(), TICKTIME + INTERVAL + secs(1))?;
        sim.finish()
    });
}
