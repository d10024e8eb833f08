//! The limits between connected nodes, each at the limit and one above it. A value above the limit
//! is refused at its sender. If a peer sends one anyway, the value is dropped or the peer is
//! disconnected. Other tests cover a mailbox with a limit, to which other nodes send.

use crate::support;

use std::borrow::Cow;

use fika::message::{
    Buffer, Bytes, DecodeError, EncodeError, MailboxLimit, Reference, WhenFull, alias,
    mailbox_limit, send_wait, try_send,
};
use fika::net::{StartError, monitor_nodes};
use fika::node::NodeError;
use fika::prelude::*;
use fika::process::{SpawnError, spawn_monitor_on, try_spawn_on};
use serde::{Deserialize, Serialize};
use support::peer::{Peer, frame, text, varint};
use support::process::OsNode;
use support::{Place, TestNode, answerer, assert_answers, down, named_answerer};

#[derive(Message, Serialize, Deserialize)]
struct Text(String);

/// Reports the length of each text.
#[remote]
async fn measures(to: Pid) {
    loop {
        let Text(text) = next!(Text);
        send(to, text.len() as u64);
    }
}

/// Sends texts from one node to another with a limit of `max` bytes. A text that fits arrives. A
/// text that does not fit ends its sender, and the connection continues.
fn try_around(place: Place, max: Option<usize>, fits: u64, too_long: u64) {
    let node = |alive: &str| {
        let builder = place.builder(alive);
        TestNode::of(match max {
            Some(max) => builder.message_bytes_max(max),
            None => builder,
        })
    };
    let (here, _there) = (node("here"), node("there"));
    here.block_on(async move {
        let text = |length: u64| Text("x".repeat(length as usize));
        monitor_nodes(true);
        let pid = spawn_on(place.name("there"), measures(self_pid())).await;
        send(pid, text(fits));
        assert_eq!(next!(u64), fits);
        let (_, monitor) = spawn_monitor(async move { send(pid, text(too_long)) });
        let ExitReason::Badarg(why) = down(monitor).await else { panic!("it was sent") };
        assert!(why.contains("above the limit"), "{why}");
        send(pid, text(1));
        assert_eq!(next!(u64), 1);
        assert_eq!(next!(NodeUp).node.as_str(), place.name("there"));
        none!(NodeDown);
    });
}

#[test]
fn the_largest_message_has_16_mib() {
    try_around(Place::new(), None, (16 << 20) - 100, 16 << 20);
}

#[test]
fn the_message_limit_can_be_lowered() {
    try_around(Place::new(), Some(4 << 10), 4000, 4 << 10);
}

#[test]
fn the_message_limit_can_be_raised() {
    try_around(Place::new(), Some(17 << 20), (17 << 20) - 100, 17 << 20);
}

#[test]
fn settings_out_of_range_are_refused() {
    for bytes in [0, (4 << 10) - 1, (1 << 31) + 1] {
        let error = Place::new().builder("here").message_bytes_max(bytes).build().unwrap_err();
        assert!(matches!(error, NodeError::Start(StartError::Setting(_))), "{error:?}");
    }
}

/// Limits its mailbox to three messages. Then, two times, waits for an exit message and reports the
/// numbers in the mailbox.
#[remote]
async fn holds_three(to: Pid, when_full: String) {
    trap_exit(true);
    let when_full = match &*when_full {
        "kill" => WhenFull::Kill,
        "drop" => WhenFull::DropNewest,
        _ => WhenFull::Wait,
    };
    mailbox_limit(MailboxLimit::messages(3).when_full(when_full).log(false));
    register("three", self_pid()).unwrap();
    for _ in 0..2 {
        send(to, alias());
        next!(Exit);
        let mut numbers = Vec::new();
        loop {
            receive! { n: u64 => numbers.push(n), after Duration::ZERO => break }
        }
        send(to, numbers);
    }
}

