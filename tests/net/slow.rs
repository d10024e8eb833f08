//! Nodes with slow networks and peers: bytes that come one by one, or late; peers that pause;
//! crowds that connect and send almost nothing; no file descriptors left.

use crate::support;

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use fika::net::discovery::{NodeAddr, resolver_fn};
use fika::net::{Ping as PingAnswer, monitor_nodes, ping};
use fika::prelude::*;
use support::peer::Peer;
use support::process::allow_files;
use support::relay::{Manner, relay};
use support::watch::Watch;
use support::{Answer, Ask, Clock, LIMIT, Place, TestNode, answerer, connect, until};

/// A node that reaches `b` through a relay.
fn behind_a_relay(place: Place, manner: Manner, ticktime: Duration) -> TestNode {
    let relay = relay(place.ip.into(), place.addr_of("b"), manner);
    let resolver = resolver_fn(move |_| async move { Ok(Some(NodeAddr::At(relay))) });
    TestNode::of(place.builder("a").net_ticktime(ticktime).resolver(resolver))
}

/// A node that watches others.
fn eye(place: Place) -> TestNode {
    TestNode::of(place.builder("eye").hidden(true))
}

/// Sends this many questions without waiting, and receives the answers in order.
async fn talk(with: Pid, rounds: u64) {
    (0..rounds).for_each(|n| send(with, Ask { from: self_pid(), n }));
    for n in 0..rounds {
        assert_eq!(next!(Answer), Answer { from: with, n });
    }
}

/// A connection carries bytes that come one by one, during the handshake as well.
#[test]
fn byte_by_byte() {
    let place = Place::new();
    let _b = place.os("b").start();
    let a = behind_a_relay(place, Manner::ByteByByte, Duration::from_secs(60));
    a.block_on(async move {
        monitor_nodes(true);
        let there = spawn_on(place.name("b"), answerer()).await;
        talk(there, 300).await;
        let echo = spawn_on(place.name("b"), echoes(self_pid())).await;
        let long = "long ".repeat(20_000);
        send(echo, long.clone());
        assert_eq!(next!(String), long);
        assert_eq!(next!(NodeUp).node.as_str(), place.name("b"));
        none!(NodeDown);
    });
}

#[remote]
async fn echoes(to: Pid) {
    loop {
        send(to, next!(String));
    }
}

/// TICK-1: delays of 100 ± 50 ms and retransmitted packets do not make a node give up a peer.
#[test]
fn late_and_lossy() {
    let ticktime = Duration::from_secs(1);
    let place = Place::new();
    let _b = place.os("b").ticktime(ticktime).start();
    let a = behind_a_relay(place, Manner::LateAndLossy, ticktime);
    a.block_on(async move {
        monitor_nodes(true);
        let there = spawn_on(place.name("b"), answerer()).await;
        let clock = Clock::new();
        // The nodes are busy at first, and then have only ticks in flight.
        while clock.elapsed() < ticktime * 2 {
            talk(there, 100).await;
        }
        sleep(ticktime * 2).await;
        talk(there, 1).await;
        assert_eq!(next!(NodeUp).node.as_str(), place.name("b"));
        none!(NodeDown);
    });
}

/// DIST-16: a peer that is stopped for less than half of the ticktime is not given up. It does not
/// give up the others either when it continues.
#[test]
fn a_short_freeze() {
    let ticktime = Duration::from_secs(2);
    let place = Place::new();
    let nodes = ["a", "b", "c"].map(|alive| place.os(alive).ticktime(ticktime).start());
    let eye = TestNode::of(place.builder("eye").hidden(true).net_ticktime(ticktime));
    let watch = Watch::new(eye.clone(), nodes.iter().map(|node| node.name.clone()).collect());
    watch.mesh();
    for _ in 0..2 {
        nodes[1].freeze();
        eye.block_on(async move { sleep(ticktime * 2 / 5).await });
        nodes[1].thaw();
        watch.talk(0, 1, 100);
    }
    watch.expect_no_more();
    watch.expect_well();
}

