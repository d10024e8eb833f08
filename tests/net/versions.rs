//! Peers of other versions, and peers with more features than ours: they are served or refused as
//! `net/PROTOCOL.md` says. A recorded session of each past version is replayed, byte for byte.

use crate::support;

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use fika::net::discovery::{FixedPort, StaticNodes};
use fika::net::{Ping as PingAnswer, ping};
use fika::node::{Env, SystemEnv, Time};
use fika::prelude::*;
use serde::{Deserialize, Serialize};
use support::peer::{Hello, Peer, SPAWN, frame, framed, hello_r, proofs, read_framed, text};
use support::{COOKIE, LIMIT, Place, TestNode, until};

/// An initiator that speaks these versions gets a common version, or is refused.
#[test]
fn initiators_of_other_versions() {
    let place = Place::new();
    let there = place.os("there").start();
    let addr = place.addr_of("there");
    let mut refused = 0;
    for (versions, served) in [
        ((1, 1), true),
        ((0, 1), true),
        ((1, 7), true),
        ((0, u16::MAX), true),
        ((0, 0), false),
        ((2, 2), false),
        ((2, u16::MAX), false),
        ((7, 1), false),
    ] {
        let name = place.name(&format!("peer{}-{}", versions.0, versions.1));
        let mut hello = Hello::new(&name, &place.name("there"));
        hello.versions = versions;
        if served {
            // The node's proof covers the whole range, and the peer has checked that.
            let mut peer = Peer::connected_as(addr, &hello);
            assert!(!peer.frame().is_empty());
            continue;
        }
        let mut peer = Peer::open(addr);
        peer.write(&framed(&hello.body()));
        let answer = peer.handshake_frame();
        // The initiator speaks another version, or the highest possible one.
        assert_eq!((answer[0], answer[47], &answer[1..3]), (0xf2, 5, &[0, 1][..]));
        assert_eq!(peer.until_closed(), b"");
        refused += 1;
        there.await_log("a connection was refused", refused);
        let said =
            format!("it speaks versions {} to {}, and this node 1 to 1", versions.0, versions.1);
        assert!(there.log().contains(&said), "{}", there.log());
    }
}

/// A node proves nothing to a responder of another version, or to a responder that answers with an
/// unexpected version or status. (The errors are tested in `net/src/proto/handshake/tests.rs`.)
#[test]
#[allow(clippy::disallowed_methods, reason = "the thread of a test")]
fn responders_of_other_versions() {
    let place = Place::new();
    let listener = TcpListener::bind((place.ip, 0)).unwrap();
    let (port, name) = (listener.local_addr().unwrap().port(), place.name("older"));
    let nodes = [format!("{name}:{port}")];
    let here = TestNode::of(place.builder("here").resolver(StaticNodes::new(nodes).unwrap()));
    const ANSWERS: [(u16, u8); 6] = [(0, 5), (7, 5), (0, 0), (2, 0), (0, 3), (1, 9)];
    let answered = name.clone();
    let responder = std::thread::spawn(move || {
        for (version, status) in ANSWERS {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(LIMIT)).unwrap();
            let hello = read_framed(&mut stream).unwrap();
            assert_eq!(hello[8..12], [0, 1, 0, 1], "the versions that it speaks");
            stream.write_all(&framed(&hello_r(version, SPAWN, status, &answered))).unwrap();
            assert_eq!(read_framed(&mut stream), None, "no proof is given");
        }
    });
    here.block_on(async move {
        for _ in ANSWERS {
            assert_eq!(ping(&name).await, PingAnswer::Pang);
        }
    });
    responder.join().unwrap();
    assert!(here.nodes().is_empty());
}

/// Flags that affect the connection.
const HIDDEN: u64 = 1;
const NAME_ME: u64 = 1 << 3;

/// Unknown flags change nothing, and an attacker can't remove or add flags on the way, because the
/// proofs cover them as they were sent.
#[test]
fn unknown_flags() {
    let place = Place::new();
    let there = place.node("there");
    let addr = place.addr_of("there");
    for flags in [1 << 4, 1 << 40, 1 << 63, !(HIDDEN | NAME_ME)] {
        let mut hello = Hello::new(&place.name("peer"), &place.name("there"));
        hello.flags = SPAWN | flags;
        let mut peer = Peer::connected_as(addr, &hello);
        assert!(!peer.frame().is_empty(), "it is served as others are");
        drop(peer);
        until("it has gone", || there.nodes().is_empty());
        // The peer's proof covers other flags than it sent.
        let mut peer = Peer::open(addr);
        peer.write(&framed(&hello.body()));
        let answer = peer.handshake_frame();
        assert_eq!(answer[3..11], [0, 0, 0, 0, 0, 0, 0, 6], "ours are the ones that we know");
        hello.flags ^= 1 << 50;
        let (proof, _) = proofs(COOKIE, &hello.body(), &answer);
        peer.write(&framed(&proof));
        assert_eq!(peer.until_closed(), b"");
    }
}

/// The system's clock without randomness: all nonces and creations are equal.
struct NoChance(SystemEnv);

impl Env for NoChance {
    fn now(&self) -> Time {
        self.0.now()
    }

    fn wall(&self) -> SystemTime {
        self.0.wall()
    }

