//! The cost of a broken or malicious member. It has proved that it knows the cookie, and still must
//! not cost a node more than what it sends.

use crate::alone;
use crate::counting;
use crate::support;

use fika::net::{Ping as PingAnswer, ping};
use fika::prelude::*;
use support::peer::{Peer, frame, in_pieces, text, varint};
use support::{Clock, Place, until};

/// The number of simultaneous connection attempts that a peer's messages about other nodes may
/// cause.
const ATTEMPTS_MAX: usize = 8;

/// The bytes that a connection may keep without having requested them: what is read at a time, and
/// the node's state for each connection.
const EACH_BYTES: isize = 256 << 10;

/// The memory that the node keeps for a silent connection: its tables, its name, and its entries in
/// the node's tables.
const IDLE_BYTES: isize = 8 << 10;

fn member(place: Place, n: usize) -> Peer {
    Peer::connected(place.addr_of("node"), &place.name(&format!("peer{n}")), &place.name("node"))
}

/// The node allocates no memory for messages of 16 MiB, and for a frame, that are announced and
/// never arrive.
#[test]
fn a_claimed_length_allocates_nothing() {
    const MEMBERS: usize = 20;
    let _alone = alone();
    let place = Place::new();
    let node = place.node("node");
    // Memory that is allocated on first use is kept.
    let first = member(place, 0);
    until("it is up", || node.nodes().len() == 1);
    let before = counting::live();
    let mut members: Vec<Peer> = (1..=MEMBERS).map(|n| member(place, n)).collect();
    let head = |sequence| {
        let length = (16_u32 << 20).to_be_bytes();
        frame(&[&[0x04, sequence, 0x90, 0, 0, 0, 0][..], &length].concat())
    };
    let claim = [
        frame(&[&b"\x02\0"[..], &text("nobody")].concat()),
        frame(&[&[3, 0][..], &[0; 8], &text("t")].concat()),
        (0..4).flat_map(head).collect(),
        [&65_538_u32.to_be_bytes()[..], &[0x05, 0, 1]].concat(),
    ]
    .concat();
    until("they are up", || node.nodes().len() == 1 + MEMBERS);
    members.iter_mut().for_each(|member| member.write(&claim));
    // The node waits for the missing bytes as long as the connection lasts.
    let (clock, mut most) = (Clock::new(), 0);
    while clock.elapsed() < millis(300) {
        most = most.max(counting::live() - before);
        std::thread::yield_now();
    }
    assert_eq!(node.nodes().len(), 1 + MEMBERS);
    assert!(most <= EACH_BYTES * MEMBERS as isize, "{} bytes each", most / MEMBERS as isize);
    drop((first, members));
}

/// A member mentions a million nodes. The node tries to connect to some of them.
#[test]
fn a_million_nodes() {
    let _alone = alone();
    let place = Place::new();
    // Another node has the port mapper, which is asked for each mentioned node.
    let _mapper = place.os("mapper").start();
    let node = place.node("node");
    let mut member = member(place, 0);
    // The node's own message about other nodes begins like this, with its type.
    let definition = loop {
        let said = member.frame();
        if said.starts_with(&[3, 0]) {
            break said;
        }
    };
    until("it is up", || node.nodes().len() == 1);
    let processes = node.process_count();
    let name = frame(&[&b"\x02\0"[..], &text("net_kernel")].concat());
    member.write(&[frame(&definition), name].concat());
    let mut most = 0;
    for said in 0..20_u32 {
        let names = (0..50_000).map(|n| text(&format!("n{}@{}", said * 50_000 + n, place.ip)));
        let nodes = [varint(50_000), names.collect::<Vec<_>>().concat()].concat();
        member.write(&in_pieces(b"\x90\0\0\0", &nodes));
        most = most.max(node.process_count());
    }
    until("some are looked for", || {
        most = most.max(node.process_count());
        most > processes
    });
    until("they have been looked for", || {
        most = most.max(node.process_count());
        node.process_count() <= processes
    });
    // Each attempt may have a child, and a child that has ended may still be counted.
    assert!(most <= processes + 3 * ATTEMPTS_MAX, "{most} processes");
    node.block_on(async move { assert_eq!(ping(place.name("node")).await, PingAnswer::Pong) });
    assert_eq!(node.nodes().len(), 1);
}

