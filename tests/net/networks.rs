//! Nodes on real networks with faults: packets are dropped in one direction, between two nodes of
//! many, between all, or by chance, and connections are reset. Each node is a separate program on a
//! separate host; see `support::hosts` for what a machine needs.

use crate::support;

use std::io::Read as _;
use std::net::TcpStream;
use std::time::Duration;

use fika::net::NodeDownReason::{ConnectionClosed, NetTickTimeout};
use fika::net::{Ping as PingAnswer, ping};
use support::hosts::{Fault, Hosts};
use support::process::OsNode;
use support::watch::Watch;
use support::{Clock, TestNode, connect, until};

/// Far more than a busy machine delays a node.
const TICKTIME: Duration = Duration::from_secs(2);

/// How long nodes may take to find each other when the network works again.
const RECONNECT_MAX: Duration = Duration::from_secs(2);

/// Nodes on separate hosts, all connected, and another host for the watcher.
struct Cluster {
    watch: Watch,
    nodes: Vec<OsNode>,
    hosts: Hosts,
}

impl Cluster {
    fn new(test: &str, count: u8) -> Option<Cluster> {
        let hosts = Hosts::new(test, count + 1)?;
        let count = usize::from(count);
        let start = |n: usize| {
            let host = hosts.host(n);
            host.enter(|| host.place.os("node").ticktime(TICKTIME).start())
        };
        let nodes: Vec<OsNode> = (0..count).map(start).collect();
        let last = hosts.host(count);
        let eye = last.place.builder("eye").hidden(true).net_ticktime(TICKTIME);
        let eye = last.enter(|| TestNode::of(eye));
        let watch = Watch::new(eye, nodes.iter().map(|node| node.name.clone()).collect());
        watch.mesh();
        Some(Cluster { watch, nodes, hosts })
    }

    /// The network works again: the nodes soon find each other, and return to their state before
    /// the fault.
    #[track_caller]
    fn heal(&self) {
        self.hosts.heal();
        let clock = Clock::new();
        assert!(self.watch.reaches(0, &[1]));
        assert!(clock.elapsed() < RECONNECT_MAX, "{:?}", clock.elapsed());
        self.watch.expect_well();
    }
}

/// TICK-5: a node that hears nothing gives up the connection. The other node finally gives it up,
/// too, since it gets no acknowledgements and its system only retransmits. Either node may be the
/// first.
#[test]
fn one_direction_is_cut() {
    let Some(cluster) = Cluster::new("one_direction_is_cut", 2) else { return };
    let watch = &cluster.watch;
    let clock = Clock::new();
    cluster.hosts.one_way(0, 1, Fault::Cut);
    for _ in 0..2 {
        let seen = watch.next();
        let took = clock.elapsed();
        let why = seen.down.clone().expect("it went");
        if seen == watch.saw(1, 0, Some(NetTickTimeout)) {
            assert!((TICKTIME.mul_f32(0.74)..TICKTIME.mul_f32(1.4)).contains(&took), "{took:?}");
        } else {
            assert_eq!(seen, watch.saw(0, 1, Some(why.clone())));
            assert!([NetTickTimeout, ConnectionClosed].contains(&why), "{why}");
        }
    }
    watch.expect_no_more();
    cluster.heal();
}

/// A fault between two nodes of a mesh does not affect the others.
#[test]
fn one_link_of_a_mesh_of_eight_is_cut() {
    let Some(cluster) = Cluster::new("one_link_of_a_mesh_of_eight_is_cut", 8) else { return };
    let watch = &cluster.watch;
    cluster.hosts.both_ways(2, 5, Fault::Cut);
    watch
        .expect(vec![watch.saw(2, 5, Some(NetTickTimeout)), watch.saw(5, 2, Some(NetTickTimeout))]);
    let nodes: Vec<usize> = watch.vitals().iter().map(|vitals| vitals.nodes).collect();
    assert_eq!(nodes, [7, 7, 6, 7, 7, 6, 7, 7]);
    watch.expect_no_more();
    cluster.heal();
}

