//! Cases of `distribution_SUITE` about malformed frames and handshakes.

use super::super::*;
use fika::net::monitor_nodes;

/// The name of a case, and the bytes that the test sends after a handshake.
type Bad = (&'static str, Vec<u8>);

/// A node logs this many errors of peers in full. After that, it logs only their number.
const LOGGED_IN_FULL: usize = 32;

/// Checks that each of the frames closes its own connection, with a log entry, and has no
/// effect on others.
fn bad_frames(cases: Vec<Bad>) {
    cases.chunks(LOGGED_IN_FULL).for_each(bad_frames_of_one);
}

fn bad_frames_of_one(cases: &[Bad]) {
    let place = Place::new();
    let there = place.os("there").start();
    let here = place.node("here");
    let addr = place.addr_of("there");
    let (pid, gone) = (mpsc::channel(), mpsc::channel());
    here.spawn(async move {
        monitor_nodes(true);
        let there =
            spawn_on(place.name("there"), named_answerer("victim".into(), self_pid())).await;
        assert_eq!(next!(Answer).from, there);
        link(there);
        pid.0.send(there).unwrap();
        receive! { _: () => {} }
        assert_answers(there, 1).await;
        none!(NodeDown);
        gone.0.send(()).unwrap();
    })
    .map(|watcher| here.register("watcher", watcher).unwrap())
    .unwrap();
    let victim = pid.1.recv_timeout(LIMIT).unwrap();
    let count = cases.len();
    for (n, (what, bytes)) in cases.iter().enumerate() {
        let mut peer =
            Peer::connected(addr, &place.name(&format!("peer{n}")), &place.name("there"));
        // Everything that came earlier in the connection has its effect.
        peer.write(&ask_by_hand(what));
        peer.write_to_the_end(bytes);
        peer.until_closed();
        there.await_log("the connection is closed", n + 1);
        here.block_on(async move { assert_answers(victim, n as u64).await });
    }
    here.send("watcher", ()).unwrap();
    gone.1.recv_timeout(LIMIT).expect("the old connection has seen nothing of it");
    assert_eq!(there.logged("the connection is closed"), count, "{}", there.log());
    assert_eq!(there.logged("panic"), 0, "{}", there.log());
}

/// A well-formed message of a type that no process receives, to a name that no process has.
fn ask_by_hand(tag: &str) -> Vec<u8> {
    let define_name = [&[2, 0][..], &text("nobody")].concat();
    let define_type = [&[3, 0][..], &[0; 8], &text(&format!("otp::{tag}"))].concat();
    let message = [0x90, 0, 0, 0, 0, 0, 0, 0, 0];
    [frame(&define_name), frame(&define_type), frame(&message)].concat()
}

/// DIST-19: a malformed control message closes its connection and does no other harm.
#[test]
fn bad_dist_structure() {
    let cases: Vec<Bad> = vec![
        ("a kind that there is not", frame(&[0x00])),
        ("another one", frame(&[0x19, 0, 0, 0])),
        ("a spawn by name", frame(&[0xa0, 0, 0])),
        ("a highest bit on a definition", frame(&[0x81, 2])),
        ("a link without a target", frame(&[0x11])),
        ("a link without its end", frame(&[0x11, 0, 0])),
        ("a link with half an end", frame(&[0x11, 0, 0, 0])),
        ("a link with more", frame(&[0x11, 0, 0, 0, 0, 0])),
        ("a link to a name that is not defined", frame(&[0x91, 9, 0, 0])),
        ("an unlink without a number", frame(&[0x12, 0, 0, 0, 0])),
        ("an unlink with more", frame(&[0x12, 0, 0, 0, 0, 1, 1])),
        ("an acknowledgement without a number", frame(&[0x13, 0, 0, 0, 0])),
        ("a number that is too long", frame(&[0x11, 0x80, 0x80, 0x80, 0x80, 0x80, 1, 0, 0, 0])),
        ("a number in a longer form", frame(&[0x11, 0x80, 0x00, 0, 0, 0])),
        ("an exit without a reason", frame(&[0x14, 0, 0, 0, 0, 1])),
        ("an exit that is neither", frame(&[0x14, 0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0])),
        ("a monitor without a serial", frame(&[0x15, 0, 0, 0, 0])),
        ("a monitor with half a reference", frame(&[0x15, 0, 0, 0, 0, 1])),
        ("a monitor with more", frame(&[0x15, 0, 0, 0, 0, 1, 1, 1])),
        ("a demonitor without a serial", frame(&[0x16, 0, 0, 0, 0])),
        ("a down that is neither", frame(&[0x17, 0, 0, 2, 0, 0, 0, 0, 0, 0, 1, 0])),
        ("a down without a reason", frame(&[0x17, 0, 0, 0, 1, 0])),
        ("a spawn reply without a result", frame(&[0x18, 0, 0, 1, 0])),
        ("a spawn reply with no such result", frame(&[0x18, 0, 0, 1, 0, 5])),
        ("a spawn reply without a process", frame(&[0x18, 0, 0, 1, 0, 0])),
        ("a link to an alias", frame(&[0x51, 0, 1, 0, 0, 0])),
        ("a monitor of an alias", frame(&[0x55, 0, 1, 0, 0, 0, 1, 0])),
        ("an alias that is a name, too", frame(&[0xd0, 0, 1, 0, 0, 0, 0, 0, 0, 0])),
        ("an alias with half a priority", frame(&[0x54, 0, 1, 2, 0, 0, 0, 0, 0, 0, 1, 0, 0])),
        ("a broken link to an alias", frame(&[0x54, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0])),
        ("a message of a type that is not defined", frame(&[0x10, 0, 0, 0, 9, 0, 0, 0, 0, 0])),
        ("a node that is defined too far", frame(&[1, 9, 0, 0, 0, 1, 3, b'a', b'@', b'b'])),
        ("a node that can't be defined", frame(&[1, 0, 0, 0, 0, 1, 3, b'a', b'@', b'b'])),
        ("a node without a name", frame(&[1, 2, 0, 0, 0, 1, 0])),
        ("a node with a bad name", frame(&[1, 2, 0, 0, 0, 1, 3, b'a', b'b', b'c'])),
        ("a name that is not UTF-8", frame(&[2, 1, 2, 0xff, 0xfe])),
        ("a name that is defined too far", frame(&[2, 200, 1, 1, b'a'])),
        ("a type without a tag", frame(&[3, 1, 0, 0, 0, 0, 0, 0, 0, 0])),
        ("a type that is defined too far", frame(&[3, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, b'a'])),
    ];
    bad_frames(cases);
}

/// DIST-19: exit reasons that can't be decoded arrive as another reason, and the connection stays.
/// Erlang differs, because there a reason is a part of the control message.
#[test]
fn bad_dist_ext_control() {
    let place = Place::new();
    let there = place.node("there");
    let (tx, rx) = mpsc::channel();
    let trapping = there.spawn(async move {
        trap_exit(true);
        register("trapping", self_pid()).unwrap();
        tx.send(None).unwrap();
        loop {
            tx.send(Some(next!(Exit).reason)).unwrap();
        }
    });
    trapping.expect("there is room");
    let next = || rx.recv_timeout(LIMIT).unwrap();
    assert_eq!(next(), None);
    let addr = place.addr_of("there");
    let mut peer = Peer::connected(addr, &place.name("peer"), &place.name("there"));
    peer.write(&frame(&[&[2, 0][..], &text("trapping")].concat()));
    let cases: [&[u8]; 8] = [
        // The reasons: of an unknown kind, empty, cut off, and with trailing bytes.
        &[99],
        &[],
        &[7 + 1],
        &[0, 0],
        // An invalid text and a text longer than the limit; a term without its parts; a panic
        // without its location.
        &[8, 2, 0xff, 0xff],
        &[8, 0x80, 0x80, 0x80, 0x80, 8],
        &[13, 1, b'x'],
        &[12, 1, b'x'],
    ];
    for bytes in cases {
        let length = (bytes.len() as u32).to_be_bytes();
        peer.write(&frame(&[&[0x94, 0, 5, 0, 0, 0][..], &length, bytes].concat()));
        assert!(matches!(next(), Some(ExitReason::Badarg(_))), "{bytes:x?}");
    }
    peer.write(&frame(&[0x94, 0, 5, 0, 0, 0, 0, 0, 0, 1, 1]));
    assert_eq!(next(), Some(ExitReason::Shutdown), "the connection goes on");
    assert_eq!(there.undecodable_count(), cases.len() as u64);
}

/// DIST-19: a frame with a false size closes its connection and does no other harm.
#[test]
fn bad_dist_ext_size() {
    let message = |rest: &[u8]| [&[0x90, 0, 0, 0][..], rest].concat();
    bad_frames(vec![
        ("a frame above the limit", vec![0x01, 0x00, 0x00, 0x01, 0x10]),
        ("the largest frame", vec![0xff, 0xff, 0xff, 0xff]),
        ("a payload longer than the frame", frame(&message(&[0, 0, 0, 0, 9, 1, 2, 3]))),
        ("the longest payload", frame(&message(&[0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3]))),
        ("a payload shorter than the frame", frame(&message(&[0, 0, 0, 0, 1, 1, 2, 3]))),
        ("more nodes than bytes", frame(&message(&[100, 0, 1]))),
        ("more nodes than allowed", frame(&message(&varint(5000)))),
        ("a node that is not defined", frame(&message(&[1, 99, 0, 0, 0, 0]))),
        ("a text longer than the frame", frame(&[2, 1, 100, b'a'])),
        ("the longest text", frame(&[&[2, 1][..], &varint(u64::MAX)].concat())),
        ("a text above the limit", frame(&[&[2, 1][..], &text(&"x".repeat(1021))].concat())),
    ]);
}

/// DIST-19, SPAWN-4: a malformed request to spawn closes its connection. Arguments that do not
/// decode are answered with an error.
#[test]
fn bad_dist_ext_spawn_request_arg_list() {
    // The function's name and its arguments' type both get the number 1.
    let function = frame(&[&[2, 1][..], &text("test::answerer")].concat());
    let arguments = frame(&[&[3, 1][..], &[0; 8], &text("no arguments")].concat());
    let spawn = |rest: &[u8]| [&function[..], &arguments, &frame(rest)].concat();
    bad_frames(vec![
        ("flags that there are not", spawn(&[0x20, 16, 1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0])),
        ("a group leader of no node", spawn(&[0x20, 0, 1, 0, 0, 0, 9, 0, 0, 1, 1, 0, 0, 0, 0, 0])),
        ("no function", spawn(&[0x20, 0, 1, 0, 0, 0, 0, 0, 0])),
        (
            "a function that is not defined",
            spawn(&[0x20, 0, 1, 0, 0, 0, 0, 0, 0, 9, 1, 0, 0, 0, 0, 0]),
        ),
        ("arguments of no type", spawn(&[0x20, 0, 1, 0, 0, 0, 0, 0, 0, 1, 9, 0, 0, 0, 0, 0])),
        (
            "arguments that are cut off",
            spawn(&[0x20, 0, 1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 5, 1]),
        ),
        ("more than the arguments", spawn(&[0x20, 0, 1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 7])),
    ]);
    // A request with arguments of another shape is answered, and the connection stays.
    let place = Place::new();
    let _there = place.node("there");
    let addr = place.addr_of("there");
    let mut peer = Peer::connected(addr, &place.name("peer"), &place.name("there"));
    peer.write(&ask_by_hand("first"));
    peer.write(&spawn(&[0x20, 0, 1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]));
    // The node's frames for a new connection may come before the answer, which is `notsup`.
    loop {
        let body = peer.frame();
        if body[0] == 0x18 {
            assert_eq!(body, [0x18, 0, 0, 1, 0, 2]);
            break;
        }
    }
}

/// HS-14: a bad first frame closes its connection and nothing else.
#[test]
fn bad_handshakes() {
    let place = Place::new();
    let there = place.node("there");
    let addr = place.addr_of("there");
    let good = || Hello::new(&place.name("peer"), &place.name("there"));
    let cut = |n: usize| framed(&good().body()[..n]);
    let with = |change: &dyn Fn(&mut Hello)| {
        let mut hello = good();
        change(&mut hello);
        framed(&hello.body())
    };
    let cases: Vec<Bad> = vec![
        ("no length", vec![0, 0]),
        ("a length above the limit", vec![4, 1]),
        ("another magic", with(&|hello| hello.magic = b"\xf1FIKA\r\n\0".to_vec())),
        ("nothing but the magic", cut(8)),
        ("half of it", cut(40)),
        ("all but the last byte", cut(good().body().len() - 1)),
        ("a byte too many", framed(&[good().body(), vec![0]].concat())),
        ("versions in the wrong order", with(&|hello| hello.versions = (2, 1))),
        ("an invalid name", with(&|hello| hello.name = "peer".into())),
        ("a name that is too long", with(&|hello| hello.name = format!("{}@b.c", "x".repeat(500)))),
        ("our own name", with(&|hello| hello.name = place.name("there"))),
    ];
    for (what, bytes) in cases {
        let mut peer = Peer::open(addr);
        peer.write(&bytes);
        let answer = peer.until_closed();
        assert!(answer.is_empty() || is_refusal(&answer), "{what}: {answer:?}");
    }
    assert!(there.nodes().is_empty());
    Peer::connected(addr, &place.name("peer"), &place.name("there"));
}
