//! Large clusters that fall apart reconnect, with a bounded number of attempts and within a bounded
//! time.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use fika::net::discovery::{NodeAddr, Resolver, Resolving};
use fika::node::NodeName;
use fika::prelude::*;
use fika::sim::{Failure, Sim, SimNode};
use fika_net::Distribution;

/// The number of nodes.
const NODES: usize = if cfg!(debug_assertions) { 48 } else { 256 };

/// The number of simultaneous attempts of one node to connect to nodes that peers mentioned.
const AT_A_TIME: usize = 8;

const PORT: u16 = 4370;

/// The nodes that each node has looked up, with an entry for each attempt.
#[derive(Clone, Default)]
struct Attempts(Arc<Mutex<BTreeMap<NodeName, Vec<NodeName>>>>);

impl Attempts {
    /// Forgets earlier attempts. Returns the number of attempts of the busiest node, and the number
    /// of all attempts.
    fn take(&self) -> (usize, usize) {
        let all = std::mem::take(&mut *self.0.lock().unwrap());
        let counts = || all.values().map(Vec::len);
        (counts().max().unwrap_or(0), counts().sum())
    }

    /// Counts the attempts of all nodes of the simulation.
    fn of(sim: &mut Sim) -> Attempts {
        let attempts = Attempts::default();
        let all = attempts.clone();
        sim.configure(move |config| {
            let resolver = Counting { all: all.clone(), own: Mutex::default() };
            config.resolver = Some(Arc::new(resolver));
        });
        attempts
    }
}

/// The resolver of a node. All nodes listen on one port, each on its own host.
struct Counting {
    all: Attempts,
    own: Mutex<Option<NodeName>>,
}

impl Resolver for Counting {
    fn listen_port(&self, own: &NodeName) -> u16 {
        *self.own.lock().unwrap() = Some(own.clone());
        PORT
    }

    fn register<'a>(&'a self, _: &'a NodeName, _: SocketAddr) -> Resolving<'a, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn resolve<'a>(&'a self, node: &'a NodeName) -> Resolving<'a, Option<NodeAddr>> {
        let own = self.own.lock().unwrap().clone().expect("it listens before it connects");
        self.all.0.lock().unwrap().entry(own).or_default().push(node.clone());
        Box::pin(std::future::ready(Ok(Some(NodeAddr::Port(PORT)))))
    }
}

fn name(n: usize) -> String {
    format!("n{n}@host{n}")
}

/// Makes a cluster in which each node, except the first, connects to an earlier node when it
/// starts.
fn cluster(seed: u64, count: usize) -> (Sim, Attempts) {
    let mut sim = Sim::new(seed);
    let attempts = Attempts::of(&mut sim);
    for n in 0..count {
        sim.node(name(n), move || async move {
            while n > 0 && connect_node(name(n / 2)).await != Some(true) {
                sleep(secs(1)).await;
            }
            std::future::pending::<()>().await
        });
    }
    (sim, attempts)
}

fn is_meshed(sim: &Sim) -> bool {
    let count = sim.nodes().count();
    sim.nodes().all(|node| sim.nodes_of(node).len() == count - 1)
}

/// Returns how many connections a node is currently making.
fn pending(sim: &Sim, node: SimNode) -> usize {
    let distribution = sim.runtime(node).and_then(Distribution::of);
    let channels = distribution.map(|of| of.channels()).unwrap_or_default();
    channels.iter().filter(|channel| channel.starts_with("connecting to")).count()
}

/// Polls until all nodes are connected. Returns how long that took, and the largest number of
/// connections that a node was making at the same time.
fn until_meshed(sim: &mut Sim, limit: Duration) -> Result<(Duration, usize), Failure> {
    let (begun, mut most) = (sim.now(), 0);
    while !is_meshed(sim) {
        let late = sim.now() - begun > limit;
        sim.check(!late, "the mesh is not full")?;
        sim.run_for(millis(10));
        most = sim.nodes().map(|node| pending(sim, node)).max().unwrap_or(0).max(most);
    }
    Ok((sim.now() - begun, most))
}