/// FLAG-3: the receiver's limit decides about messages from other nodes. The sender is not
/// notified, and does not wait. Links and monitors are not affected.
#[test]
fn a_full_mailbox_drops_messages_from_other_nodes() {
    let place = Place::new();
    let (here, _there) = (place.node("here"), place.node("there"));
    here.block_on(async move {
        let there = place.name("there");
        for when_full in ["drop", "wait", "kill"] {
            let function = holds_three(self_pid(), when_full.to_owned());
            let (pid, monitor) = spawn_monitor_on(&there, function).await;
            let alias = next!(Reference);
            for n in 0..9_u64 {
                match n % 3 {
                    0 => send(pid, n),
                    1 => try_send(("three", &*there), n).unwrap(),
                    _ => send_wait(alias, n).await.unwrap(),
                }
            }
            if when_full == "kill" {
                assert_eq!(down(monitor).await, ExitReason::Killed);
                continue;
            }
            exit_process(pid, ExitReason::Shutdown);
            assert_eq!(next!(Vec<u64>), [0, 1, 2], "{when_full}");
            next!(Reference);
            (3..6_u64).for_each(|n| send(pid, n));
            exit_process(pid, ExitReason::Shutdown);
            assert_eq!(next!(Vec<u64>), [3, 4, 5], "the room is free again");
            assert_eq!(down(monitor).await, ExitReason::Normal);
        }
    });
}

/// Runs a test in a process of one of two nodes, and checks that the nodes stay connected.
fn connected<F: Future<Output = ()> + Send + 'static>(
    attempt: impl FnOnce(String, Pid) -> F + Send + 'static,
) {
    let place = Place::new();
    let (here, _there) = (place.node("here"), place.node("there"));
    here.block_on(async move {
        let name = place.name("there");
        monitor_nodes(true);
        let witness = spawn_on(&name, answerer()).await;
        attempt(name.clone(), witness).await;
        assert_answers(witness, 1).await;
        assert_eq!(next!(NodeUp).node.as_str(), name);
        none!(NodeDown);
    });
}

/// Checks that `send` ends its process, since it exceeds a limit.
async fn is_refused(send: impl FnOnce() + Send + 'static, limit: &str) {
    let (_, monitor) = spawn_monitor(async move { send() });
    let ExitReason::Badarg(why) = down(monitor).await else { panic!("it was sent") };
    assert!(why.contains(limit), "{why}");
}

/// Names of processes have at most 1020 bytes.
#[test]
fn the_longest_name() {
    connected(|there, _| async move {
        let longest = "x".repeat(1020);
        spawn_on(&there, named_answerer(longest.clone(), self_pid())).await;
        let pid = next!(support::Answer).from;
        send((&*longest, &*there), support::Ask { from: self_pid(), n: 1 });
        assert_eq!(next!(support::Answer), support::Answer { from: pid, n: 1 });
        let monitor = fika::process::monitor((&*longest, &*there));
        let too_long = format!("{longest}x");
        let send_it = move || send((&*too_long, &*there), ());
        is_refused(send_it, "a name of 1021 bytes is above the limit of 1020").await;
        exit_process(pid, ExitReason::Kill);
        assert_eq!(down(monitor).await, ExitReason::Killed);
    });
}

/// A message with a tag of this length.
struct WithTag<const BYTES: usize>;

impl<const BYTES: usize> Message for WithTag<BYTES> {
    fn tag() -> Cow<'static, str> {
        "t".repeat(BYTES).into()
    }

    fn fingerprint() -> u64 {
        7
    }

    fn encode(&self, _: &mut Buffer) -> Result<(), EncodeError> {
        Ok(())
    }

    fn decode(_: &Bytes) -> Result<WithTag<BYTES>, DecodeError> {
        Ok(WithTag)
    }
}

#[remote]
async fn receives_longest_tag(to: Pid) {
    next!(WithTag<1024>);
    send(to, ());
}

