//! `erl_distribution_wb_SUITE`: the handshake, byte by byte.

use crate::support::Place;
use crate::support::peer::{Hello, Peer, frame, framed, text};

/// HS-1, HS-6: bytes that arrive in one piece with the end of the handshake are not lost. Frames
/// that the node sends right after the handshake arrive.
#[test]
fn switch_options() {
    let place = Place::new();
    let _there = place.node("there");
    let addr = place.addr_of("there");
    // A request to spawn an unknown function follows the proof directly. The node answers at once,
    // without a further byte from the peer.
    let definitions = [
        frame(&[&[2, 0][..], &text("test::no_such_function")].concat()),
        frame(&[&[3, 0][..], &[0; 8], &text("nothing")].concat()),
    ];
    let request = frame(&[0x20, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let said = [definitions.concat(), request].concat();
    for n in 0..20 {
        let name = place.name(&format!("peer{n}"));
        let mut peer = Peer::connected_and_said(addr, &name, &place.name("there"), &said);
        // Before the answer, the node sends the names of the other nodes that it knows.
        while peer.frame() != [0x18, 0, 0, 1, 0, 2] {}
    }
}

/// HS-10: a peer that lacks a mandatory flag is refused, and the log names the flag.
#[test]
fn missing_compulsory_dflags() {
    let place = Place::new();
    let there = place.os("there").start();
    let addr = place.addr_of("there");
    for flags in [0, 1, 1 << 63] {
        let mut peer = Peer::open(addr);
        let mut hello = Hello::new(&place.name("peer"), &place.name("there"));
        hello.flags = flags;
        peer.write(&framed(&hello.body()));
        let answer = peer.handshake_frame();
        // The status follows the version, the flags, the creation and the nonce.
        assert_eq!((answer[0], answer[1 + 2 + 8 + 4 + 32]), (0xf2, 3), "not allowed");
        assert_eq!(peer.until_closed(), b"");
    }
    there.await_log("a connection was refused", 3);
    assert_eq!(there.logged("spawn"), 3, "the log names what is missing: {}", there.log());
    // Unknown flags do no harm.
    Peer::connected(addr, &place.name("peer"), &place.name("there"));
}
