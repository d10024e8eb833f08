//! Nodes under faults: peers that are killed, freeze, or come back as other nodes, mappers that
//! die, and connections that both sides make at the same time.

use crate::support;

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::mpsc;

use fika::message::{Local, Reference, make_ref};
use fika::net::{
    NodeDownReason, Ping as PingAnswer, disconnect_node, monitor_node, monitor_nodes, ping,
};
use fika::node::{Creation, NodeName};
use fika::prelude::*;
use serde::{Deserialize, Serialize};
use support::{
    Answer, Ask, EndWith, IS_SANITIZED, LIMIT, Place, TestNode, answerer, assert_answers, down,
    exit_of, has_epmd, nodedown, nodeup, times, until,
};

/// In at least half of the cases, the end of a program is known within this time. The machine of a
/// test also runs other programs.
const NOTIFIED_WITHIN: Duration = millis(50);

/// Checks that an end is usually known in time.
#[track_caller]
fn assert_notified_in_time(mut took: Vec<Duration>) {
    took.sort();
    // A sanitizer reports before the program ends, which takes long.
    assert!(took[took.len() / 2] <= NOTIFIED_WITHIN || IS_SANITIZED, "{took:?}");
}

/// PROC-2, DIST-10, LINK-12, LINK-13, MON-5, MON-16: each life of a node is distinct, and its end
/// is reported immediately and once.
#[test]
fn kill_9_and_restart() {
    let place = Place::new();
    let here = place.node("here");
    let processes = here.process_count();
    let mut lives: Vec<(Pid, Reference, Creation)> = Vec::new();
    let mut took = Vec::new();
    for n in 0..times(10, 150) {
        let mut peer = place.os("peer").start();
        let earlier = lives.clone();
        let (pid, reference) = here.block_on(async move {
            let name = place.name("peer");
            // The pids come from earlier lives. They are first used while there is no connection to
            // this life.
            if let Some((dead, ..)) = earlier.last() {
                let reason = down(fika::process::monitor(*dead)).await;
                assert_eq!(reason, ExitReason::Noproc, "life {n}");
            }
            let pid = spawn_on(&name, answerer()).await;
            assert_answers(pid, n).await;
            for (dead, ..) in &earlier {
                trap_exit(true);
                link(*dead);
                assert_eq!(exit_of(*dead).await, ExitReason::Noproc);
                let monitor = fika::process::monitor(*dead);
                send(*dead, Ask { from: self_pid(), n });
                send(*dead, EndWith(ExitReason::Normal));
                exit_process(*dead, ExitReason::Kill);
                assert_eq!(down(monitor).await, ExitReason::Noproc);
            }
            // None of these signals reached this life's process, which may have the slot of an
            // earlier one.
            assert_answers(pid, n).await;
            none!(Answer);
            // The reference was made on the other node.
            (pid, spawn_and_take_reference(&name).await)
        });
        assert!(
            lives.iter().all(|(_, old, creation)| {
                *old != reference && *creation != pid.node().creation()
            })
        );
        lives.push((pid, reference, pid.node().creation()));

        // Two processes watch the node die.
        let (ready, is_ready) = mpsc::channel();
        let (tx, rx) = mpsc::channel();
        for _ in 0..2 {
            let (ready, tx) = (ready.clone(), tx.clone());
            here.spawn(async move {
                let name = place.name("peer");
                monitor_nodes(true);
                trap_exit(true);
                link(pid);
                let monitor = fika::process::monitor(pid);
                assert_answers(pid, 0).await;
                ready.send(()).unwrap();
                // The signals of links and monitors come before the message about the node.
                let down_of_node = nodedown(&name).await;
                receive! {
                    Exit { from, reason } => assert_eq!((from, reason), (pid, ExitReason::Noconnection)),
                    after Duration::ZERO => panic!("no EXIT before the nodedown"),
                }
                receive! {
                    Down { monitor: m, reason, .. } =>
                        assert_eq!((m, reason), (monitor, ExitReason::Noconnection)),
                    after Duration::ZERO => panic!("no DOWN before the nodedown"),
                }
                none!(NodeDown);
                tx.send(down_of_node.reason).unwrap();
            });
        }
        (0..2).for_each(|_| is_ready.recv_timeout(LIMIT).unwrap());
        let clock = support::Clock::new();
        peer.kill();
        for _ in 0..2 {
            let reason = rx.recv_timeout(LIMIT).expect("both are notified");
            assert_eq!(reason, NodeDownReason::ConnectionClosed);
        }
        took.push(clock.elapsed());
        here.block_on(async move {
            assert_eq!(down(fika::process::monitor(pid)).await, ExitReason::Noconnection);
        });
    }
    until("nothing is left of all of them", || here.process_count() <= processes);
    assert_notified_in_time(took);
}