/// Tags of types have at most 1024 bytes.
#[test]
fn the_longest_tag() {
    connected(|there, witness| async move {
        let pid = spawn_on(&there, receives_longest_tag(self_pid())).await;
        send(pid, WithTag::<1024>);
        next!(());
        let limit = "the tag of a message type of 1025 bytes is above the limit of 1024";
        is_refused(move || send(witness, WithTag::<1025>), limit).await;
    });
}

/// A value nested in another.
#[derive(Message, Serialize, Deserialize, Debug, PartialEq)]
#[message(tag = "test::Nested")]
enum Nested {
    Last,
    Next(Box<Nested>),
}

impl Nested {
    fn new(depth: usize) -> Nested {
        (1..depth).fold(Nested::Last, |inner, _| Nested::Next(Box::new(inner)))
    }

    fn depth(&self) -> u64 {
        match self {
            Nested::Last => 1,
            Nested::Next(inner) => 1 + inner.depth(),
        }
    }
}

/// Receives nested values and lists, and reports their sizes.
#[remote]
async fn takes_values(to: Pid) {
    register("values", self_pid()).unwrap();
    send(to, ());
    loop {
        receive! {
            nested: Nested => send(to, nested.depth()),
            numbers: Vec<u16> => send(to, numbers.len() as u64),
            nothing: Vec<()> => send(to, nothing.len() as u64),
        }
    }
}

/// At most 64 enums are nested, and no list has items without bytes.
#[test]
fn values_that_can_be_sent() {
    connected(|there, witness| async move {
        let pid = spawn_on(&there, takes_values(self_pid())).await;
        next!(());
        send(pid, Nested::new(64));
        assert_eq!(next!(u64), 64);
        is_refused(move || send(witness, Nested::new(65)), "more than 64 options, enums").await;
        send(pid, vec![7_u16; 100_000]);
        assert_eq!(next!(u64), 100_000);
        for count in [1, 100] {
            let send_them = move || send(witness, vec![(); count]);
            is_refused(send_them, "items without bytes").await;
        }
    });
}

/// A hand-written peer that is connected to a node in another program.
struct Stranger {
    place: Place,
    there: OsNode,
    peer: Peer,
}

/// Returns a peer's frames for the message: the definition of its type as number 0, and the message
/// itself to the name with number 0.
fn message<M: Message>(bytes: &[u8], nodes: &[u8]) -> Vec<u8> {
    let defined = [&b"\x03\0"[..], &M::fingerprint().to_be_bytes(), &text(&M::tag())].concat();
    let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
    [frame(&defined), frame(&[b"\x90\0\0\0", nodes, &length, bytes].concat())].concat()
}

impl Stranger {
    fn new() -> Stranger {
        let place = Place::new();
        let there = place.os("there").start();
        let peer = Stranger::peer(place);
        Stranger { place, there, peer }
    }

    fn peer(place: Place) -> Peer {
        Peer::connected(place.addr_of("there"), &place.name("peer"), &place.name("there"))
    }

    /// Sends frames, and checks that the connection continues.
    fn assert_accepted(&mut self, said: &[u8]) {
        self.peer.write(said);
        // A monitor of a missing process is answered.
        self.peer.write(&frame(b"\x15\x7f\x7f\x01\0\x09\0"));
        while !self.peer.frame().starts_with(b"\x17\x01\0\0\x09\0") {}
    }

    /// Sends frames, and checks that the connection is closed for this reason. Then connects again.
    #[track_caller]
    fn assert_refused(&mut self, said: &[u8], why: &str) {
        let before = self.there.logged(why);
        self.peer.write_to_the_end(said);
        self.peer.until_closed();
        self.there.await_log(why, before + 1);
        self.peer = Stranger::peer(self.place);
    }
}