    fn random(&self) -> u64 {
        7
    }

    fn secure_random(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

#[derive(Message, Serialize, Deserialize)]
#[message(tag = "golden::Ask")]
struct Ask {
    from: Pid,
    n: u64,
}

async fn echo() {
    loop {
        let Ask { from, n } = next!(Ask);
        send(from, (n, "golden".to_owned()));
    }
}

/// The peer's bytes in the recorded session, in pieces. Each piece is answered.
fn pieces(fingerprint: u64) -> Vec<Vec<u8>> {
    let name = |number: u8, name: &str| frame(&[&[2, number][..], &text(name)].concat());
    let ask = [3, 0].into_iter().chain(fingerprint.to_be_bytes()).chain(text("golden::Ask"));
    let ask = frame(&ask.collect::<Vec<_>>());
    let nothing = frame(&[&[3, 1][..], &[0; 8], &text("nothing")].concat());
    // The frames come from the peer's process 5.0.
    vec![
        // A monitor of an unused name.
        [name(0, "nobody"), frame(&[0x95, 0, 5, 0, 0xc8, 1, 0])].concat(),
        // A link to a process that never existed.
        frame(&[0x11, 0xff, 0xff, 3, 0, 5, 0]),
        // A message by name that is answered, and another that uses its numbers again.
        [name(1, "echo"), ask, frame(&[0x90, 1, 6, 0, 0, 1, 0, 0, 0, 0, 4, 0, 5, 0, 7])].concat(),
        frame(&[0x90, 1, 0, 0, 1, 0, 0, 0, 0, 5, 0, 5, 0, 0xff, 1]),
        // The message in two pieces, with a tick between.
        [
            frame(&[4, 0, 0x90, 1, 6, 0, 0, 1, 0, 0, 0, 0, 5]),
            frame(&[5, 0, 0, 5]),
            vec![0; 4],
            frame(&[5, 0, 0, 0x80, 1]),
        ]
        .concat(),
        // A request to spawn an unknown function, after a tick.
        [vec![0; 4], name(2, "golden::none"), nothing]
            .concat()
            .into_iter()
            .chain(frame(&[0x20, 3, 0xc9, 1, 0, 5, 0, 0, 5, 0, 2, 1, 0, 0, 0, 0, 0]))
            .collect(),
    ]
}

/// The sessions of all past versions are served byte for byte. This session is of version one.
/// `FIKA_RECORD=1` records it again, which is only right if the protocol has a new version, or has
/// not been released.
#[test]
fn a_golden_session() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/version-1.txt");
    let place = Place::new();
    let port = TcpListener::bind((place.ip, 0)).unwrap().local_addr().unwrap().port();
    let addr = SocketAddr::from((place.ip, port));
    let node = Node::builder().name("golden@127.0.0.1").cookie(COOKIE).listen(addr);
    let node = node.resolver(FixedPort(port)).env(Arc::new(NoChance(SystemEnv::new())));
    let node = TestNode::of(node);
    let pid = node.spawn(echo()).unwrap();
    node.register("echo", pid).unwrap();
    let mut hello = Hello::new("peer@127.0.0.1", "golden@127.0.0.1");
    // The peer is hidden, so that the node does not mention other nodes. It supports priority
    // messages.
    hello.flags = SPAWN | 1 | 4;
    let hello = hello.body();
    let mut peer = Peer::open(addr);
    if std::env::var_os("FIKA_RECORD").is_some() {
        std::fs::write(file, record(&mut peer, &hello)).unwrap();
        return;
    }
    let session = std::fs::read_to_string(file).unwrap();
    for (n, line) in session.lines().enumerate() {
        let bytes = |hex: &str| -> Vec<u8> {
            let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
            (0..hex.len()).step_by(2).map(byte).collect()
        };
        match line.split_at(2) {
            ("> ", said) => peer.write(&bytes(said)),
            ("< ", heard) => {
                let mut answer = vec![0; heard.len() / 2];
                std::io::Read::read_exact(&mut peer.stream, &mut answer).unwrap();
                assert_eq!(answer, bytes(heard), "line {}", n + 1);
            }
            _ => assert!(line.starts_with('#'), "line {}", n + 1),
        }
    }
}

/// The session as it is today.
fn record(peer: &mut Peer, hello: &[u8]) -> String {
    let mut text = "# A session of version 1: what a peer says (>), and the node (<).\n".to_owned();
    let mut line = |way: char, bytes: &[u8]| {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(text, "{way} {hex}").unwrap();
    };
    line('>', &framed(hello));
    peer.write(&framed(hello));
    let answer = peer.handshake_frame();
    line('<', &framed(&answer));
    let (proof_i, proof_r) = proofs(COOKIE, hello, &answer);
    line('>', &framed(&proof_i));
    peer.write(&framed(&proof_i));
    assert_eq!(peer.handshake_frame(), proof_r);
    line('<', &framed(&proof_r));
    for piece in pieces(Ask::fingerprint()) {
        line('>', &piece);
        peer.write(&piece);
        loop {
            let body = peer.frame();
            line('<', &frame(&body));
            // Definitions come before the frames that need them.
            if body[0] > 3 {
                break;
            }
        }
    }
    text
}
