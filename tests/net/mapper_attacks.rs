//! The port mapper under attack: a client that opens many silent connections keeps no other from
//! looking nodes up or registering, and does not use up a node's descriptors.

use crate::support;

use std::net::TcpStream;

use fika::net::{Ping as PingAnswer, ping};
use fika::prelude::*;
use support::hosts::Hosts;
use support::process::allow_files;
use support::{Clock, Place, connect, until_closed};

/// More than a mapper has room for.
const OF_ANOTHER_HOST: usize = 300;
const OF_THIS_HOST: usize = 4096;

/// The default limit of descriptors on most systems.
const USUAL_FILES: u64 = 1024;

#[track_caller]
fn assert_finds(place: Place, alive: &str) {
    for n in 0..20 {
        assert!(place.names().iter().any(|(name, _)| name == alive), "look-up {n}");
    }
}

/// One host opens many connections. Other hosts, and nodes on the mapper's own host, are not
/// affected.
#[test]
fn silent_connections_of_another_host() {
    let Some(hosts) = Hosts::new("silent_connections_of_another_host", 3) else { return };
    let [own, attacker, other] = [0, 1, 2].map(|n| hosts.host(n));
    let place = own.place;
    let node = own.enter(|| place.os("node").start());
    let crowd: Vec<TcpStream> = attacker
        .enter(|| (0..OF_ANOTHER_HOST).map(|_| connect(place.mapper_addr()).unwrap()).collect());
    other.enter(|| assert_finds(place, "node"));
    // The attacking host is served as well.
    attacker.enter(|| assert_finds(place, "node"));
    let late = own.enter(|| place.os("late").start());
    other.enter(|| assert_finds(place, "late"));
    drop(crowd);
    late.stop();
    node.stop();
}

/// A program on this host may open more connections than the node's program may have descriptors.
#[test]
fn silent_connections_of_this_host() {
    let count = OF_THIS_HOST.min(allow_files().saturating_sub(1000) as usize);
    let place = Place::new();
    let there = place.os("there").files(USUAL_FILES).start();
    let crowd: Vec<TcpStream> = (0..count).map(|_| connect(place.mapper_addr()).unwrap()).collect();
    assert_finds(place, "there");
    let late = place.node("late");
    assert_finds(place, "late");
    assert_eq!(late.block_on(async move { ping(place.name("there")).await }), PingAnswer::Pong);
    assert_eq!(
        there.logged("no file descriptor is left: closing new connections"),
        0,
        "{}",
        there.log()
    );
    drop(crowd);
}

/// A client has a few seconds for its request, not a minute.
#[test]
fn a_request_has_a_few_seconds() {
    let place = Place::new();
    let _node = place.node("node");
    let clock = Clock::new();
    let mut silent = connect(place.mapper_addr()).unwrap();
    assert_eq!(until_closed(&mut silent), b"");
    assert!(clock.elapsed() < secs(20), "{:?}", clock.elapsed());
}
