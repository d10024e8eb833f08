//! Every error of `net/PROTOCOL.md`, over real sockets: the peer's bytes, the answer, the node's
//! log, and the end of the connection. The node continues to work with others.

use crate::support;

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;

use fika::net::discovery::StaticNodes;
use fika::prelude::*;
use support::peer::{
    Hello, Peer, SPAWN, frame, framed, hello_r, proofs, read_framed, refusal, text, varint,
};
use support::process::OsNode;
use support::{COOKIE, LIMIT, Place, TestNode, answerer, assert_answers, until_closed};

/// Waits until the node has logged this reason once more than before.
struct Logged<'a>(&'a OsNode, Vec<String>);

impl Logged<'_> {
    #[track_caller]
    fn next(&mut self, why: &str) {
        self.1.push(why.to_owned());
        let times = self.1.iter().filter(|earlier| earlier.contains(why)).count();
        self.0.await_log(why, times);
    }
}

/// A frame of the handshake with too few or too many bytes.
fn cut(body: &[u8], keep: usize) -> Vec<u8> {
    framed(&body[..keep])
}

fn long(body: &[u8]) -> Vec<u8> {
    framed(&[body, &[0]].concat())
}

/// A node reports each error of a peer that asks it for a connection. A case has the peer's first
/// bytes, the status and the version in the node's answer if there is one, and the reason in the
/// log.
#[test]
fn initiators() {
    let place = Place::new();
    let there = place.os("there").start();
    let addr = place.addr_of("there");
    let mut log = Logged(&there, Vec::new());
    let hello = |change: &dyn Fn(&mut Hello)| {
        let mut hello = Hello::new(&place.name("peer"), &place.name("there"));
        change(&mut hello);
        hello.body()
    };
    let right = hello(&|_| ());
    // The place of the initiator's name: after the magic, versions, flags, creation and nonce.
    let name_at = 8 + 4 + 8 + 4 + 32;
    let with_name = |name: &[u8]| framed(&[&right[..name_at], name].concat());
    type Case<'a> = (Vec<u8>, Option<(u8, u8)>, &'a str);
    let cases: Vec<Case<'_>> = vec![
        (b"\0\0".to_vec(), None, "invalid message: an empty frame"),
        (
            1025_u16.to_be_bytes().to_vec(),
            None,
            "a frame of the handshake has a length of 1025, and the limit is 1024",
        ),
        (framed(b"\x83h\x06gdPeer"), None, "it does not speak fika's protocol"),
        (cut(&right, 19), None, "the bytes end before the end of the flags"),
        (long(&right), None, "too many bytes after the initiator's hello: 1"),
        (
            with_name(&text(&"x".repeat(481))),
            None,
            "the initiator's name has a length of 481, and the limit is 480",
        ),
        (with_name(&text(&format!("{}@h", "x".repeat(254)))), None, "is not a node name"),
        (with_name(b"\x01\xff"), None, "the initiator's name is not UTF-8"),
        (with_name(b"\x83\0abc"), None, "the initiator's name is not a valid number"),
        (with_name(b"\x03abc"), None, "`abc` is not a node name"),
        (
            framed(&hello(&|hello| hello.wanted = place.name("other"))),
            Some((3, 0)),
            "expected node",
        ),
        (framed(&hello(&|hello| hello.name = place.name("there"))), None, "it uses our own name"),
        (framed(&hello(&|hello| hello.flags = 0)), Some((3, 0)), "it lacks the mandatory flags"),
        (
            framed(&hello(&|hello| hello.name = "peer@short".into())),
            Some((3, 0)),
            "a node with a short name and one with a long name can't connect",
        ),
        (
            framed(&hello(&|hello| hello.versions = (2, 3))),
            Some((5, 1)),
            "it speaks versions 2 to 3, and this node 1 to 1",
        ),
    ];
    for (said, answer, why) in cases {
        let mut peer = Peer::open(addr);
        peer.write(&said);
        if let Some((status, version)) = answer {
            let hello = peer.handshake_frame();
            assert_eq!((hello[47], &hello[1..3]), (status, &[0, version][..]), "{why}");
            assert_eq!(hello[15..47], [0; 32], "no nonce is given away");
        }
        assert_eq!(peer.until_closed(), b"", "{why}");
        log.next(why);
    }
    type Change<'a> = (&'a dyn Fn(&[u8]) -> Vec<u8>, &'a str);
    let wrong_proofs: [Change<'_>; 4] = [
        (
            &|_| framed(&[&[0xf3][..], &[7; 32]].concat()),
            "has another cookie, or belongs to another",
        ),
        (
            &|proof| framed(&[&[0xf4][..], &proof[1..]].concat()),
            "the next step of the handshake can't be 0xf4",
        ),
        (&|proof| cut(proof, 32), "the bytes end before the end of the proof"),
        (&long, "too many bytes after the proof: 1"),
    ];
    for (change, why) in wrong_proofs {
        let mut peer = Peer::open(addr);
        peer.write(&framed(&right));
        let (proof, _) = proofs(COOKIE, &right, &peer.handshake_frame());
        peer.write(&change(&proof));
        assert_eq!(peer.until_closed(), b"", "{why}");
        log.next(why);
    }
    let nodeup = format!("nodeup node={}", place.name("peer"));
    assert_eq!(there.logged(&nodeup), 0, "{}", there.log());
    let _peer = Peer::connected(addr, &place.name("peer"), &place.name("there"));
    there.await_log(&nodeup, 1);
}

