//! Attacks without the cookie, over real sockets: at either end of a connection, and in the middle
//! of a connection between two honest nodes. Each attack fails, and disturbs no other node. (The
//! attacks that need no sockets are in `net/src/proto/handshake/tests.rs`.)

use crate::support;

use std::io::{self, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use fika::net::discovery::StaticNodes;
use fika::net::{
    BadCookie, Decision, NetHandler, Ping as PingAnswer, disconnect_node, monitor_nodes, ping,
};
use fika::prelude::*;
use fika::process::spawn_blocking;
use support::peer::{
    Hello, Peer, SPAWN, frame, framed, hello_r, proofs, read_framed, refusal, text,
};
use support::{
    COOKIE, Clock, LIMIT, Place, TestNode, answerer, assert_answers, connect, nodedown, nodeup,
    until, until_closed,
};

/// The frames of a handshake, by step.
const HELLO_I: usize = 0;
const HELLO_R: usize = 1;
const PROOF_I: usize = 2;
const PROOF_R: usize = 3;

/// An attacker at its own address, to which a node's connections lead.
struct Middle(TcpListener);

impl Middle {
    fn new(place: Place) -> Middle {
        Middle(TcpListener::bind((place.ip, 0)).unwrap())
    }

    /// Starts a node whose connections to `other` lead here. It listens on `port`.
    fn node(&self, place: Place, name: &str, port: u16, other: &str) -> TestNode {
        let here = self.0.local_addr().unwrap().port();
        let entry = |name: &str, port: u16| format!("{}:{port}", place.name(name));
        let nodes = StaticNodes::new([entry(name, port), entry(other, here)]).unwrap();
        TestNode::of(place.builder(name).resolver(nodes))
    }

    fn accept(&self) -> TcpStream {
        let (stream, _) = self.0.accept().unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream
    }

    /// Accepts a connection and relays it to this address, with every frame of the handshake
    /// changed. Returns the frames when the handshake has ended, and relays everything after it.
    #[allow(clippy::disallowed_methods, reason = "the thread of a test")]
    fn relay(self, to: SocketAddr, change: Change) -> mpsc::Receiver<Vec<Vec<u8>>> {
        let (tx, rx) = mpsc::channel();
        std::thread::spawn(move || {
            let ends = [self.accept(), connect(to).unwrap()];
            let mut frames = Vec::new();
            for step in HELLO_I..=PROOF_R {
                let mut to = &ends[1 - step % 2];
                let mut from = ends[step % 2].try_clone().unwrap();
                let Some(body) = read_framed(&mut from) else { break };
                frames.push(body.clone());
                if to.write_all(&change(step, body)).is_err() {
                    break;
                }
            }
            let is_whole = frames.len() == 4;
            tx.send(frames).unwrap();
            if !is_whole {
                return;
            }
            let [a, b] = ends;
            let (mut c, mut d) = (a.try_clone().unwrap(), b.try_clone().unwrap());
            let back = std::thread::spawn(move || {
                let _ = io::copy(&mut d, &mut c);
                let _ = c.shutdown(Shutdown::Both);
            });
            let (mut a, mut b) = (a, b);
            let _ = io::copy(&mut a, &mut b);
            let _ = b.shutdown(Shutdown::Both);
            back.join().unwrap();
        });
        rx
    }
}

/// Changes the frame at this step, including its length.
type Change = Box<dyn Fn(usize, Vec<u8>) -> Vec<u8> + Send>;

fn pass(_: usize, body: Vec<u8>) -> Vec<u8> {
    framed(&body)
}

/// Returns a free port at the address.
fn port(place: Place) -> u16 {
    TcpListener::bind((place.ip, 0)).unwrap().local_addr().unwrap().port()
}

fn ping_from(node: &TestNode, name: String) -> PingAnswer {
    node.block_on(async move { ping(name).await })
}

/// Checks that two nodes do not connect while an attacker between them changes frames in this way.
/// When the attacker stops, they connect.
fn assert_fails(change: Change) {
    let place = Place::new();
    let b = place.node("b");
    let (middle, own) = (Middle::new(place), port(place));
    let again = Middle(middle.0.try_clone().unwrap());
    let a = middle.node(place, "a", own, "b");
    let heard = middle.relay(place.addr_of("b"), change);
    assert_eq!(ping_from(&a, place.name("b")), PingAnswer::Pang);
    heard.recv_timeout(LIMIT).unwrap();
    // The responder may have sent its last frame without knowing yet that the initiator has refused
    // it.
    until("there is no connection", || a.nodes().is_empty() && b.nodes().is_empty());
    let heard = again.relay(place.addr_of("b"), Box::new(pass));
    assert_eq!(ping_from(&a, place.name("b")), PingAnswer::Pong);
    assert_eq!(heard.recv_timeout(LIMIT).unwrap().len(), 4);
}

/// An attacker sends all frames of a node again, to each of the two nodes.
#[test]
#[allow(clippy::disallowed_methods, reason = "the thread of a test")]
fn replay_of_a_recorded_session() {
    let place = Place::new();
    let b = place.node("b");
    let (middle, own) = (Middle::new(place), port(place));
    let again = Middle(middle.0.try_clone().unwrap());
    let a = middle.node(place, "a", own, "b");
    let heard = middle.relay(place.addr_of("b"), Box::new(pass));
    assert_eq!(ping_from(&a, place.name("b")), PingAnswer::Pong);
    let recorded = heard.recv_timeout(LIMIT).unwrap();
    let b_name = place.name("b");
    a.block_on(async move { disconnect_node(&b_name).await });
    until("the connection is gone on both sides", || a.nodes().is_empty() && b.nodes().is_empty());
    // The frames go to the responder, as fast as possible, and step by step.
    for at_once in [true, false] {
        let mut peer = Peer::open(place.addr_of("b"));
        peer.write(&framed(&recorded[HELLO_I]));
        if !at_once {
            assert_eq!(peer.handshake_frame()[0], 0xf2);
        }
        peer.write_to_the_end(&framed(&recorded[PROOF_I]));
        let rest = peer.until_closed();
        assert!(!rest.windows(32).any(|bytes| bytes == &recorded[PROOF_R][1..]));
    }
    // The frames go to the initiator.
    let replayed = std::thread::spawn(move || {
        let mut stream = again.accept();
        assert_ne!(read_framed(&mut stream).unwrap(), recorded[HELLO_I], "its nonce is new");
        stream.write_all(&framed(&recorded[HELLO_R])).unwrap();
        assert_ne!(read_framed(&mut stream).unwrap(), recorded[PROOF_I]);
        stream.write_all(&framed(&recorded[PROOF_R])).unwrap();
        until_closed(&mut stream);
    });
    assert_eq!(ping_from(&a, place.name("b")), PingAnswer::Pang);
    replayed.join().unwrap();
    assert!(a.nodes().is_empty() && b.nodes().is_empty());
}

/// An attacker sends a node's own frames back to it: over the connection that the node opened, and
/// over another one that the attacker opens meanwhile.
#[test]
#[allow(clippy::disallowed_methods, reason = "the thread of a test")]
fn reflection_of_our_own_challenge() {
    let place = Place::new();
    let (middle, own) = (Middle::new(place), port(place));
    let a = middle.node(place, "a", own, "b");
    let (a_name, b_name) = (place.name("a"), place.name("b"));
    let a_addr = SocketAddr::from((place.ip, own));
    let attacker = std::thread::spawn(move || {
        // The node's own frames come back.
        let mut stream = middle.accept();
        let hello_i = read_framed(&mut stream).unwrap();
        stream.write_all(&framed(&hello_i)).unwrap();
        assert_eq!(until_closed(&mut stream), b"");
        // The node's nonce comes back as the attacker's, and its proof as the other node's.
        let mut stream = middle.accept();
        let hello_i = read_framed(&mut stream).unwrap();
        let mut hello = hello_r(1, SPAWN, 0, &b_name);
        hello[15..47].copy_from_slice(&hello_i[24..56]);
        stream.write_all(&framed(&hello)).unwrap();
        let mut proof = read_framed(&mut stream).unwrap();
        proof[0] = 0xf4;
        stream.write_all(&framed(&proof)).unwrap();
        assert_eq!(until_closed(&mut stream), b"");
        // The attacker sends the node's frames back to it, as if they came from the other node.
        let mut stream = middle.accept();
        let hello_i = read_framed(&mut stream).unwrap();
        let mut second = connect(a_addr).unwrap();
        second.write_all(&framed(&hello_i)).unwrap();
        let refusal = read_framed(&mut second).unwrap();
        assert_eq!(refusal[47], 3, "it is not the node that is meant");
        let mut turned = Hello::new(&b_name, &a_name);
        turned.creation = 1;
        let mut turned = turned.body();
        turned[24..56].copy_from_slice(&hello_i[24..56]);
        let mut second = connect(a_addr).unwrap();
        second.write_all(&framed(&turned)).unwrap();
        // The node's attempt to connect to the other node is pending. The node may give it up for
        // the attacker's connection.
        let answer = read_framed(&mut second).unwrap();
        let mut to_initiator = answer.clone();
        to_initiator[48..].copy_from_slice(&hello_r(1, SPAWN, 0, &b_name)[48..]);
        to_initiator[47] = 0;
        let _ = stream.write_all(&framed(&to_initiator));
        if let Some(proof) = read_framed(&mut stream) {
            let _ = second.write_all(&framed(&proof));
            let _ = stream.write_all(&framed(&[&[0xf4][..], &proof[1..]].concat()));
        }
        drop(second);
        until_closed(&mut stream);
    });
    for _ in 0..3 {
        assert_eq!(ping_from(&a, place.name("b")), PingAnswer::Pang);
    }
    attacker.join().unwrap();
    assert!(a.nodes().is_empty());
}

/// A node that wants one peer and is led to another honest one does not connect. This holds even if
/// the names are changed on their way, so that each node sees the name that it expects.
#[test]
fn relay_between_two_honest_nodes() {
    let place = Place::new();
    let (b, c) = (place.node("b"), place.node("c"));
    let exchange = move |body: Vec<u8>, from: &str, to: &str| {
        let (from, to) = (text(&place.name(from)), text(&place.name(to)));
        let at = body.windows(from.len()).position(|bytes| bytes == from);
        let at = at.expect("it names the node");
        [&body[..at], &to, &body[at + from.len()..]].concat()
    };
    let changes: [Change; 2] = [
        Box::new(pass),
        Box::new(move |step, body| match step {
            HELLO_I => framed(&exchange(body, "b", "c")),
            HELLO_R => framed(&exchange(body, "c", "b")),
            _ => framed(&body),
        }),
    ];
    for (n, change) in changes.into_iter().enumerate() {
        let middle = Middle::new(place);
        let name = format!("a{n}");
        let a = middle.node(place, &name, port(place), "b");
        let heard = middle.relay(place.addr_of("c"), change);
        assert_eq!(ping_from(&a, place.name("b")), PingAnswer::Pang);
        assert!(heard.recv_timeout(LIMIT).unwrap().len() < 4);
        assert!(a.nodes().is_empty() && b.nodes().is_empty() && c.nodes().is_empty());
    }
}

/// An attacker that removes or adds versions, flags, or the flag of a hidden node is detected.
#[test]
fn downgrade() {
    let at = |step: usize, place: usize, bits: u8| -> Change {
        Box::new(move |now, mut body| {
            if now == step {
                body[place] ^= bits;
            }
            framed(&body)
        })
    };
    // A highest version of 1 + 256, a lowest version of 0, priority, hidden, and an unknown flag.
    let changes = [
        at(HELLO_I, 10, 1),
        at(HELLO_I, 9, 1),
        at(HELLO_I, 19, 4),
        at(HELLO_I, 19, 1),
        at(HELLO_I, 12, 0x80),
        at(HELLO_R, 10, 4),
        at(HELLO_R, 10, 1),
        at(HELLO_R, 2, 1),
        // The status, and the creation.
        at(HELLO_R, 47, 4),
        at(HELLO_R, 14, 1),
    ];
    changes.into_iter().for_each(assert_fails);
}

/// A stranger claims to be a node that is already connected, with a hello alone, and with a wrong
/// proof. The existing connection stays, and no process is notified.
#[test]
#[allow(clippy::disallowed_methods, reason = "the thread of a test")]
fn a_peer_that_claims_anothers_name() {
    let place = Place::new();
    let (a, b) = (place.node("a"), place.node("b"));
    let addr = place.addr_of("b");
    a.block_on(async move {
        let name = place.name("b");
        let there = spawn_on(&name, answerer()).await;
        monitor_nodes(true);
        link(there);
        for n in 0..3_u8 {
            spawn_blocking(move || {
                let mut peer = Peer::open(addr);
                peer.write(&framed(&Hello::new(&place.name("a"), &place.name("b")).body()));
                let answer = peer.handshake_frame();
                assert_eq!(answer[47], 0, "a stranger does not learn that it is connected");
                if n > 0 {
                    peer.write(&framed(&[&[0xf3][..], &[n; 32]].concat()));
                    assert_eq!(peer.until_closed(), b"");
                }
            })
            .await;
            assert_answers(there, n.into()).await;
        }
        none!(NodeDown);
    });
    assert_eq!(b.nodes().len(), 1);
    // The node reaches a stranger in place of the other node.
    let middle = Middle::new(place);
    let lonely = middle.node(place, "lonely", port(place), "b");
    let (b_name, c_name) = (place.name("b"), place.name("c"));
    let attacker = std::thread::spawn(move || {
        for (name, n) in [(&c_name, 0), (&b_name, 1), (&b_name, 2)] {
            let mut stream = middle.accept();
            let hello_i = read_framed(&mut stream).unwrap();
            let hello = hello_r(1, SPAWN, 0, name);
            stream.write_all(&framed(&hello)).unwrap();
            if n > 0 {
                let (_, proof_r) = proofs("a guess at the cookie", &hello_i, &hello);
                assert_eq!(read_framed(&mut stream).unwrap()[0], 0xf3);
                stream.write_all(&framed(&proof_r)).unwrap();
            }
            assert_eq!(until_closed(&mut stream), b"");
        }
    });
    for _ in 0..3 {
        assert_eq!(ping_from(&lonely, place.name("b")), PingAnswer::Pang);
    }
    attacker.join().unwrap();
    assert!(lonely.nodes().is_empty());
}

/// A stranger that sends a hello gets the same answer, whether or not the node is connected to the
/// peer of that name, is connecting to it, or allows it. The answer to a wrong proof is always the
/// same, too. Only a peer that knows the cookie learns the difference.
#[test]
fn a_stranger_does_not_learn_about_connections() {
    let place = Place::new();
    // The node's own attempts to these peers arrive here, and wait.
    let [less, greater] = ["aa", "zz"].map(|name| (name, Middle::new(place)));
    let entry = |name: &str, port: u16| format!("{}:{port}", place.name(name));
    let waits = [&less, &greater].map(|(name, at)| entry(name, at.0.local_addr().unwrap().port()));
    let [own, connected] = [port(place), port(place)];
    let others = [entry("b", own), entry("connected", connected)];
    let nodes = || StaticNodes::new(waits.iter().chain(&others)).unwrap();
    let allowed = ["aa", "zz", "connected", "unknown"];
    let b = place.builder("b").resolver(nodes()).net_setuptime(LIMIT).allow(allowed);
    let b = TestNode::of(b);
    let a = TestNode::of(place.builder("connected").resolver(nodes()));
    assert_eq!(ping_from(&a, place.name("b")), PingAnswer::Pong);
    for name in ["aa", "zz"] {
        b.spawn(async move { ping(place.name(name)).await });
    }
    let attempts = [less, greater].map(|(_, at)| (at.accept(), at));
    let addr = SocketAddr::from((place.ip, own));
    let names = ["connected", "aa", "zz", "unknown", "barred"];
    let hello = |name: &str| Hello::new(&place.name(name), &place.name("b")).body();
    let ask = |name: &str| {
        let mut peer = Peer::open(addr);
        peer.write(&framed(&hello(name)));
        let answer = peer.handshake_frame();
        (peer, answer)
    };
    let answers = names.map(|name| {
        let (mut peer, mut answer) = ask(name);
        peer.write(&framed(&[&[0xf3][..], &[7; 32]].concat()));
        assert_eq!(peer.until_closed(), b"", "{name}");
        // The nonce always differs.
        answer[15..47].fill(0);
        answer
    });
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:02x?}");
    // HS-5, HS-13: peers of these names that know the cookie.
    for (name, status) in [("aa", Some(2)), ("zz", None), ("unknown", None), ("barred", Some(3))] {
        let (mut peer, answer) = ask(name);
        let (proof_i, proof_r) = proofs(COOKIE, &hello(name), &answer);
        peer.write(&framed(&proof_i));
        let expected = match status {
            Some(status) => refusal(COOKIE, &hello(name), &answer, status),
            None => proof_r,
        };
        assert_eq!(peer.handshake_frame(), expected, "{name}");
        if status.is_some() {
            assert_eq!(peer.until_closed(), b"", "{name}");
        }
    }
    assert!(b.nodes().iter().any(|node| node.as_str() == place.name("connected")));
    drop(attempts);
}