/// Ends its program by an abort, or by a stack that overflows.
#[remote]
async fn ends_program(by_abort: bool) {
    next!(u64);
    if by_abort {
        std::process::abort();
    }
    overflow(&[0; 64]);
}

#[allow(unconditional_recursion, reason = "that is what it is for")]
fn overflow(of: &[u8; 64]) -> u8 {
    let more = std::hint::black_box([of[0].wrapping_add(1); 64]);
    overflow(&more).wrapping_add(more[1])
}

/// A program that crashes looks to its peers like a program that is killed.
#[test]
fn an_abort_or_a_stack_overflow() {
    let place = Place::new();
    let here = place.node("here");
    let mut took = Vec::new();
    for n in 0..times(6, 40) {
        let mut peer = place.os("peer").start();
        let elapsed = here.block_on(async move {
            let name = place.name("peer");
            let pid = spawn_on(&name, ends_program(n % 2 == 0)).await;
            let monitor = fika::process::monitor(pid);
            monitor_nodes(true);
            let clock = support::Clock::new();
            send(pid, n);
            assert_eq!(down(monitor).await, ExitReason::Noconnection);
            assert_eq!(nodedown(&name).await.reason, NodeDownReason::ConnectionClosed);
            monitor_nodes(false);
            clock.elapsed()
        });
        peer.kill();
        took.push(elapsed);
    }
    assert_notified_in_time(took);
}

#[remote]
async fn gives_reference(to: Pid) {
    send(to, make_ref());
}

async fn spawn_and_take_reference(node: &str) -> Reference {
    spawn_on(node, gives_reference(self_pid())).await;
    next!(Reference)
}

/// HS-5, HS-6, SIG-8: when two nodes connect to each other at the same moment, there is one
/// connection in the end, each node is notified of it once, and waiting signals arrive in order.
#[test]
fn simultaneous_connects() {
    const MESSAGES: u64 = 5;
    let place = Place::new();
    let nodes = [place.node("a"), place.node("b")];
    let names = [place.name("a"), place.name("b")];
    let (report, reports) = mpsc::channel();
    let mut controls = Vec::new();
    for (node, other) in nodes.iter().zip([names[1].clone(), names[0].clone()]) {
        let (report, other) = (report.clone(), other.clone());
        let pid = node.spawn(async move {
            register("rounds", self_pid()).unwrap();
            monitor_nodes(true);
            report.send(None).unwrap();
            loop {
                let Round(round) = receive! { round: Local<Round> => round.0 };
                for n in 0..MESSAGES {
                    send(("rounds", &*other), (round, n));
                }
                let up = nodeup(&other).await;
                for n in 0..MESSAGES {
                    // The next message of the other process, in the order of sending.
                    let got = next!((u64, u64));
                    assert_eq!(got, (round, n), "a message is lost or late");
                }
                assert_eq!(nodes_of_this(), 1);
                none!(NodeUp);
                none!(NodeDown);
                report.send(Some(up.connection)).unwrap();
                let Disconnect(first) = receive! { end: Local<Disconnect> => end.0 };
                if first {
                    assert_eq!(disconnect_node(&other).await, Some(true));
                }
                assert_eq!(nodedown(&other).await.connection, up.connection);
                report.send(None).unwrap();
            }
        });
        controls.push(pid.unwrap());
    }
    let both = || [(); 2].map(|()| reports.recv_timeout(LIMIT).expect("both go on"));
    let tell = |n: usize, round| nodes[n].send(controls[n], Local(round)).unwrap();
    both();
    for round in 0..times(300, 10_000) {
        // The two nodes are asked in alternating order.
        let first = (round % 2) as usize;
        tell(first, Round(round));
        tell(1 - first, Round(round));
        both();
        let end = |n: usize, first| nodes[n].send(controls[n], Local(Disconnect(first))).unwrap();
        end(first, true);
        end(1 - first, false);
        both();
    }
}