/// Connects to a node, and reports whether that succeeded.
#[remote]
async fn connects(node: String, to: Pid) {
    send(to, connect_node(&node).await == Some(true));
}

/// A node `a` in another program. The test tells it which node to connect to.
struct Asker {
    a: OsNode,
    here: TestNode,
    /// The listener for its connections to `b`.
    at_b: TcpListener,
}

impl Asker {
    fn new(place: Place, setup_time: Duration) -> Asker {
        let at_b = TcpListener::bind((place.ip, 0)).unwrap();
        let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
        let free = port(&TcpListener::bind((place.ip, 0)).unwrap());
        let entry = |alive, port| format!("{}:{port}", place.name(alive));
        let nodes = [entry("a", free), entry("b", port(&at_b))];
        let a = place.os("a").setup_time(setup_time).nodes(&nodes).start();
        let resolver = StaticNodes::new(&nodes[..1]).unwrap();
        let here = TestNode::of(place.builder("here").resolver(resolver));
        Asker { a, here, at_b }
    }

    /// Makes the node ask for a connection, which the test accepts. Returns the connection and the
    /// node's hello. The node gets no answer, and the receiver gets the result.
    fn asks(&self, place: Place) -> (TcpStream, Vec<u8>, mpsc::Receiver<bool>) {
        let (tx, rx) = mpsc::channel();
        let (a, b) = (self.a.name.clone(), place.name("b"));
        self.here.spawn(async move {
            spawn_on(a, connects(b, self_pid())).await;
            tx.send(next!(bool)).unwrap();
        });
        let (mut stream, _) = self.at_b.accept().unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let hello = read_framed(&mut stream).unwrap();
        (stream, hello, rx)
    }
}