/// A value above a limit that comes from a peer is lost. Its receiver and the connection continue.
#[test]
fn values_that_must_not_be_sent() {
    let mut stranger = Stranger::new();
    let here = stranger.place.node("here");
    let there = stranger.there.name.clone();
    let (tx, rx) = std::sync::mpsc::channel();
    here.spawn(async move {
        spawn_on(&there, takes_values(self_pid())).await;
        next!(());
        tx.send(0).unwrap();
        loop {
            tx.send(next!(u64)).unwrap();
        }
    });
    let next = || rx.recv_timeout(support::LIMIT).expect("it is taken");
    next();
    let name = frame(&[&b"\x02\0"[..], &text("values")].concat());
    let list = |count: u64, bytes: usize| [varint(count), vec![1; bytes]].concat();
    let nested = |depth: usize| [vec![1; depth - 1], vec![0]].concat();
    let said = |message: Vec<u8>| [name.clone(), message].concat();
    stranger.assert_accepted(&said(message::<Nested>(&nested(64), b"\0")));
    assert_eq!(next(), 64);
    stranger.assert_accepted(&said(message::<Vec<u16>>(&list(9, 9), b"\0")));
    assert_eq!(next(), 9);
    stranger.assert_accepted(&said(message::<Vec<()>>(&list(0, 0), b"\0")));
    assert_eq!(next(), 0);
    let mut lost = 0;
    for (said, why) in [
        (message::<Nested>(&nested(65), b"\0"), "more than 64 options, enums"),
        (message::<Nested>(&nested(60_000), b"\0"), "more than 64 options, enums"),
        (message::<Vec<u16>>(&list(10, 9), b"\0"), "more items than bytes"),
        (message::<Vec<u16>>(&list(u64::MAX, 9), b"\0"), "more items than bytes"),
        (message::<Vec<u16>>(&list(8, 9), b"\0"), "too many bytes: 1"),
        (message::<Vec<()>>(&list(1, 1), b"\0"), "items without bytes"),
    ] {
        stranger.assert_accepted(&[name.clone(), said].concat());
        lost += 1;
        stranger.there.await_log("a message from another node was dropped", lost);
        assert!(stranger.there.log().contains(why), "{}", stranger.there.log());
    }
    stranger.assert_accepted(&[name.clone(), message::<Nested>(&nested(2), b"\0")].concat());
    assert_eq!(next(), 2);
}

/// Returns the definition of a node's life: `of@many` with this creation.
fn define_node(number: u64, creation: u32) -> Vec<u8> {
    let number = varint(number);
    frame(&[&b"\x01"[..], &number, &creation.to_be_bytes(), &text("of@many")].concat())
}

/// A peer has 8192 numbers for nodes, 2048 for names, and 2048 for types. A higher number is
/// refused.
#[test]
fn numbers_of_a_peer() {
    let mut stranger = Stranger::new();
    let name = |number| frame(&[&b"\x02"[..], &varint(number), &text("n")].concat());
    let kind = |number| frame(&[&b"\x03"[..], &varint(number), &[0; 8], &text("t")].concat());
    let node = |number| define_node(number, 1);
    type Define<'a> = (&'a dyn Fn(u64) -> Vec<u8>, std::ops::Range<u64>, &'a str);
    let tables: [Define<'_>; 3] = [
        (&node, 2..8192, "it defined a node with the number 8192"),
        (&name, 0..2048, "it defined a name with the number 2048"),
        (&kind, 0..2048, "it defined a message type with the number 2048"),
    ];
    for (define, numbers, why) in tables {
        let all: Vec<u8> = numbers.clone().flat_map(define).collect();
        stranger.assert_accepted(&all);
        // The numbers can be defined again.
        stranger.assert_accepted(&all);
        stranger.assert_refused(&define(numbers.end), why);
    }
}

