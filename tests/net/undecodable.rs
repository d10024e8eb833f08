//! A value that can't be decoded loses one message and no connection, however it was sent and
//! whatever is wrong with it. Both nodes report and count it, and a peer that sends nothing else
//! does no harm.

use crate::support;

use fika::message::{AliasOpts, Reference, Tagged, make_ref, send_priority, send_wait, try_send};
use fika::net::{
    ConnectedNode, Ping as PingAnswer, connected_nodes, disconnect_node, monitor_nodes, ping,
};
use fika::prelude::*;
use fika::process::{
    Name, SpawnError, SpawnOpts, SpawnReply, spawn_link_on, spawn_monitor_on, spawn_request_on,
    try_spawn_on,
};
use fika::sim::{Failure, Sim};
use serde::{Deserialize, Deserializer, Serialize, de};
use support::peer::{Peer, frame, text};
use support::{Place, TestNode, answerer, assert_answers, down, exit_of, until_in_process};

/// Only even numbers are valid values. An odd one can be sent, but is not accepted.
#[derive(Message, Serialize, Debug, PartialEq, Clone)]
#[message(tag = "test::Even")]
struct Even {
    number: u64,
    text: String,
}

/// A number at which its reader panics.
const PANICS: u64 = 99;

impl<'de> Deserialize<'de> for Even {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Even, D::Error> {
        let (number, text) = <(u64, String)>::deserialize(deserializer)?;
        assert!(number != PANICS, "a reader that\npanics");
        if number.is_multiple_of(2) {
            return Ok(Even { number, text });
        }
        let found = de::Unexpected::Other(&text);
        Err(de::Error::invalid_value(found, &"an \x1b[31meven number"))
    }
}

/// Tries out a type. The sender of its first value refuses a value that can't be read back. After a
/// valid value, it sends further values with the same parts unchecked.
fn try_out() {
    fika::message::Encoded::new(&even(0)).unwrap();
}

fn even(number: u64) -> Even {
    Even { number, text: String::new() }
}

fn long(number: u64) -> Even {
    Even { number, text: "x".repeat(100_000) }
}

/// Sends back each value that it receives. It has a name, and an alias with priority.
#[remote]
async fn takes(to: Pid) {
    register("takes", self_pid()).unwrap();
    let alias = fika::message::alias_with(AliasOpts::new().priority());
    send(to, (self_pid(), alias));
    loop {
        receive! {
            even: Even => send(to, even.number),
            Tagged { tag, .. }: Tagged<Even, Down> => send(to, Even::clone(&tag).number),
            from: Pid => send(from, fika::inspect::info::undecodable(self_pid()).await.unwrap()),
        }
    }
}

/// Returns the connection to this node, which is the only one.
fn connection_to(name: &str) -> ConnectedNode {
    let found = connected_nodes().into_iter().find(|it| it.node.as_str() == name);
    found.expect("it is connected")
}

