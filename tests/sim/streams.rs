//! Streams of numbered messages between processes of different nodes, while everything goes wrong.
//! Each message arrives at most once, in order, between `nodeup` and `nodedown`. Only the last
//! messages of a connection may be missing.

use std::collections::BTreeMap;

use fika::net::{NodeType, monitor_nodes};
use fika::node::NodeName;
use fika::prelude::*;
use fika::sim::{Checks, Failure, Fault, Sim, SimNode, seeds};
use serde::{Deserialize, Serialize};

/// How many seeds each scenario runs.
const SEEDS: u64 = if cfg!(debug_assertions) { 5 } else { 300 };

/// A stream's next message, sent by pid or by name.
#[derive(Message, Serialize, Deserialize)]
struct Number {
    from: Pid,
    n: u64,
    padding: String,
}

/// Asks how much of the sender's stream has arrived.
#[derive(Message, Serialize, Deserialize)]
struct HowFar {
    from: Pid,
}

#[derive(Message, Serialize, Deserialize)]
struct SoFar(u64);

/// Tells the streams of a node to end.
#[derive(Message, Clone, Serialize, Deserialize)]
struct Enough;

/// Reports that a node's streams have ended and that every message has arrived.
#[derive(Message, Serialize, Deserialize)]
struct AllCame;

/// The state of a receiver of streams.
#[derive(Default)]
struct Sink {
    /// The connections that are up.
    up: BTreeMap<NodeName, u64>,
    /// The last number of each stream, and the connection that it came over.
    last: BTreeMap<Pid, (u64, u64)>,
}

impl Sink {
    fn take(&mut self, from: Pid, n: u64, checks: &Checks) {
        let me = self_pid();
        let Some(connection) = self.up.get(&from.node().name()).copied() else {
            return checks.violated(format!("{me}: {n} of {from} without a connection"));
        };
        let (last, over) = self.last.get(&from).copied().unwrap_or_default();
        checks.hold(n > last, || format!("{me}: {n} of {from} after {last}"));
        checks.hold(over != connection || n == last + 1, || {
            format!("{me}: {n} of {from} after {last}, over the same connection")
        });
        // All messages over one connection come from one life of the peer.
        let same = |(pid, (_, over)): (&Pid, &(u64, u64))| {
            *over != connection
                || pid.node().name() != from.node().name()
                || pid.node() == from.node()
        };
        checks.hold(self.last.iter().all(same), || format!("{me}: {from} of another life"));
        self.last.insert(from, (n, connection));
    }
}

async fn sink(checks: Checks) {
    register("sink", self_pid()).expect("a node has one");
    monitor_nodes(true);
    let mut sink = Sink::default();
    loop {
        receive! {
            NodeUp { node, connection, .. } => {
                let older = sink.up.insert(node, connection);
                checks.hold(older.is_none(), || format!("{}: nodeup twice", self_pid()));
            }
            NodeDown { node, connection, node_type: NodeType::Visible, .. } => {
                let was = sink.up.remove(&node);
                checks.hold(was == Some(connection), || {
                    format!("{}: nodedown {node} {connection}, but {was:?} is up", self_pid())
                });
            }
            Number { from, n, .. } => sink.take(from, n, &checks),
            HowFar { from } => {
                let far = sink.last.get(&from).map_or(0, |(n, _)| *n);
                send(from, SoFar(far));
            }
            Enough => return,
        }
    }
}

/// Sends numbers to a node's sink until it is stopped, and then until the last number has arrived.
async fn stream(peer: String, pause: Duration, padding: usize) {
    let from = self_pid();
    let to = ("sink", peer.as_str());
    let mut n = 0;
    let next = |n: &mut u64| {
        *n += 1;
        let long = if n.is_multiple_of(7) { padding } else { 0 };
        send(to, Number { from, n: *n, padding: "x".repeat(long) });
    };
    loop {
        for _ in 0..1 + n % 5 {
            next(&mut n);
        }
        receive! {
            Enough => break,
            after pause => {}
        }
    }
    loop {
        next(&mut n);
        send(to, HowFar { from });
        receive! {
            SoFar(far) if far == n => return,
            after secs(10) => {}
        }
    }
}

/// Adds a node with a sink, and with a stream to each other node.
fn member(sim: &mut Sim, n: usize, count: usize, pause: Duration, padding: usize) -> SimNode {
    let checks = sim.checks();
    sim.node(format!("n{n}@host{n}"), move || {
        let checks = checks.clone();
        async move {
            spawn(sink(checks));
            let others = (0..count).filter(|other| *other != n);
            let mut streams = BTreeMap::new();
            for other in others {
                let (pid, monitor) =
                    spawn_monitor(stream(format!("n{other}@host{other}"), pause, padding));
                streams.insert(monitor, pid);
            }
            register("streams", self_pid()).expect("a node has one");
            while !streams.is_empty() {
                receive! {
                    Enough => streams.values().for_each(|stream| send(*stream, Enough)),
                    Down { monitor, .. } => drop(streams.remove(&monitor)),
                }
            }
            register(
                "done",
                spawn(async {
                    receive! { AllCame => {} }
                }),
            )
            .expect("a node has one");
        }
    })
}

#[test]
fn streams_arrive_in_order_or_end() {
    seeds(0..SEEDS, |seed| {
        let mut sim = Sim::on_any_network(seed);
        let count = 2 + seed as usize % 3;
        let pause = [millis(100), secs(1), secs(5)][seed as usize / 3 % 3];
        let padding = [0, 100, 3_000, 20_000][seed as usize / 9 % 4];
        let ticktime = [secs(4), secs(16), secs(60)][seed as usize / 36 % 3];
        sim.configure(move |config| {
            config.ticktime = ticktime;
            // Senders must be suspended, and the test counts that.
            config.output_high_bytes = 64 << 10;
            config.output_low_bytes = 32 << 10;
            config.message_bytes_max = 64 << 10;
        });
        for n in 0..count {
            member(&mut sim, n, count, pause, padding);
        }
        sim.run_with_some_faults(secs(60), &Fault::ALL);
        finish_streams(&mut sim)?;
        sim.finish()
    });
}

/// Lets each stream come to its end, after the faults.
fn finish_streams(sim: &mut Sim) -> Result<(), Failure> {
    everywhere(sim, "streams", secs(60))?;
    for node in sim.nodes() {
        sim.send(node, "streams", Enough);
    }
    everywhere(sim, "done", secs(600))
}

/// Waits until this name is registered on all nodes.
fn everywhere(sim: &mut Sim, name: &str, limit: Duration) -> Result<(), Failure> {
    let is_there = |sim: &Sim, node| sim.runtime(node).is_some_and(|of| of.whereis(name).is_some());
    sim.run_until(|sim| sim.nodes().all(|node| is_there(sim, node)), limit)
}