/// HS-7: a node that has the cookie, and connects again in another life, replaces its older
/// connection when it has proved itself. The end of the older connection is reported first.
#[test]
fn a_newer_life_replaces_its_connection_after_a_proof() {
    let place = Place::new();
    let b = place.node("b");
    let addr = place.addr_of("b");
    b.block_on(async move {
        monitor_nodes(true);
        let name = place.name("peer");
        let connected = move || Peer::connected(addr, &place.name("peer"), &place.name("b"));
        let mut older = spawn_blocking(connected).await;
        let first = nodeup(&name).await.connection;
        let newer = spawn_blocking(connected).await;
        assert_eq!(nodedown(&name).await.connection, first);
        assert_ne!(nodeup(&name).await.connection, first);
        spawn_blocking(move || older.until_closed()).await;
        drop(newer);
        nodedown(&name).await;
    });
}

/// A handshake fails if a frame is cut off, sent twice, replaced by another, or followed by extra
/// bytes.
#[test]
fn truncated_and_reordered_messages() {
    let cut = |step: usize, keep: usize| -> Change {
        Box::new(move |now, body| {
            if now == step { framed(&body[..keep.min(body.len() - 1)]) } else { framed(&body) }
        })
    };
    let twice = |step: usize| -> Change {
        Box::new(move |now, body| {
            let frame = framed(&body);
            if now == step { [&frame[..], &frame].concat() } else { frame }
        })
    };
    for step in [HELLO_I, HELLO_R, PROOF_I, PROOF_R] {
        for keep in [1, 20, 32, 1000] {
            assert_fails(cut(step, keep));
        }
    }
    // A second hello stands where the proof is due. (After the last proof the connection begins,
    // and its frames follow.)
    assert_fails(twice(HELLO_I));
    assert_fails(twice(HELLO_R));
    // The order of one side's frames is reversed.
    let place = Place::new();
    let b = place.node("b");
    let hello = Hello::new(&place.name("peer"), &place.name("b")).body();
    let message = frame(&[&[2, 0][..], &text("name")].concat());
    let proof = framed(&[&[0xf3][..], &[7; 32]].concat());
    for said in [
        [proof.clone(), framed(&hello)].concat(),
        [framed(&hello), message.clone(), proof.clone()].concat(),
        [message, framed(&hello), proof].concat(),
    ] {
        let mut peer = Peer::open(place.addr_of("b"));
        peer.write_to_the_end(&said);
        peer.until_closed();
    }
    assert!(b.nodes().is_empty());
}