/// A process of the node `near` sends to a process of the node `far`, in every way: valid values
/// arrive, and invalid values are lost.
#[test]
fn undecodable_messages_are_lost_in_every_way_of_sending() {
    try_out();
    let place = Place::new();
    // A loss that is not reported at once is reported at the next check, every two seconds.
    let far = place.os("far").ticktime(secs(8)).start();
    let near = TestNode::of(place.builder("near").net_ticktime(secs(8)));
    let name = far.name.clone();
    let lost = near.block_on(async move {
        monitor_nodes(true);
        spawn_on(&name, takes(self_pid())).await;
        let (pid, alias) = next!((Pid, Reference));
        support::nodeup(&name).await;
        let down = || Down {
            monitor: make_ref(),
            object: fika::process::Object::Pid(pid),
            reason: ExitReason::Normal,
        };
        let mut lost = 0;
        for make in [even, long] {
            for bad in [1, 7, PANICS] {
                for n in [bad, 4] {
                    send(pid, make(n));
                    send(("takes", &*name), make(n));
                    send(alias, make(n));
                    send_priority(alias, make(n));
                    // A message that would wait behind large ones is not sent by `try_send`.
                    try_send(pid, make(n)).unwrap_or_else(|_| send(pid, make(n)));
                    send_wait(pid, make(n)).await.unwrap();
                    send(pid, Tagged { tag: make(n), message: down() });
                }
                lost += 7;
                for _ in 0..7 {
                    assert_eq!(next!(u64), 4);
                }
            }
        }
        send(pid, self_pid());
        assert_eq!(next!(u64), lost, "the process has counted");
        until_in_process("this node gets the report", || {
            connection_to(&name).undecodable_there == lost
        })
        .await;
        assert_eq!(connection_to(&name).undecodable_here, 0);
        none!(NodeDown);
        lost
    });
    assert_eq!(near.undecodable_count(), 0);
    assert_eq!(lost, 42);
    // The log names the type, the sender, the receiver and the cause.
    far.await_log("a message from another node was dropped", 32);
    let log = far.log();
    let line = log.lines().find(|line| line.contains("was dropped")).unwrap();
    for part in ["pid=<", "sender=<", "@far@", "tag=test::Even", "an \\u{1b}[31meven number"] {
        let part = part.replace("@far@", &format!("node={}", near.name()));
        assert!(line.contains(&part), "{part}: {line}");
    }
    assert!(log.contains("its `Deserialize` panicked at tests/net/undecodable.rs:"), "{log}");
    assert!(log.lines().all(|line| line.len() < 2000), "no value of a peer is printed");
    assert_eq!(far.logged("a panic ended a process"), 0, "{log}");
}

/// A program that runs on this node, whose log is read.
#[remote]
async fn sends_odd(to: Pid) {
    try_out();
    (0..100).for_each(|_| send(to, even(1)));
    send(to, even(2));
    answerer().await;
}