/// A node reports each error of a peer that it asks: in the answer to its hello, and to its proof.
#[test]
fn responders() {
    let place = Place::new();
    let asker = Asker::new(place, LIMIT);
    let mut log = Logged(&asker.a, Vec::new());
    let b = place.name("b");
    let right = hello_r(1, SPAWN, 0, &b);
    let status = |version, status| framed(&hello_r(version, SPAWN, status, &b));
    // The extensions of the answer begin with a name for the node.
    let named = || {
        let mut hello = hello_r(1, SPAWN, 6, &b);
        hello.pop();
        let name = text(&place.name("other"));
        hello.extend([&varint(name.len() as u64)[..], &name].concat());
        framed(&hello)
    };
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (Vec::new(), "does the peer have the same cookie?"),
        (b"\0\0".to_vec(), "invalid message: an empty frame"),
        (
            1025_u16.to_be_bytes().to_vec(),
            "a frame of the handshake has a length of 1025, and the limit is 1024",
        ),
        (framed(&[0xf1; 60]), "the next step of the handshake can't be 0xf1"),
        (cut(&right, 2), "the bytes end before the end of the version"),
        (long(&right), "too many bytes after the responder's hello: 1"),
        (framed(&hello_r(1, SPAWN, 0, &place.name("c"))), "expected node"),
        (status(1, 7), "the status can't be 0x07"),
        // A status that depends on the responder's connections is not sent before the proof.
        (status(1, 2), "the status can't be 0x02"),
        (status(1, 4), "the status can't be 0x04"),
        (named(), "it gave a name that was not asked for"),
        (status(1, 3), "the peer refused the connection: NotAllowed"),
        (status(9, 5), "it speaks versions up to 9, and this node only 1 to 1"),
        (status(2, 0), "it chose version 2, which was not offered"),
        (framed(&hello_r(1, 0, 0, &b)), "it lacks the mandatory flags"),
    ];
    let no_proof = cases.len();
    let proof = |change: fn(&[u8]) -> Vec<u8>| change;
    let wrong_proofs = [
        (proof(|_| Vec::new()), "does the peer have the same cookie?"),
        (
            proof(|_| framed(&[&[0xf4][..], &[7; 32]].concat())),
            "has another cookie, or belongs to another",
        ),
        (
            proof(|proof| framed(&[&[0xf3][..], &proof[1..]].concat())),
            "the next step of the handshake can't be 0xf3",
        ),
        (proof(|proof| cut(proof, 32)), "the bytes end before the end of the proof"),
    ];
    for n in 0..no_proof + wrong_proofs.len() {
        let (mut stream, hello_i, connected) = asker.asks(place);
        let why = match cases.get(n) {
            Some((said, why)) => {
                stream.write_all(said).unwrap();
                why
            }
            None => {
                let (change, why) = &wrong_proofs[n - no_proof];
                stream.write_all(&framed(&right)).unwrap();
                let (proof_i, proof_r) = proofs(COOKIE, &hello_i, &right);
                assert_eq!(read_framed(&mut stream), Some(proof_i));
                stream.write_all(&change(&proof_r)).unwrap();
                why
            }
        };
        if why.contains("the same cookie") {
            drop(stream);
        } else {
            assert_eq!(until_closed(&mut stream), b"", "{why}");
        }
        log.next(why);
        assert_eq!(connected.recv_timeout(LIMIT), Ok(false), "{why}");
    }
    assert_eq!(asker.a.logged(&format!("nodeup node={b}")), 0, "{}", asker.a.log());
}

/// A node reports a peer that sends nothing, stops sending, or announces a connection of its own
/// and does not make it.
#[test]
fn slow_responders() {
    let place = Place::new();
    let asker = Asker::new(place, millis(300));
    let mut log = Logged(&asker.a, Vec::new());
    let hello = hello_r(1, SPAWN, 0, &place.name("b"));
    for (answers, why) in [
        (0, "not connected: the setup time is over"),
        (1, "not connected: the setup time is over"),
        (2, "not connected: the peer announced its own connection, but did not make it"),
    ] {
        let (mut stream, hello_i, connected) = asker.asks(place);
        let refusal = refusal(COOKIE, &hello_i, &hello, 2);
        for answer in [&hello, &refusal].into_iter().take(answers) {
            stream.write_all(&framed(answer)).unwrap();
        }
        until_closed(&mut stream);
        log.next(why);
        assert_eq!(connected.recv_timeout(LIMIT), Ok(false), "{why}");
    }
}

/// Returns a frame with a payload of these bytes, which names these nodes.
fn with_payload(head: &[u8], payload: &[u8], nodes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [head, &[nodes.len() as u8], nodes, &length, payload].concat()
}