/// A frame of the other role fails at every step.
#[test]
#[allow(clippy::disallowed_methods, reason = "the thread of a test")]
fn a_wrong_role() {
    let place = Place::new();
    let b = place.node("b");
    let (peer, b_name) = (place.name("peer"), place.name("b"));
    let hello_i = Hello::new(&peer, &b_name).body();
    // This initiator begins as a responder does.
    for first in [hello_r(1, SPAWN, 0, &peer), vec![0xf3; 33], vec![0xf4; 33]] {
        let mut stranger = Peer::open(place.addr_of("b"));
        stranger.write(&framed(&first));
        assert_eq!(stranger.until_closed(), b"");
    }
    // This initiator knows the cookie, and proves itself as the responder.
    let mut stranger = Peer::open(place.addr_of("b"));
    stranger.write(&framed(&hello_i));
    let hello = stranger.handshake_frame();
    let (proof_i, proof_r) = proofs(COOKIE, &hello_i, &hello);
    stranger.write(&framed(&[&[0xf3][..], &proof_r[1..]].concat()));
    assert_eq!(stranger.until_closed(), b"");
    let mut stranger = Peer::open(place.addr_of("b"));
    stranger.write(&framed(&hello_i));
    stranger.handshake_frame();
    stranger.write(&framed(&[&[0xf4][..], &proof_i[1..]].concat()));
    assert_eq!(stranger.until_closed(), b"");
    assert!(b.nodes().is_empty());
    // This responder answers as an initiator.
    let middle = Middle::new(place);
    let a = middle.node(place, "a", port(place), "b");
    let attacker = std::thread::spawn(move || {
        for n in 0..2 {
            let mut stream = middle.accept();
            let hello_i = read_framed(&mut stream).unwrap();
            let hello = hello_r(1, SPAWN, 0, &b_name);
            if n == 0 {
                stream.write_all(&framed(&Hello::new(&b_name, &peer).body())).unwrap();
            } else {
                stream.write_all(&framed(&hello)).unwrap();
                read_framed(&mut stream).unwrap();
                // It knows the cookie, and sends the initiator's proof.
                let (proof_i, _) = proofs(COOKIE, &hello_i, &hello);
                stream.write_all(&framed(&[&[0xf4][..], &proof_i[1..]].concat())).unwrap();
            }
            assert_eq!(until_closed(&mut stream), b"");
        }
    });
    for _ in 0..2 {
        assert_eq!(ping_from(&a, place.name("b")), PingAnswer::Pang);
    }
    attacker.join().unwrap();
    assert!(a.nodes().is_empty());
}