/// A peer address may mention new lives of nodes until they need 16 MiB, at 256 bytes plus the name
/// each. Known lives cost nothing, and a reconnect gives nothing back.
#[test]
fn new_nodes_mentioned_by_a_peer_are_limited() {
    let mut stranger = Stranger::new();
    let all = |from: u32, to: u32| -> Vec<u8> {
        (from..to).flat_map(|life| define_node(u64::from(2 + life % 8190), life)).collect()
    };
    let lives = (16 << 20) / (256 + "of@many".len()) as u32;
    stranger.assert_accepted(&all(0, lives));
    stranger.assert_accepted(&define_node(2, 1));
    // The allowance grows again over time, but not by this much while the test runs.
    let more = all(lives, lives + 500);
    let why = "it has named too many nodes that this node did not know";
    stranger.assert_refused(&more, why);
    stranger.assert_accepted(&all(0, lives));
    stranger.assert_refused(&more, why);
}

/// Receives pids from a peer, and forwards them. Then tries to send them with a pid of one more
/// node, and reports how that ends.
#[remote]
async fn sends_on(starter: Pid) {
    register("values", self_pid()).unwrap();
    send(starter, ());
    let pids = next!(Vec<Pid>);
    let there = next!(Pid);
    send(there, pids.clone());
    let (_, monitor) = spawn_monitor(async move { send(there, (self_pid(), pids)) });
    send(starter, down(monitor).await);
}

/// A message names at most 4096 nodes, wherever they are in it.
#[test]
fn nodes_in_one_message() {
    let mut stranger = Stranger::new();
    let here = stranger.place.node("here");
    let there = stranger.there.name.clone();
    let (tx, rx) = std::sync::mpsc::channel();
    here.spawn(async move {
        let pid = spawn_on(&there, sends_on(self_pid())).await;
        next!(());
        tx.send(0).unwrap();
        send(pid, self_pid());
        let pids = next!(Vec<Pid>);
        assert!(pids.iter().all(|pid| pid.node().name().as_str() == "of@many"));
        let ExitReason::Badarg(why) = next!(ExitReason) else { panic!("it was sent") };
        assert!(why.contains("4097 nodes is above the limit of 4096"), "{why}");
        tx.send(pids.len()).unwrap();
    });
    let next = || rx.recv_timeout(support::LIMIT).expect("it is sent on");
    next();
    let nodes: Vec<u8> = (2..2 + 4097).flat_map(|n| define_node(n, n as u32)).collect();
    let name = frame(&[&b"\x02\0"[..], &text("values")].concat());
    // Each pid is of a different node, and names it by its index in the message's list of nodes.
    let pids = |count: u64| {
        let pids = (0..count).flat_map(|n| [varint(n), vec![1, 1]].concat());
        let bytes: Vec<u8> = varint(count).into_iter().chain(pids).collect();
        let numbers: Vec<u8> =
            varint(count).into_iter().chain((0..count).flat_map(|n| varint(2 + n))).collect();
        message::<Vec<Pid>>(&bytes, &numbers)
    };
    let said = |count| [nodes.clone(), name.clone(), pids(count)].concat();
    stranger.assert_refused(&said(4097), "the nodes of a payload has a length of 4097");
    stranger.assert_accepted(&said(4096));
    assert_eq!(next(), 4096);
}

/// A frame from a peer is at most as large as the largest piece.
#[test]
fn the_largest_frame_of_a_peer() {
    let mut stranger = Stranger::new();
    let name = frame(&[&b"\x02\0"[..], &text("nobody")].concat());
    // Kind, name, sender, type, no nodes, and the payload's length.
    let bytes = 65_538 - 4 - 1 - 4;
    stranger.assert_accepted(&[name, message::<Vec<u16>>(&vec![1; bytes], b"\0")].concat());
    let why = "a frame has a length of 65539, and the limit is 65538";
    stranger.assert_refused(&65_539_u32.to_be_bytes(), why);
}