/// All nodes lose each other, and find each other again.
#[test]
fn a_full_partition_heals() {
    const COUNT: usize = 4;
    let test = "a_full_partition_heals";
    let Some(cluster) = Cluster::new(test, COUNT as u8) else { return };
    let watch = &cluster.watch;
    let pairs: Vec<(usize, usize)> =
        (0..COUNT * COUNT).map(|n| (n / COUNT, n % COUNT)).filter(|(a, b)| a != b).collect();
    for (from, to) in &pairs {
        cluster.hosts.one_way(*from, *to, Fault::Cut);
    }
    watch.expect(
        pairs.iter().map(|(by, node)| watch.saw(*by, *node, Some(NetTickTimeout))).collect(),
    );
    watch.expect_no_more();
    cluster.heal();
}

/// A connection that a packet in flight breaks is noticed by both nodes, and the next connection
/// works.
#[test]
fn connections_are_reset() {
    let Some(cluster) = Cluster::new("connections_are_reset", 2) else { return };
    let watch = &cluster.watch;
    cluster.hosts.both_ways(0, 1, Fault::Reset);
    // The next tick is answered with a reset.
    watch.expect(vec![
        watch.saw(0, 1, Some(ConnectionClosed)),
        watch.saw(1, 0, Some(ConnectionClosed)),
    ]);
    assert!(!watch.reaches(0, &[1]));
    watch.expect_no_more();
    cluster.heal();
}

/// TICK-4: a pause that is shorter than half of the ticktime has no effect, and loses nothing.
#[test]
fn a_short_pause_closes_no_connection() {
    let Some(cluster) = Cluster::new("a_short_pause_closes_no_connection", 2) else { return };
    for _ in 0..2 {
        let pause = TICKTIME.as_millis() as u32 * 2 / 5;
        cluster.hosts.both_ways(0, 1, Fault::CutFor(pause));
        // The message arrives when the network has recovered without help.
        cluster.watch.talk(0, 1, 100);
    }
    cluster.watch.expect_no_more();
    cluster.watch.expect_well();
}

/// Many processes can talk while one packet in twenty is lost in both directions.
#[test]
fn a_lossy_network() {
    let Some(cluster) = Cluster::new("a_lossy_network", 2) else { return };
    let watch = &cluster.watch;
    cluster.hosts.both_ways(0, 1, Fault::Lossy);
    cluster.hosts.both_ways(0, 2, Fault::Lossy);
    let clock = Clock::new();
    while clock.elapsed() < TICKTIME * 2 {
        watch.talk(0, 1, 200);
        watch.talk(1, 0, 200);
    }
    watch.expect_no_more();
    cluster.heal();
}

/// Another host that opens many silent connections gets at most 16 handshakes at a time, and
/// finally none for a while. Its existing connections stay, and others are served as before.
#[test]
fn a_crowd_from_one_address() {
    let Some(cluster) = Cluster::new("a_crowd_from_one_address", 3) else { return };
    let Cluster { watch, nodes, hosts } = &cluster;
    let place = hosts.host(0).place;
    let addr = hosts.host(0).enter(|| place.addr_of("node"));
    let node = &nodes[0];
    let opened = hosts.host(1).enter(|| {
        let mut crowd: Vec<TcpStream> = (0..40).map(|_| connect(addr).unwrap()).collect();
        crowd.iter().for_each(|stream| stream.set_nonblocking(true).unwrap());
        until("all but 16 are closed", || {
            crowd.retain_mut(|stream| stream.read(&mut [0]).is_err());
            assert!(crowd.len() >= 16, "more are closed than have to be");
            crowd.len() == 16
        });
        let mut opened = 40;
        until("it has used up what it may", || {
            drop(connect(addr));
            opened += 1;
            node.logged("too many connections or wrong cookies") > 0
        });
        opened
    });
    assert!(opened >= 256, "{opened}");
    watch.talk(1, 0, 10);
    watch.talk(2, 0, 10);
    let last = hosts.host(3);
    let newcomer = last.enter(|| TestNode::of(last.place.builder("newcomer").hidden(true)));
    newcomer.block_on(async move {
        assert_eq!(ping(format!("node@{}", place.ip)).await, PingAnswer::Pong);
    });
    drop(newcomer);
    watch.expect_no_more();
    watch.expect_well();
}