struct Round(u64);
struct Disconnect(bool);

fn nodes_of_this() -> usize {
    nodes().len()
}

/// DIST-11: nodes that each join one or two random others become a full mesh.
#[test]
fn a_mesh_of_random_joins() {
    const NODES: usize = 6;
    let place = Place::new();
    let names: Vec<String> = (0..NODES).map(|n| place.name(&format!("n{n}"))).collect();
    let nodes: Vec<TestNode> = (0..NODES).map(|n| place.node(&format!("n{n}"))).collect();
    let mut pending = Vec::new();
    for (n, node) in nodes.iter().enumerate().skip(1) {
        // Joining any earlier node connects all of them. Joining a second one adds races.
        let random = |below: usize| node.env().random() as usize % below;
        for other in [random(n), random(NODES)] {
            let other = names[other].clone();
            let (done, is_done) = mpsc::channel();
            node.spawn(async move {
                done.send(ping(other).await).unwrap();
            });
            pending.push(is_done);
        }
    }
    for is_done in pending {
        assert_eq!(is_done.recv_timeout(LIMIT).unwrap(), PingAnswer::Pong);
    }
    for (n, node) in nodes.iter().enumerate() {
        let others: BTreeSet<_> = names.iter().filter(|name| **name != names[n]).collect();
        until("the mesh is full", || node.nodes().len() == NODES - 1);
        let seen: Vec<String> = node.nodes().iter().map(ToString::to_string).collect();
        assert_eq!(seen.iter().collect::<BTreeSet<_>>(), others);
    }
    // A superfluous connection would show: each node that stops is reported once.
    let mut rest = nodes;
    let last = rest.pop().unwrap();
    let gone = names[NODES - 1].clone();
    let (report, reports) = mpsc::channel();
    let (ready, is_ready) = mpsc::channel();
    for node in &rest {
        let (gone, report, ready) = (gone.clone(), report.clone(), ready.clone());
        node.spawn(async move {
            monitor_nodes(true);
            // The ping is answered after the subscription was accepted.
            assert_eq!(ping(&gone).await, PingAnswer::Pong);
            ready.send(()).unwrap();
            nodedown(&gone).await;
            report.send(nodes_of_this()).unwrap();
        });
    }
    rest.iter().for_each(|_| is_ready.recv_timeout(LIMIT).unwrap());
    drop(last);
    for _ in &rest {
        assert_eq!(reports.recv_timeout(LIMIT).unwrap(), NODES - 2);
    }
}

/// DIST-21, DIST-5: a pid that was sent on to a third node means the same process there, and its
/// first use connects.
#[test]
fn a_pid_on_a_third_node() {
    let place = Place::new();
    let [a, b, c] =
        ["a", "b", "c"].map(|alive| TestNode::of(place.builder(alive).connect_all(false)));
    let owner = b.spawn(answerer()).unwrap();
    a.block_on(async move {
        // a knows b and c, which do not know each other.
        assert_answers(owner, 1).await;
        let third = spawn_on(place.name("c"), uses_a_pid(self_pid())).await;
        send(third, owner);
        assert_eq!(next!(Pid), owner);
        let answer = next!(Answer);
        assert_eq!((answer.from, answer.n), (owner, 7));
        assert_eq!(next!(Vec<NodeName>).len(), 2);
        // The process ends on this node, and the third node is notified, too.
        send(owner, EndWith(ExitReason::term("the end".to_owned())));
        assert_eq!(next!(ExitReason), ExitReason::term("the end".to_owned()));
    });
    drop((b, c));
}

#[remote]
async fn uses_a_pid(reporter: Pid) {
    let owner = next!(Pid);
    let monitor = fika::process::monitor(owner);
    send(owner, Ask { from: self_pid(), n: 7 });
    let answer = next!(Answer);
    send(reporter, owner);
    send(reporter, answer);
    send(reporter, nodes());
    send(reporter, down(monitor).await);
}