/// A frame of a member that no node sends closes its connection, with the reason in the log.
#[test]
fn members() {
    let place = Place::new();
    let here = place.node("here");
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (
            65_539_u32.to_be_bytes().to_vec(),
            "a frame has a length of 65539, and the limit is 65538",
        ),
        (frame(b"\0"), "the kind of a frame can't be 0x00"),
        (frame(b"\x1a\0\0"), "the kind of a frame can't be 0x1a"),
        (frame(b"\x51\0\0\0"), "the kind of a frame can't be 0x51"),
        (frame(b"\xd0\0\0\0"), "the kind of a frame can't be 0xd0"),
        (frame(b"\x11\x01"), "the bytes end before the end of the generation of a process"),
        (frame(b"\x11\x01\0\x01\0\0"), "too many bytes after a signal: 1"),
        (frame(b"\x11\x80\0\x01\0\0"), "the slot of a process is not a valid number"),
        (frame(b"\x11\x80\x80\x80\x80\x10\0\x01\0"), "the slot of a process is not a valid number"),
        (frame(b"\x02\0\x01\xff"), "a name is not UTF-8"),
        (frame(b"\x02\0\xfd\x07"), "a name has a length of 1021, and the limit is 1020"),
        (
            frame(b"\x01\x02\0\0\0\x01\xfd\x07"),
            "the name of a node has a length of 1021, and the limit is 1020",
        ),
        (frame(b"\x01\x02\0\0\0\x01\x03abc"), "`abc` is not a node name"),
        (
            frame(b"\x03\0\0\0\0\0\0\0\0\0\x81\x08"),
            "the tag of a message type has a length of 1025, and the limit is 1024",
        ),
        (frame(b"\x01\x01\0\0\0\x01\x03c@h"), "it defined a node with the number 1"),
        (frame(b"\x01\x03\0\0\0\x01\x03c@h"), "it defined a node with the number 3"),
        (frame(b"\x02\x01\x01x"), "it defined a name with the number 1"),
        (
            frame(b"\x03\x80\x10\0\0\0\0\0\0\0\0\x01t"),
            "it defined a message type with the number 2048",
        ),
        (frame(b"\x91\0\0\0"), "it used number 0 for a name without defining it"),
        (frame(b"\x10\0\0\0\0\0\0\0\0"), "it used number 0 for a message type without defining it"),
        (
            frame(&with_payload(b"\x14\0\0\0\0\0", b"\0", &[2])),
            "it used number 2 for a node without defining it",
        ),
        (frame(b"\x14\0\0\0\0\0\0\xff\xff\xff\xff"), "the bytes end before the end of a payload"),
        (
            frame(b"\x14\0\0\0\0\0\x81\x20"),
            "the nodes of a payload has a length of 4097, and the limit is 4096",
        ),
        (frame(b"\x06\x03"), "what did not decode can't be 0x03"),
        (
            frame(b"\x06\0\0\0\0\x81\x08"),
            "why it did not decode has a length of 1025, and the limit is 1024",
        ),
        (frame(b"\x14\0\0\0\0\x02"), "whether an exit comes by a link can't be 0x02"),
        (frame(b"\x17\0\0\x02"), "whether a process went down can't be 0x02"),
        (frame(b"\x18\0\0\0\0\x05"), "the answer to a request to spawn can't be 0x05"),
        (frame(b"\x20\x10"), "the flags of a request to spawn can't be 0x10"),
        (frame(b"\x50\0\0\x02"), "whether it goes ahead of ordinary messages can't be 0x02"),
        (
            frame(&with_payload(b"\x54\0\0\0\0\0\x01", b"\0", &[])),
            "whether an exit by an alias comes by a link can't be 0x01",
        ),
    ];
    // The chunk has fewer cases than lines that the log writes at once.
    for (n, cases) in cases.chunks(30).enumerate() {
        let alive = format!("there{n}");
        let there = place.os(&alive).start();
        let addr = place.addr_of(&alive);
        let name = there.name.clone();
        let witness = here.block_on(async move { spawn_on(name, answerer()).await });
        let mut log = Logged(&there, Vec::new());
        for (said, why) in cases {
            let mut peer = Peer::connected(addr, &place.name("peer"), &there.name);
            peer.write(said);
            peer.until_closed();
            log.next(why);
            there.await_log(&format!("nodedown node={}", place.name("peer")), log.1.len());
        }
        assert_eq!(there.logged("the connection is closed"), cases.len());
        // The connections of others were not affected, and the peer can connect again.
        here.block_on(async move { assert_answers(witness, 1).await });
        assert_eq!(there.logged(&format!("nodeup node={}", here.name())), 1);
        assert_continues(&mut Peer::connected(addr, &place.name("peer"), &there.name), 1);
    }
}