/// Keeps its worker busy for this time.
#[remote]
async fn spins(time: u64) {
    let clock = Clock::new();
    while clock.elapsed() < Duration::from_millis(time) {
        std::hint::spin_loop();
    }
}

/// DIST-16, TICK-1: a node whose workers all run loops that never await, for longer than the
/// ticktime, continues to send ticks. Its other processes continue, and no peer gives it up.
#[test]
fn hard_loops_do_not_stop_ticks() {
    let ticktime = Duration::from_secs(1);
    let place = Place::new();
    let nodes = ["a", "b"].map(|alive| place.os(alive).ticktime(ticktime).start());
    let eye = TestNode::of(place.builder("eye").hidden(true).net_ticktime(ticktime));
    let watch = Watch::new(eye.clone(), nodes.iter().map(|node| node.name.clone()).collect());
    watch.mesh();
    let name = nodes[0].name.clone();
    let time = ticktime * 3;
    eye.block_on(async move {
        for _ in 0..4 {
            spawn_on(&name, spins(time.as_millis() as u64)).await;
        }
    });
    let clock = Clock::new();
    while clock.elapsed() < time {
        watch.talk(1, 0, 10);
    }
    watch.expect_no_more();
    watch.expect_well();
}

/// Thousands of connections that send a byte and wait cost little, and others are served meanwhile.
/// When they are gone, the node's resources are as before.
#[test]
fn a_crowd_of_slow_connections() {
    let crowd = allow_files().saturating_sub(1000).min(5000);
    let place = Place::new();
    let nodes = ["a", "b"].map(|alive| place.os(alive).handshake_time(LIMIT).start());
    let watch = Watch::new(eye(place), nodes.iter().map(|node| node.name.clone()).collect());
    watch.mesh();
    let addr = place.addr_of("a");
    watch.expect_well_after(|_| {
        let mut streams: Vec<TcpStream> = Vec::new();
        for n in 0..crowd {
            let mut stream = connect(addr).expect("the node accepts");
            let _ = stream.write_all(&[0]);
            streams.push(stream);
            if n.is_multiple_of(500) {
                watch.talk(1, 0, 100);
            }
        }
        until("all but 256 are dropped", || watch.vitals()[0].files < 256 + 40);
        // A new node can connect.
        let new = place.node("new");
        new.block_on(async move { assert_eq!(ping(place.name("a")).await, PingAnswer::Pong) });
    });
}

/// If no descriptor is left for another connection, existing connections continue. New connections
/// are made when there is room again.
#[test]
fn connections_without_free_descriptors() {
    const FILES: u64 = 256;
    let place = Place::new();
    // The node with the port mapper has enough descriptors.
    let nodes = [place.os("b").start(), place.os("a").files(FILES).start()];
    let watch = Watch::new(eye(place), nodes.iter().map(|node| node.name.clone()).collect());
    watch.mesh();
    let addr = place.addr_of("a");
    let name = place.name("a");
    watch.expect_well_after(|times| {
        // Peers that have proved themselves connect until one is not answered.
        let peers: Vec<Peer> = (0..FILES)
            .map_while(|n| Peer::try_connected(addr, &place.name(&format!("peer{n}")), &name))
            .collect();
        assert!((200..FILES as usize).contains(&peers.len()), "{} peers", peers.len());
        watch.talk(0, 1, 100);
        // Each shortage is logged once.
        nodes[1].await_log("no file descriptor is left: closing new connections", times);
        let new = place.node("new");
        new.block_on(async move { assert_eq!(ping(place.name("a")).await, PingAnswer::Pang) });
        drop(peers);
        until("there is room again", || {
            new.block_on(async move { ping(place.name("a")).await == PingAnswer::Pong })
        });
    });
}
