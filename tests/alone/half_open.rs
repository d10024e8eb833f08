//! The cost of peers that have proved nothing: a node keeps a little heap for each of them, no
//! name, and no entry in any table.

use crate::alone;
use crate::counting;
use crate::support;

use std::io::ErrorKind::WouldBlock;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};

use fika::node::{Creation, NodeId};
use fika::prelude::*;
use fika::process::registered;
use support::peer::{Hello, framed, read_framed, varint};
use support::{LIMIT, Place, TestNode, connect, until, until_closed};

/// The maximum number of simultaneous handshakes.
const MOST: usize = 256;

/// The maximum number of a port mapper's clients.
const MAPPER_MOST: usize = 4096;

/// The maximum cost of one connection, and of all together.
const EACH_BYTES: isize = 4 << 10;
const ALL_BYTES: isize = 1 << 20;

/// Memory for other purposes: growing queues, and what threads keep for themselves.
const NOISE_BYTES: isize = 64 << 10;

/// Returns the longest possible hello.
fn longest(place: Place, n: usize) -> Vec<u8> {
    let name = format!("stranger{n}{}@{}", "x".repeat(200), place.ip);
    let mut body = Hello::new(&name, &place.name("node")).body();
    body.pop();
    let extensions = 1024 - body.len() - 2;
    body.extend(varint(extensions as u64));
    body.resize(1024, 0);
    body
}

/// Makes this many connections that have sent these bytes.
fn crowd(addr: SocketAddr, count: usize, said: impl Fn(usize) -> Vec<u8>) -> Vec<TcpStream> {
    let connected = |n| {
        let mut stream = connect(addr).unwrap();
        stream.write_all(&said(n)).unwrap();
        stream
    };
    (0..count).map(connected).collect()
}

/// Peers that have sent a hello without its last byte, or a whole hello that was answered, cost
/// little, although further peers come.
#[test]
fn half_open_connections_cost_little_memory() {
    let _alone = alone();
    let place = Place::new();
    let node = TestNode::of(place.builder("node").handshake_time(LIMIT));
    let addr = place.addr_of("node");
    let before_all = NodeId::of(&"before@all".parse().unwrap(), Creation(1));
    let almost = |n| {
        let frame = framed(&longest(place, n));
        frame[..frame.len() - 1].to_vec()
    };
    let whole = |n| framed(&longest(place, n));
    // Memory that is allocated on first use is kept.
    let answered = |streams: &mut Vec<TcpStream>| {
        streams.iter_mut().for_each(|stream| assert!(read_framed(stream).is_some()));
    };
    let mut first = crowd(addr, MOST, whole);
    answered(&mut first);
    let processes = node.process_count();
    drop(first);
    until("they have gone", || node.process_count() <= processes - MOST);
    let before = counting::live();
    let (mut most, all) = (0, ALL_BYTES + NOISE_BYTES);

    // Each connection costs as much as it has sent, and the node keeps no more than allowed.
    let half = crowd(addr, MOST, almost);
    until("all that they said has been read", || {
        most = most.max(counting::live() - before);
        most >= 1025 * MOST as isize
    });
    until("they are all there", || node.process_count() >= processes);
    let grown = counting::live() - before;
    let count = MOST as isize;
    assert!(grown <= EACH_BYTES * count + NOISE_BYTES, "{} bytes each", grown / count);
    drop(half);
    until("they have gone", || node.process_count() <= processes - MOST);

    let mut greeted = crowd(addr, MOST, whole);
    answered(&mut greeted);
    let grown = counting::live() - before;
    assert!(grown <= EACH_BYTES * count + NOISE_BYTES, "{} bytes each", grown / count);

    // The node is one above its limit: for each connection that comes, it drops one.
    let more = crowd(addr, MOST, almost);
    until("all but as many as there may be have gone", || {
        assert!(counting::live() - before <= all, "{} bytes", counting::live() - before);
        let closed = |stream: &TcpStream| {
            stream.set_nonblocking(true).unwrap();
            // The connection is reset if the node had not read everything.
            !matches!(stream.peek(&mut [0; 1]), Err(error) if error.kind() == WouldBlock)
        };
        // The answer has been read, so only an end can follow.
        greeted.iter().chain(&more).filter(|stream| closed(stream)).count() >= MOST
    });
    until("no more are served", || node.process_count() <= processes);
    drop((greeted, more));
    until("they have gone", || node.process_count() <= processes - MOST);
    until("what they cost is free again", || counting::live() - before <= NOISE_BYTES);

    // The peers' names are in no table.
    let after_all = NodeId::of(&"after@all".parse().unwrap(), Creation(1));
    assert_eq!(after_all.number(), before_all.number() + 1);
    let known = node.block_on(async { (nodes(), registered()) });
    assert!(known.0.is_empty() && known.1.iter().all(|name| !name.as_str().contains("stranger")));
}

/// The whole handshake has one deadline, whatever the peer sends meanwhile.
#[test]
fn the_whole_handshake_has_one_deadline() {
    let _alone = alone();
    let place = Place::new();
    let _node = TestNode::of(place.builder("node").handshake_time(millis(200)));
    let clock = support::Clock::new();
    let mut stream = connect(place.addr_of("node")).unwrap();
    stream.write_all(&framed(&longest(place, 0))).unwrap();
    let mut closed = false;
    let mut said = Vec::new();
    for byte in framed(&[&[0xf3][..], &[7; 32]].concat()) {
        said.push(byte);
        let at = millis(said.len() as u64 * 50);
        while clock.elapsed() < at && !closed {
            std::thread::yield_now();
        }
        closed = closed || stream.write_all(&[byte]).is_err();
    }
    let answer = until_closed(&mut stream);
    assert!(!answer.windows(3).any(|bytes| bytes == [0, 33, 0xf4]));
    assert!(clock.elapsed() >= millis(200));
}

/// The node and its port mapper are flooded with connections that send something or nothing and
/// close. The node ends dropped connections before it accepts others, so it never has more
/// processes than the allowed handshakes and requests.
#[test]
fn floods_do_not_exceed_the_allowed_processes() {
    let _alone = alone();
    let place = Place::new();
    let node = place.node("node");
    let hello = framed(&longest(place, 0));
    let floods: [(SocketAddr, &[u8], usize); 3] = [
        (place.addr_of("node"), b"", MOST),
        (place.addr_of("node"), &hello, MOST),
        (place.mapper_addr(), b"\0\x01n", MAPPER_MOST),
    ];
    let processes = node.process_count();
    for (addr, said, at_once) in floods {
        let most = std::thread::scope(|scope| {
            let flooding: Vec<_> = (0..4).map(|_| scope.spawn(move || flood(addr, said))).collect();
            let mut most = 0;
            while flooding.iter().any(|thread| !thread.is_finished()) {
                most = most.max(node.process_count());
            }
            most
        });
        // A dropped connection may be about to end while another one begins.
        assert!(most <= processes + at_once + 2, "{most} processes for {at_once} at once");
        until("they have gone", || node.process_count() <= processes);
    }
}

/// Connects repeatedly, without waiting for an answer.
fn flood(addr: SocketAddr, said: &[u8]) {
    for _ in 0..1500 {
        // If the machine has no free port, it soon has one again.
        if let Ok(mut stream) = TcpStream::connect(addr) {
            // The node may have closed the connection already.
            let _ = stream.write_all(said);
        }
    }
}