/// DIST-16, TICK-3, TICK-5: a frozen peer is given up because of its ticks. When it continues, it
/// can connect again.
#[test]
fn a_frozen_peer() {
    let place = Place::new();
    let time = millis(400);
    let peer = place.os("peer").ticktime(time).start();
    // The test can read the log of this node.
    let seer = place.os("seer").ticktime(time).start();
    let here = TestNode::of(place.builder("here").net_ticktime(time));
    let (name, seers) = (peer.name.clone(), seer.name.clone());
    let pid = here.block_on(async move {
        spawn_on(&seers, reaches(name.clone(), self_pid())).await;
        assert!(next!(bool));
        let pid = spawn_on(&name, answerer()).await;
        assert_answers(pid, 1).await;
        pid
    });
    let (ready, is_ready) = mpsc::channel();
    let (gone, is_gone) = mpsc::channel();
    here.spawn(async move {
        monitor_nodes(true);
        let monitor = fika::process::monitor(pid);
        assert_answers(pid, 2).await;
        ready.send(()).unwrap();
        gone.send((down(monitor).await, nodedown(&place.name("peer")).await.reason)).unwrap();
    });
    is_ready.recv_timeout(LIMIT).unwrap();
    peer.freeze();
    let seen = is_gone.recv_timeout(LIMIT).unwrap();
    assert_eq!(seen, (ExitReason::Noconnection, NodeDownReason::NetTickTimeout));
    let line = "nothing was heard for the whole ticktime";
    seer.await_log(line, 1);
    peer.thaw();
    // The process is alive, and is reached over a new connection.
    here.block_on(async move { assert_answers(pid, 3).await });
    peer.await_log("nodedown", 1);
    assert_eq!(seer.logged(line), 1, "{}", seer.log());
}

/// Reports whether its node reaches another one.
#[remote]
async fn reaches(node: String, to: Pid) {
    send(to, ping(node).await == PingAnswer::Pong);
}

/// EPMD-17: when the node that had started the mapper is killed, the others register again, with
/// the mapper of one of them. They keep their connections and their creations.
#[test]
fn the_mapper_is_killed() {
    let place = Place::new();
    let mut first = place.os("first").start();
    let (a, b) = (place.node("a"), place.node("b"));
    let there = a.block_on(async move { spawn_on(place.name("b"), answerer()).await });
    let (ready, is_ready) = mpsc::channel();
    let (stop, stopped) = mpsc::channel();
    a.spawn(async move {
        link(there);
        monitor_node(place.name("b"), true).unwrap();
        assert_answers(there, 1).await;
        ready.send(()).unwrap();
        receive! {
            NodeDown { reason, .. } => stop.send(Some(reason)).unwrap(),
            Stop => stop.send(None).unwrap(),
        }
    })
    .map(|pid| a.register("watcher", pid).unwrap())
    .unwrap();
    is_ready.recv_timeout(LIMIT).unwrap();
    for _ in 0..3 {
        first.kill();
        until("both are registered again", || {
            let names: BTreeSet<String> = place.names().into_iter().map(|(name, _)| name).collect();
            names == BTreeSet::from(["a".to_owned(), "b".to_owned()])
        });
        // A node that starts now finds them, and is found.
        first = place.os("first").start();
        let name = first.name.clone();
        a.block_on(async move {
            assert_eq!(ping(&name).await, PingAnswer::Pong);
            let pid = spawn_on(&name, answerer()).await;
            assert_answers(pid, 1).await;
        });
    }
    a.send("watcher", Stop).unwrap();
    assert_eq!(stopped.recv_timeout(LIMIT).unwrap(), None, "the connection was not touched");
    a.block_on(async move { assert_answers(there, 2).await });
    drop(b);
}

#[derive(Message, Serialize, Deserialize)]
struct Stop;

/// Erlang's mapper, which is killed at the end.
struct RealMapper(std::process::Child);

impl RealMapper {
    fn start(place: Place) -> RealMapper {
        let mut command = Command::new("epmd");
        command.args(["-port", &place.mapper.to_string(), "-address", "127.0.0.1"]);
        command.env_remove("ERL_EPMD_ADDRESS").env_remove("ERL_EPMD_PORT");
        let mapper = RealMapper(command.spawn().expect("it was there a moment ago"));
        until("the mapper is up", || support::connect(place.mapper_addr()).is_ok());
        mapper
    }
}

impl Drop for RealMapper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn epmd_names(place: Place) -> String {
    let names = Command::new("epmd").args(["-port", &place.mapper.to_string(), "-names"]).output();
    String::from_utf8(names.expect("it was there a moment ago").stdout).expect("it is text")
}