/// The peer's process 1.0 monitors a missing one, and is notified.
fn assert_continues(peer: &mut Peer, reference: u8) {
    peer.write(&frame(&[0x15, 0x7f, 0x7f, 1, 0, reference, 0]));
    loop {
        if peer.frame().starts_with(&[0x17, 1, 0, 0, reference, 0]) {
            return;
        }
    }
}

/// A frame of a member about something that does not exist, or no longer exists, does not close its
/// connection.
#[test]
fn frames_that_do_not_close_the_connection() {
    let place = Place::new();
    let there = place.os("there").start();
    let mut peer =
        Peer::connected(place.addr_of("there"), &place.name("peer"), &place.name("there"));
    peer.write(&frame(&[&b"\x02\0"[..], &text("nobody")].concat()));
    peer.write(&frame(&[&b"\x02\0"[..], &text("nobody else")].concat()));
    peer.write(&frame(&[&b"\x03\0\0\0\0\0\0\0\0\0"[..], &text("no::Type")].concat()));
    let normal = |head: &[u8]| with_payload(head, b"\0", &[]);
    let cases: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        with_payload(b"\x10\x7f\x7f\0\0", b"x", &[0, 1]),
        with_payload(b"\x90\0\x02\0\0", b"x", &[]),
        with_payload(b"\x50\x7f\x7f\0\0\0", b"x", &[]),
        with_payload(b"\x50\0\0\x01\0\0", b"x", &[]),
        b"\x11\x7f\x7f\x01\0".to_vec(),
        b"\x91\0\x01\0".to_vec(),
        b"\x12\x7f\x7f\x01\0\x07".to_vec(),
        b"\x13\0\0\x01\0\x07".to_vec(),
        normal(b"\x14\x7f\x7f\x01\0\0"),
        normal(b"\x14\0\0\x01\0\x01"),
        normal(b"\x54\0\0\0\x01\0\0"),
        b"\x16\0\0\x01\0\x09\0".to_vec(),
        normal(b"\x17\0\0\0\x09\0"),
        b"\x18\0\0\x09\0\x02".to_vec(),
        b"\x19\x7f\x7f\0\x01\0".to_vec(),
        // Unexpected reports of values that could not be decoded.
        b"\x06\0\x01\0\x01\0\x01t\x03why\0".to_vec(),
        [&b"\x06\x02\xff\xff\xff\xff\x0f\x09\0\0\x02\x1b\n"[..], &[0xff; 9], &[1]].concat(),
        // The function does not exist.
        with_payload(b"\x20\x03\x05\0\x01\0\0\x01\0\0\0", b"", &[]),
    ];
    for (n, said) in cases.iter().enumerate() {
        peer.write(&frame(said));
        assert_continues(&mut peer, 1 + n as u8);
    }
    // The reports are logged without raw control characters.
    assert_eq!(there.logged("ERROR"), 2, "{}", there.log());
    assert_eq!(there.logged("the peer could not decode"), 2, "{}", there.log());
    assert!(there.log().contains("error=\\u{1b}\\n"), "{}", there.log());
    assert_eq!(there.logged("nodedown"), 0, "{}", there.log());
}