/// The node that has sent the value reports the loss too, with the sending process.
#[test]
fn the_senders_node_reports_undecodable_messages() {
    let place = Place::new();
    let near = place.os("near").start();
    let far = place.node("far");
    let name = near.name.clone();
    let sender = far.block_on(async move {
        let sender = spawn_on(&name, sends_odd(self_pid())).await;
        assert_eq!(next!(Even), even(2));
        assert_eq!(fika::inspect::info::undecodable(self_pid()).await, Some(100));
        assert_eq!(connection_to(&name).undecodable_here, 100);
        sender
    });
    assert_eq!(far.undecodable_count(), 100);
    near.await_log("the peer could not decode a message", 32);
    let log = near.log();
    let line = log.lines().find(|line| line.contains("could not decode")).unwrap();
    let parts = ["tag=test::Even", "even number", &format!("node={}", far.name()), "pid=<"];
    for part in parts.into_iter().chain([&*format!("sender={sender}")]) {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert!(near.logged("could not decode") <= 34, "no more than 32 at once, and one a second");
}

/// Keeps its messages until it is asked. Answers with its count of lost messages, with the
/// connection to the asking node, and with the connection's count.
#[remote(name = "test::undecodable::keeps")]
async fn keeps(to: Pid) {
    send(to, self_pid());
    loop {
        let asker = next!(Name);
        send(to, ());
        next!(bool);
        // Earlier messages come before this question.
        let from = receive! {
            _lost: Even => panic!("it decodes"),
            from: Pid => from,
        };
        let count = fika::inspect::info::undecodable(self_pid()).await.unwrap();
        let connection = connection_to(asker.as_str());
        send(from, (count, connection.connection, connection.undecodable_here));
    }
}

/// DIST-14, DIST-19: a message that came over an earlier connection is lost like any other. The
/// current connection counts nothing, and no report is sent over it.
#[test]
fn losses_of_an_earlier_connection_do_not_count_for_the_current_one() {
    try_out();
    let place = Place::new();
    let (near, far) = (place.node("near"), place.node("far"));
    let (here, there) = (near.name().to_string(), far.name().to_string());
    near.block_on(async move {
        spawn_on(&there, keeps(self_pid())).await;
        let keeper = next!(Pid);
        let mut before = Vec::new();
        for round in 1..=2_u64 {
            (0..3).for_each(|_| send(keeper, even(1)));
            send(keeper, Name::from(&*here));
            // The messages have arrived, and no process has looked at them.
            next!(());
            if round == 1 {
                before.push(connection_to(&there).connection);
                assert_eq!(disconnect_node(&there).await, Some(true));
                assert_eq!(ping(&there).await, PingAnswer::Pong);
            }
            let connection = connection_to(&there);
            assert!(!before.contains(&connection.connection), "each has another id");
            send(keeper, true);
            send(keeper, self_pid());
            let (count, at_far, here) = next!((u64, u64, u64));
            assert_eq!(count, 3 * round, "all are lost");
            let expected = if round == 1 { 0 } else { 3 };
            assert_eq!(here, expected, "counted by the connection {at_far}");
            let there = connection_to(&there);
            assert_eq!(there.connection, connection.connection, "it stays");
            // Reports are sent before the answer, unless they are gathered.
            assert_eq!(there.undecodable_there, expected);
        }
    });
    assert_eq!(far.undecodable_count(), 6);
}

/// Runs only with an even number.
#[remote]
async fn runs_with(even: Even, to: Pid) {
    send(to, even.number);
    answerer().await;
}

/// A spawn request whose arguments can't be decoded is answered, however it was made.
#[test]
fn undecodable_arguments_are_answered() {
    try_out();
    let place = Place::new();
    let far = place.os("far").start();
    let near = place.node("near");
    let name = far.name.clone();
    near.block_on(async move {
        monitor_nodes(true);
        trap_exit(true);
        for make in [even, long] {
            for bad in [1, PANICS] {
                let call = || runs_with(make(bad), self_pid());
                assert_eq!(try_spawn_on(&name, call()).await, Err(SpawnError::Badarg));
                let (_, monitor) = spawn_monitor_on(&name, call()).await;
                assert!(matches!(down(monitor).await, ExitReason::Badarg(_)));
                let none = spawn_link_on(&name, call()).await;
                assert!(matches!(exit_of(none).await, ExitReason::Badarg(_)));
                let request = spawn_request_on(&name, SpawnOpts::new(), call());
                let SpawnReply { reference, result } = next!(SpawnReply);
                assert_eq!((reference, result), (request, Err(SpawnError::Badarg)));
            }
            let pid = spawn_on(&name, runs_with(make(4), self_pid())).await;
            assert_eq!(next!(u64), 4);
            assert_answers(pid, 1).await;
        }
        support::nodeup(&name).await;
        none!(NodeDown);
        until_in_process("this node gets the report", || {
            connection_to(&name).undecodable_there == 16
        })
        .await;
    });
    far.await_log("a request to spawn was refused: its arguments do not decode", 16);
    assert!(far.log().contains("function=fika::runs_with"), "{}", far.log());
    assert_eq!(far.logged("a panic ended a process"), 0, "{}", far.log());
    assert_eq!(
        far.logged("thread 'far"),
        0,
        "what a peer causes is only in the log: {}",
        far.log()
    );
}

/// Ends with a reason that holds a value that its observer does not accept.
#[remote]
async fn ends_with(number: u64) {
    exit(ExitReason::term(even(number)));
}

/// A program's value in a reason is decoded on demand: the reason arrives, and a request for an
/// invalid value returns `None`.
#[test]
fn an_undecodable_term_in_an_exit_reason() {
    let place = Place::new();
    let (near, _far) = (place.node("near"), place.node("far"));
    near.block_on(async move {
        let far = place.name("far");
        monitor_nodes(true);
        trap_exit(true);
        for (number, value) in [(2, Some(even(2))), (1, None), (PANICS, None)] {
            let (_, monitor) = spawn_monitor_on(&far, ends_with(number)).await;
            let reason = down(monitor).await;
            assert!(matches!(reason, ExitReason::Term(_)), "{reason:?}");
            assert_eq!(reason.get::<Even>(), value);
            let linked = spawn_link_on(&far, ends_with(number)).await;
            assert_eq!(exit_of(linked).await, reason);
            // The reason may also be part of a message.
            let pid = spawn_on(&far, gives_back()).await;
            send(pid, (self_pid(), reason.clone()));
            assert_eq!(next!(ExitReason), reason);
        }
        support::nodeup(&far).await;
        none!(NodeDown);
    });
}

#[remote]
async fn gives_back() {
    let (to, reason) = next!((Pid, ExitReason));
    send(to, reason);
}

/// A hand-written peer sends only values that can't be decoded, and reports of such values, as
/// often as it can. The log and the answers are bounded, and the counts are right.
#[test]
fn floods_of_undecodable_values_are_bounded() {
    const COUNT: u64 = 20_000;
    let place = Place::new();
    let there = place.os("there").start();
    let here = place.node("here");
    let name = there.name.clone();
    here.block_on(async move {
        spawn_on(&name, takes(self_pid())).await;
        next!((Pid, Reference));
    });
    let addr = place.addr_of("there");
    let mut peer = Peer::connected(addr, &place.name("peer"), &there.name);
    let fingerprint = Even::fingerprint().to_be_bytes();
    let define_name = frame(&[&[2, 0][..], &text("takes")].concat());
    let define_type = frame(&[&[3, 0][..], &fingerprint, &text("test::Even")].concat());
    peer.write(&[define_name, define_type].concat());
    // The frame comes from the peer's process 5.6.
    let bad = frame(&[0x90, 0, 6, 6, 0, 0, 0, 0, 0, 2, 1, 0]);
    let report = frame(&[&b"\x06\0\x09\0\x09\0"[..], &text("\x1b[2J"), &text("\n"), &[9]].concat());
    for _ in 0..COUNT / 100 {
        peer.write(&bad.repeat(100));
        peer.write(&report.repeat(100));
    }
    let name = there.name.clone();
    here.block_on(async move {
        until_lost(&name, COUNT).await;
        assert_eq!(ping(&name).await, PingAnswer::Pong);
    });
    // The last frame is a request that is answered: a monitor of a missing process.
    peer.write(&frame(b"\x15\x7f\x7f\x01\0\x09\0"));
    let mut reported = 0;
    loop {
        let body = peer.frame();
        match body[0] {
            6 => {
                assert_eq!(body[..4], [6, 0, 6, 6], "the kind, the sender and the receiver");
                reported += 1;
            }
            0x17 => break,
            _ => {}
        }
    }
    let log = there.log();
    assert!((32..=64).contains(&reported), "{reported}");
    assert!((32..=64).contains(&there.logged("a message from another node was dropped")), "{log}");
    assert!((32..=64).contains(&there.logged("the peer could not decode")), "{log}");
    assert_eq!(there.logged("\x1b[2J"), 0, "{log}");
    assert_eq!(there.logged("nodedown"), 0, "{log}");
}

/// Waits until the process `takes` has lost exactly this many messages.
async fn until_lost(name: &str, count: u64) {
    loop {
        send(("takes", name), self_pid());
        match next!(u64) {
            lost if lost == count => return,
            lost => assert!(lost < count, "{lost}"),
        }
    }
}

/// A simulated node also loses messages that can't be decoded, and counts them.
#[test]
fn undecodable_messages_in_a_simulation() -> Result<(), Failure> {
    try_out();
    let mut sim = Sim::new(7);
    sim.node("far@host1", || async {
        register("takes", self_pid()).unwrap();
        let even = next!(Even);
        assert_eq!((even.number, fika::inspect::info::undecodable(self_pid()).await), (2, Some(3)));
        assert_eq!(connection_to("near@host2").undecodable_here, 3);
        std::future::pending::<()>().await;
    });
    let near = sim.node("near@host2", || async {
        sleep(secs(1)).await;
        for number in [1, 3, PANICS, 2] {
            send(("takes", "far@host1"), even(number));
        }
        sleep(secs(1)).await;
        assert_eq!(connection_to("far@host1").undecodable_there, 3);
    });
    sim.run_until(|sim| sim.main_end(near).is_some(), secs(10))?;
    assert_eq!(sim.main_end(near), Some(ExitReason::Normal));
    Ok(())
}