/// EPMD-18: our nodes work with Erlang's mapper.
#[test]
fn nodes_with_the_real_epmd() {
    if !has_epmd("nodes_with_the_real_epmd") {
        return;
    }
    let place = Place::on_localhost();
    let mapper = RealMapper::start(place);
    let (a, mut b) = (place.node("a"), place.os("b").start());
    let names = epmd_names(place);
    for alive in ["a", "b"] {
        let line = format!("name {alive} at port {}\n", place.addr_of(alive).port());
        assert!(names.contains(&line), "{names}");
    }
    a.block_on(async move {
        let there = spawn_on(place.name("b"), answerer()).await;
        assert_answers(there, 1).await;
        assert_eq!(ping(place.name("c")).await, PingAnswer::Pang);
    });
    assert!(place.builder("a").build().is_err(), "the name is taken");
    // Another life of the node has another creation, and gets its name as soon as it is free.
    b.kill();
    let b = place.os("b").start();
    a.block_on(async move { assert_eq!(ping(place.name("b")).await, PingAnswer::Pong) });
    // When the mapper is killed, one of the nodes starts another one.
    drop(mapper);
    until("the nodes know", || {
        a.block_on(async move { ping(place.name("c")).await == PingAnswer::Pang })
    });
    until("somebody is a mapper again", || place.names().len() == 2);
    drop(b);
}

/// EPMD-17, EPMD-18: nodes that start no mapper register again when Erlang's mapper is killed and
/// restarted. They keep their creations and connections, and a node that starts then is found.
#[test]
fn the_real_epmd_is_killed_and_restarted() {
    if !has_epmd("the_real_epmd_is_killed_and_restarted") {
        return;
    }
    let place = Place::on_localhost();
    let mut mapper = RealMapper::start(place);
    let a = TestNode::of(place.builder("a").start_epmd(false));
    let b = place.os("b").env("FIKA_TEST_NO_START_EPMD", "1").start();
    let name = b.name.clone();
    let there = a.block_on(async move { spawn_on(name, answerer()).await });
    let addrs = ["a", "b"].map(|alive| place.addr_of(alive));
    let (stop, stopped) = mpsc::channel();
    let watcher = a.spawn(async move {
        monitor_nodes(true);
        assert_answers(there, 0).await;
        receive! {
            NodeDown { node, .. } if node == there.node().name() => stop.send(true).unwrap(),
            Stop => stop.send(false).unwrap(),
        }
    });
    for n in 0..times(2, 20) {
        drop(mapper);
        assert!(place.ask_mapper(b"n").is_err(), "there is no mapper");
        // A connected node needs no mapper. Without one, looking up another node fails.
        a.block_on(async move {
            assert_answers(there, n).await;
            assert_eq!(ping(place.name("c")).await, PingAnswer::Pang);
        });
        mapper = RealMapper::start(place);
        until("both are registered again", || place.names().len() == 2);
        let names = epmd_names(place);
        for (alive, addr) in ["a", "b"].into_iter().zip(addrs) {
            assert!(names.contains(&format!("name {alive} at port {}\n", addr.port())), "{names}");
        }
        let c = TestNode::of(place.builder("c").start_epmd(false));
        c.block_on(async move {
            for alive in ["a", "b"] {
                assert_eq!(ping(place.name(alive)).await, PingAnswer::Pong);
            }
            // The node is in the same life.
            assert_answers(there, n).await;
        });
        drop(c);
        until("c is gone", || place.names().len() == 2);
    }
    a.send(watcher.unwrap(), Stop).unwrap();
    assert!(!stopped.recv_timeout(LIMIT).unwrap(), "the connection was not touched");
}

/// EPMD-16, EPMD-18: Erlang's program reads the names of the mapper of one of our nodes.
#[test]
fn the_real_epmd_lists_our_nodes() {
    if !has_epmd("the_real_epmd_lists_our_nodes") {
        return;
    }
    let place = Place::on_localhost();
    let (a, b) = (place.node("a"), place.node("b"));
    let port = |alive| place.addr_of(alive).port();
    let expected = format!(
        "epmd: up and running on port {} with data:\nname b at port {}\nname a at port {}\n",
        place.mapper,
        port("b"),
        port("a")
    );
    assert_eq!(epmd_names(place), expected);
    drop(b);
    until("b is gone from the list", || !epmd_names(place).contains("name b"));
    drop(a);
}