/// A second connection does not rely on the first: it must complete the whole handshake.
#[test]
fn a_second_connection_makes_its_own_handshake() {
    let place = Place::new();
    let b = place.node("b");
    let (addr, name, b_name) = (place.addr_of("b"), place.name("peer"), place.name("b"));
    let mut first = Peer::connected(addr, &name, &b_name);
    until("it is up", || b.nodes().len() == 1);
    let mut second = Peer::open(addr);
    second.write_to_the_end(&frame(&[&[2, 0][..], &text("x")].concat()));
    assert_eq!(second.until_closed(), b"");
    let mut second = Peer::open(addr);
    second.write(&framed(&Hello::new(&name, &b_name).body()));
    second.handshake_frame();
    second.write_to_the_end(&frame(&[&[2, 0][..], &text("x")].concat()));
    assert_eq!(second.until_closed(), b"");
    assert_eq!(b.nodes().len(), 1, "the first goes on");
    first.write(&[0; 4]);
    assert_eq!(first.frame()[0], 3, "what a node says first");
}

/// Two clusters that have one cookie by mistake do not connect.
#[test]
fn nodes_of_two_clusters() {
    let place = Place::new();
    let of = |name: &str, cluster: &str| TestNode::of(place.builder(name).cluster_id(cluster));
    let (blue, _blue2) = (of("blue", "blue"), of("blue2", "blue"));
    let (green, _none) = (of("green", "green"), place.node("none"));
    for (node, other, answer) in [
        (&blue, "green", PingAnswer::Pang),
        (&green, "blue", PingAnswer::Pang),
        (&blue, "none", PingAnswer::Pang),
        (&blue, "blue2", PingAnswer::Pong),
    ] {
        assert_eq!(ping_from(node, place.name(other)), answer, "{other}");
    }
}