/// Nodes that a member invents stay in memory, since pids may refer to them. Their total is limited
/// to 16 MiB, however often the member connects again, and under any name.
#[test]
fn invented_nodes_are_limited_across_connections() {
    const NODES: u32 = 20_000;
    const ROUNDS: u32 = 5;
    const BUDGET_BYTES: isize = 16 << 20;
    let _alone = alone();
    let place = Place::new();
    let node = place.node("node");
    drop(member(place, 0));
    until("it has been up", || node.nodes().is_empty());
    let before = counting::live();
    let mut closed = 0;
    for round in 0..ROUNDS {
        let mut member = member(place, 1 + round as usize);
        let defined = |n: u32| {
            let name = format!("{:0>200}@{}", round * NODES + n, place.ip);
            let number = varint(u64::from(2 + n % 8190));
            frame(&[&[1][..], &number, &[0, 0, 0, 9], &text(&name)].concat())
        };
        let all: Vec<u8> = (0..NODES).flat_map(defined).collect();
        member.write_to_the_end(&all);
        // A monitor of a missing process is answered, if the node has not closed the connection.
        member.write_to_the_end(&frame(b"\x15\x7f\x7f\x01\0\x09\0"));
        let is_closed = loop {
            match member.try_frame() {
                Some(frame) if frame.starts_with(b"\x17") => break false,
                Some(_) => {}
                None => break true,
            }
        };
        closed += usize::from(is_closed);
        drop(member);
        until("it has gone", || node.nodes().is_empty());
    }
    let grown = counting::live() - before;
    assert!(grown <= BUDGET_BYTES, "{grown} bytes");
    assert!(closed >= 3, "{closed} connections are closed");
    node.block_on(async move { assert_eq!(ping(place.name("node")).await, PingAnswer::Pong) });
}

/// A member uses another name each time. Each name stays in memory, so the member can connect until
/// its names need 1 MiB, and about once a second after that.
#[test]
fn a_member_with_many_names() {
    const NAMES: usize = 1700;
    let _alone = alone();
    let place = Place::new();
    let _node = place.node("node");
    let addr = place.addr_of("node");
    let name = |n: usize| place.name(&format!("{n:0>4}{}", "ö".repeat(215)));
    // The node sends something on a connection that is up.
    let is_up = |name: &str| Peer::connected(addr, name, &place.name("node")).try_frame().is_some();
    let ups = (0..NAMES).filter(|n| is_up(&name(*n))).count();
    // Each name needs 256 bytes and its length. Some room is given back by time.
    let most = (1 << 20) / (256 + name(0).len());
    assert!((most..most + 100).contains(&ups), "{ups} and {most}");
    assert!(is_up(&name(0)), "it is known already");
}

/// A member that is silent after sending costs only a few tables. Buffers belong only to
/// connections that read or write.
#[test]
fn an_idle_member_is_small() {
    const MEMBERS: usize = 200;
    let _alone = alone();
    let place = Place::new();
    let node = place.node("node");
    let crowd = |from: usize| {
        let crowd: Vec<Peer> = (from..from + MEMBERS).map(|n| member(place, n)).collect();
        until("they are up", || node.nodes().len() == MEMBERS);
        crowd
    };
    // Grown tables keep their memory.
    let processes = node.process_count();
    let first = crowd(0);
    drop(first);
    until("they have gone", || node.nodes().is_empty() && node.process_count() <= processes);
    let before = counting::live();
    let members = crowd(MEMBERS);
    until("they are established", || node.process_count() <= processes);
    let grown = counting::live() - before;
    assert!(grown <= IDLE_BYTES * MEMBERS as isize, "{} bytes each", grown / MEMBERS as isize);
    drop(members);
}

/// BUSY-8: the parts of unfinished messages are dropped with the connection, and no process
/// receives them.
#[test]
fn unfinished_messages_are_dropped_with_their_connection() {
    const SEQUENCES: u8 = 4;
    const PIECES: usize = 32;
    const COME_BYTES: isize = (SEQUENCES as isize * PIECES as isize) << 16;
    let _alone = alone();
    let place = Place::new();
    let node = place.node("node");
    let taker = node.spawn(async {
        register("taker", self_pid()).expect("the name is free");
        let mut taken = 0_u64;
        loop {
            receive! { from: Pid => send(from, taken), _ => taken += 1 }
        }
    });
    until("it has its name", || node.whereis("taker") == taker);
    for round in 0..3 {
        let mut member = member(place, round);
        until("it is up", || node.nodes().len() == 1);
        let before = counting::live();
        let head = |sequence| {
            let length = (4_u32 << 20).to_be_bytes();
            frame(&[&[0x04, sequence, 0x90, 0, 0, 0, 0][..], &length].concat())
        };
        let piece = |n: usize| {
            let sequence = (n % usize::from(SEQUENCES)) as u8;
            frame(&[&[0x05, sequence][..], &[7; 64 << 10]].concat())
        };
        member.write(&frame(&[&b"\x02\0"[..], &text("taker")].concat()));
        member.write(&frame(&[&[3, 0][..], &[0; 8], &text("t")].concat()));
        (0..SEQUENCES).for_each(|sequence| member.write(&head(sequence)));
        (0..PIECES * usize::from(SEQUENCES)).for_each(|n| member.write(&piece(n)));
        until("they have come", || counting::live() - before >= COME_BYTES);
        drop(member);
        until("it has gone", || node.nodes().is_empty());
        until("they have gone", || counting::live() - before < COME_BYTES / 16);
    }
    node.block_on(async move {
        send("taker", self_pid());
        receive! { n: u64 => assert_eq!(n, 0) }
    });
}