/// DIST-11: two halves that have lost each other reconnect when one node of one half
/// finds a node of the other.
#[test]
fn two_halves_find_each_other() -> Result<(), Failure> {
    let (mut sim, attempts) = cluster(1, NODES);
    let (took, most) = until_meshed(&mut sim, secs(60))?;
    let (each, all) = attempts.take();
    println!(
        "{NODES} nodes meet: {took:?}, {each} attempts of a node at most, {all} of all, {most} at \
         a time"
    );
    let halves = [0, 1].map(|half| sim.nodes().skip(half).step_by(2).collect::<Vec<_>>());
    sim.partition(halves[0].iter().copied(), halves[1].iter().copied());
    let is_cut = |sim: &Sim| sim.nodes().all(|node| sim.nodes_of(node).len() == NODES / 2 - 1);
    sim.run_until(is_cut, secs(120))?;
    sim.run_for(secs(60));
    assert_eq!(attempts.take(), (0, 0), "nobody wants what is not there");
    sim.heal();
    sim.run_on(halves[0][0], secs(30), async {
        assert_eq!(connect_node(name(1)).await, Some(true));
    })?;
    let (took, most) = until_meshed(&mut sim, secs(30))?;
    let (each, all) = attempts.take();
    println!(
        "{NODES} nodes find each other: {took:?}, {each} attempts of a node at most, {all} of \
         all, {most} at a time"
    );
    // The attempts of the other half come in addition.
    assert!(most <= 2 * AT_A_TIME + 4, "{most} at a time");
    // A node needs one attempt for each node of the other half, and some more that meet an attempt
    // of the other side.
    assert!(each <= NODES / 2 + NODES / 4, "{each} attempts of one node");
    assert!(took < secs(5), "{took:?}");
    sim.finish()
}

/// Nodes that can't reach each other, and repeatedly hear of each other, retry less and less often.
/// They find each other when they can.
#[test]
fn unreachable_nodes_are_retried_less_and_less() -> Result<(), Failure> {
    const FAR: usize = 6;
    const BRIDGES: usize = 12;
    let (mut sim, attempts) = cluster(2, 2 * FAR);
    until_meshed(&mut sim, secs(60))?;
    let nodes: Vec<SimNode> = sim.nodes().collect();
    let (left, right) = nodes.split_at(FAR);
    sim.partition(left.iter().copied(), right.iter().copied());
    let is_cut = |sim: &Sim| sim.nodes().all(|node| sim.nodes_of(node).len() == FAR - 1);
    sim.run_until(is_cut, secs(120))?;
    attempts.take();
    // Each node that starts tells both sides about all nodes.
    for n in 0..BRIDGES {
        let bridge = sim.node(name(2 * FAR + n), std::future::pending::<()>);
        sim.run_for(secs(1));
        sim.run_on(bridge, secs(30), async {
            for n in 0..2 * FAR {
                assert_eq!(connect_node(name(n)).await, Some(true));
            }
        })?;
        sim.run_for(secs(15));
    }
    let (each, all) = attempts.take();
    println!("cut for 200 s: {each} attempts of a node at most, {all} of all");
    // There are about six attempts in this time, and one for each bridge. With other seeds, the most of
    // a node are 57 to 64.
    assert!(each <= FAR * 9 + BRIDGES, "{each} attempts of one node");
    // An explicit request does not wait for the next attempt. An attempt that began before the link was
    // mended would have to end first.
    let is_idle = |sim: &Sim| [left[0], right[0]].iter().all(|node| pending(sim, *node) == 0);
    sim.run_until(is_idle, secs(120))?;
    sim.mend(left[0], right[0]);
    sim.mend(right[0], left[0]);
    let wanted = sim.name(right[0]).clone();
    sim.run_on(left[0], secs(2), async move {
        assert_eq!(connect_node(wanted.as_str()).await, Some(true));
    })?;
    sim.heal();
    let (took, _) = until_meshed(&mut sim, secs(240))?;
    println!("after the cut: {took:?}");
    sim.finish()
}

/// EPMD-17: a node whose port mapper is gone looks for it less and less often, and finds it when it
/// is back.
#[test]
fn a_missing_port_mapper_is_retried_less_and_less() -> Result<(), Failure> {
    let mut sim = Sim::new(3);
    sim.keep_log();
    let starts_mapper = Arc::new(AtomicBool::new(true));
    let starts = starts_mapper.clone();
    sim.configure(move |config| config.start_epmd = starts.load(Ordering::Relaxed));
    let first = sim.node("first@host", std::future::pending::<()>);
    sim.run_for(secs(1));
    starts_mapper.store(false, Ordering::Relaxed);
    sim.node("second@host", std::future::pending::<()>);
    sim.run_for(secs(1));
    sim.crash(first);
    sim.run_for(secs(1200));
    let tries = sim.log().matches("registering with the port mapper again").count();
    // There are about eight attempts until the pause reaches its maximum, a minute, and then two in
    // each minute.
    assert!((20..=80).contains(&tries), "{tries} attempts to register in 20 minutes");
    starts_mapper.store(true, Ordering::Relaxed);
    sim.restart(first);
    sim.run_for(secs(61));
    let other = sim.node("other@elsewhere", std::future::pending::<()>);
    sim.run_for(secs(1));
    sim.run_on(other, secs(10), async {
        assert_eq!(connect_node("second@host").await, Some(true));
    })?;
    // The end of a simulation also ends the mapper's side of renewed registrations.
    sim.verdict()
}