/// Counts the wrong proofs that were checked.
#[derive(Clone, Default)]
struct Guesses(Arc<AtomicUsize>);

impl NetHandler for Guesses {
    fn bad_cookie(&self, _: BadCookie) -> Decision<BadCookie> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Decision::Refuse
    }
}

/// Opens a connection as another user of this host.
fn stranger(addr: SocketAddr) -> Peer {
    let peer = Peer::open(addr);
    std::os::unix::fs::fchown(&peer.stream, Some(65_534), None).expect("root may give it away");
    peer
}

/// The node limits guesses at the cookie. It checks a burst of wrong proofs, and then four per
/// second, however many handshakes run at the same time, and from any of the host's addresses.
/// Other addresses are not affected, and neither are programs of the node's own user, which can
/// read the cookie.
#[test]
fn guesses_at_the_cookie_are_limited() {
    if !rustix::process::geteuid().is_root() {
        return eprintln!("skipped: only root can pose as another user");
    }
    const CROWD: usize = 100;
    let place = Place::new();
    let seen = Guesses::default();
    let _b = TestNode::of(place.builder("b").net_handler(seen.clone()));
    let (addr, own, peer_name) = (place.addr_of("b"), place.name("b"), place.name("peer"));
    let hello = Hello::new(&peer_name, &own).body();
    let greeted = || {
        let mut peer = stranger(addr);
        peer.write(&framed(&hello));
        let answer = peer.handshake_frame();
        assert_eq!(answer[47], 0);
        (peer, answer)
    };
    let guess = |peer: &mut Peer, round| {
        peer.write_to_the_end(&framed(&[&[0xf3][..], &[round; 32]].concat()));
    };
    let clock = Clock::new();
    for round in 0..3_u8 {
        let mut crowd: Vec<Peer> = (0..CROWD).map(|_| greeted().0).collect();
        crowd.iter_mut().for_each(|peer| guess(peer, round));
        crowd.iter_mut().for_each(|peer| assert_eq!(peer.until_closed(), b""));
    }
    let guesses = seen.0.load(Ordering::Relaxed);
    let most = 16 + 4 * (clock.elapsed().as_secs() as usize + 1);
    assert!((16..=most).contains(&guesses), "{guesses} of {} guesses", 3 * CROWD);

    // Even a correct proof is not checked until the limit allows it, since it may be a guess, too.
    // The guesses of a crowd arrive before it.
    let prove = |mut peer: Peer, answer: &[u8]| {
        let (ours, theirs) = proofs(COOKIE, &hello, answer);
        peer.write_to_the_end(&framed(&ours));
        read_framed(&mut peer.stream).map(|answer| assert_eq!(answer, theirs)).is_some()
    };
    let mut crowd: Vec<Peer> = (1..CROWD).map(|_| greeted().0).collect();
    let (honest, answer) = greeted();
    crowd.iter_mut().for_each(|peer| guess(peer, 3));
    assert!(!prove(honest, &answer), "there is room for no more guesses");
    let mut friend = Peer::open(addr);
    friend.write(&framed(&hello));
    let answer = friend.handshake_frame();
    assert!(prove(friend, &answer), "a program of the node's own user");
}