/// A message in pieces is at most as large as the largest message, and their total size is limited.
#[test]
fn the_largest_messages_in_pieces_of_a_peer() {
    const MAX: u32 = 16 << 20;
    let mut stranger = Stranger::new();
    let defined = [
        frame(&[&b"\x02\0"[..], &text("nobody")].concat()),
        frame(&[&b"\x03\0\0\0\0\0\0\0\0\0"[..], &text("t")].concat()),
    ];
    let head = |sequence: u8, total: u32| {
        frame(&[&[0x04, sequence, 0x90, 0, 0, 0, 0], &total.to_be_bytes()[..]].concat())
    };
    let piece =
        |sequence: u8, bytes: usize| frame(&[&[0x05, sequence], &vec![1; bytes][..]].concat());
    let said = |frames: Vec<Vec<u8>>| [defined.concat(), frames.concat()].concat();
    let pieces = (0..256).flat_map(|_| piece(63, 64 << 10)).collect();
    stranger.assert_accepted(&said(vec![head(63, MAX), pieces]));
    let small = (0..64).flat_map(|sequence| head(sequence, 1));
    stranger.assert_accepted(&said(vec![small.collect()]));
    let whole = |count: u8| (0..count).flat_map(|sequence| head(sequence, MAX)).collect();
    for (frames, why) in [
        (vec![head(0, MAX + 1)], "a message in pieces has a length of 16777217"),
        (vec![head(0, 0)], "a message in pieces has a length of 0"),
        (vec![head(64, 1)], "64 is not a valid sequence"),
        (vec![head(0, 2), head(0, 2)], "0 is not a valid sequence"),
        (vec![piece(0, 1)], "0 is not a valid sequence"),
        (vec![head(0, 1), piece(0, 2)], "a piece of a message has a length of 2"),
        (vec![whole(5)], "more than 67108864 bytes of unfinished messages"),
    ] {
        stranger.assert_refused(&said(frames), why);
    }
    stranger.assert_accepted(&said(vec![whole(4)]));
}

/// If a node has no room for another process, a spawn request from another node gets an error that
/// says so.
#[test]
fn a_full_node_refuses_remote_spawns() {
    const ROOM: usize = 40;
    let place = Place::new();
    let here = place.node("here");
    let _there = TestNode::of(place.builder("there").process_limit(ROOM));
    here.block_on(async move {
        let name = place.name("there");
        let mut pids = Vec::new();
        let error = loop {
            match try_spawn_on(&name, answerer()).await {
                Ok(pid) => pids.push(pid),
                Err(error) => break error,
            }
        };
        assert_eq!(error, SpawnError::SystemLimit);
        assert_eq!(pids.len(), ROOM, "the node's own processes take none of it");
        let (_, monitor) = spawn_monitor_on(&name, answerer()).await;
        assert_eq!(down(monitor).await, ExitReason::SystemLimit);
        for (n, pid) in pids.iter().enumerate() {
            assert_answers(*pid, n as u64).await;
        }
        let end = fika::process::monitor(pids[0]);
        exit_process(pids[0], ExitReason::Kill);
        assert_eq!(down(end).await, ExitReason::Killed);
        let pid = try_spawn_on(&name, answerer()).await.expect("there is room again");
        assert_answers(pid, 0).await;
    });
}

/// Ends with a reason of this many bytes.
#[remote]
async fn ends_with_large_reason() {
    let bytes = next!(u64);
    exit(ExitReason::term("x".repeat(bytes as usize)));
}

/// The end of a process is always reported, if necessary without its reason.
#[test]
fn a_reason_that_is_too_large() {
    let place = Place::new();
    let node = |alive| TestNode::of(place.builder(alive).message_bytes_max(4 << 10));
    let (here, _there) = (node("here"), node("there"));
    here.block_on(async move {
        trap_exit(true);
        monitor_nodes(true);
        // The reason includes a text for reports.
        let fits = ExitReason::term("x".repeat(1500));
        for (bytes, expected) in [(1500_u64, fits), (5000, ExitReason::SystemLimit)] {
            let pid = spawn_on(place.name("there"), ends_with_large_reason()).await;
            link(pid);
            let monitor = fika::process::monitor(pid);
            send(pid, bytes);
            assert_eq!(down(monitor).await, expected);
            assert_eq!(support::exit_of(pid).await, expected);
        }
        next!(NodeUp);
        none!(NodeDown);
    });
}
