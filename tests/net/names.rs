//! A node that gets its name while it runs, loses it, and gets another.
#![deny(warnings)]

use crate::support;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;
use std::time::Duration;

use fika::net::{
    MonitorNodeError, NodeDownReason, NodeKind, NodeType, Ping as PingAnswer, StartError,
    disconnect_node, is_alive, monitor_nodes, nodes_of, ping, start_distribution,
    stop_distribution,
};
use fika::node::NodeError;
use fika::prelude::*;
use fika::process::{spawn_link_on, yield_now};

use support::{
    COOKIE, LIMIT, Place, TestNode, answerer, assert_answers, down, exit_of, named_answerer,
    nodedown, nodeup,
};

/// A node without a name, which can be given one here.
fn nameless(place: Place) -> TestNode {
    TestNode::of(Node::builder().cookie(COOKIE).epmd_port(place.mapper).workers(2))
}

/// DIST-1: a node gets and loses its name several times, and its processes continue.
#[test]
fn distribution_starts_and_stops() {
    let place = Place::new();
    let there = place.node("there");
    let node = nameless(place);
    node.block_on(async move {
        let worker = spawn(answerer());
        register("worker", worker).unwrap();
        let (name, peer) = (place.name("here"), place.name("there"));
        for round in 0..20 {
            assert!(!is_alive());
            assert_eq!(self_node().name().as_str(), "nonode@nohost");
            assert_eq!(worker.node().name(), self_node().name());
            assert_eq!(nodes_of(NodeKind::Connected), []);
            assert_eq!(connect_node(&peer).await, None, "ignored");
            assert_eq!(disconnect_node(&peer).await, None, "ignored");
            assert_eq!(ping(&peer).await, PingAnswer::Pang);
            assert!(!stop_distribution().await);
            assert_answers(worker, round).await;

            start_distribution(&name).await.unwrap();
            assert!(is_alive());
            assert_eq!(self_node().name().as_str(), name);
            assert_eq!(worker.node().name(), self_node().name(), "a pid from before");
            let twice = start_distribution(place.name("another")).await.unwrap_err();
            assert!(
                matches!(&twice, StartError::AlreadyStarted(n) if n.as_str() == name),
                "{twice}"
            );
            assert_answers(worker, round).await;
            send(("worker", &*name), support::Ask { from: self_pid(), n: 99 });
            assert_eq!(next!(support::Answer).n, 99);
            assert_eq!(ping(&peer).await, PingAnswer::Pong);
            let remote = spawn_on(&peer, answerer()).await;
            assert_answers(remote, round).await;
            assert!(stop_distribution().await);
        }
    });
    drop(there);
}

/// DIST-17, EPMD-4: when a stop has returned, the mapper has forgotten the name, and the port is
/// free. So a later start need not wait, and does not fail.
#[test]
fn a_stop_frees_the_name_and_the_port() {
    let place = Place::new();
    let there = place.os("there").start();
    let port = std::net::TcpListener::bind((place.ip, 0)).unwrap().local_addr().unwrap();
    let builder = Node::builder().cookie(COOKIE).epmd_port(place.mapper).listen(port);
    let node = TestNode::of(builder);
    for _ in 0..support::times(50, 5000) {
        node.start_distribution(place.name("here")).unwrap();
        assert_eq!(place.names().len(), 2);
        assert!(node.stop_distribution());
        assert_eq!(place.names().len(), 1, "the other one is left");
        std::net::TcpListener::bind(port).unwrap();
    }
    drop(there);
}

/// DIST-1, PROC-2: processes that are older than the node's name send and receive messages.
#[test]
fn pids_from_before_the_name_work_on_other_nodes() {
    let place = Place::new();
    let there = place.os("there").start();
    nameless(place).block_on(async move {
        let worker = spawn(answerer());
        start_distribution(place.name("here")).await.unwrap();
        // The pid comes back unchanged, and means the same process on the other node.
        let relay = spawn_on(place.name("there"), relays(self_pid(), worker)).await;
        assert_eq!(next!(Pid), worker);
        send(relay, 7_u64);
        let answer = next!(support::Answer);
        assert_eq!((answer.from, answer.n), (worker, 7));
        // The other node makes links and monitors.
        send(relay, 0_u64);
        let (pid, reason) = next!((Pid, ExitReason));
        assert_eq!((pid, reason), (worker, ExitReason::Killed));
    });
    drop(there);
}

/// Reports the pid that it received, lets the process answer, and then watches it be killed.
#[remote]
async fn relays(to: Pid, worker: Pid) {
    send(to, worker);
    send(worker, support::Ask { from: to, n: next!(u64) });
    next!(u64);
    let monitor = fika::process::monitor(worker);
    exit_process(worker, ExitReason::Kill);
    send(to, (worker, down(monitor).await));
}

/// A pid keeps its meaning when another node writes it as text: the text has the name that this node
/// has taken, unlike its own pids.
#[test]
fn a_pid_in_a_text_reaches_its_process() {
    let place = Place::new();
    let there = place.os("there").start();
    nameless(place).block_on(async move {
        start_distribution(place.name("here")).await.unwrap();
        spawn_on(place.name("there"), writes_as_text(self_pid())).await;
        let own: Pid = serde_json::from_str(&next!(String)).unwrap();
        send(own, 7_u64);
        assert_eq!(next!(u64), 7);
    });
    drop(there);
}

#[remote]
async fn writes_as_text(to: Pid) {
    send(to, serde_json::to_string(&to).unwrap());
}

/// DIST-10: pids from an earlier period of a node reach no process, though the processes themselves
/// continue.
#[test]
fn pids_of_an_earlier_period_reach_no_process() {
    let place = Place::new();
    let there = place.os("there").start();
    nameless(place).block_on(async move {
        let (name, peer) = (place.name("here"), place.name("there"));
        let worker = spawn(answerer());
        start_distribution(&name).await.unwrap();
        let keeper = spawn_on(&peer, keeps(worker)).await;
        assert_answers(keeper, 1).await;
        stop_distribution().await;
        start_distribution(&name).await.unwrap();
        register("here", self_pid()).unwrap();
        send(("keeper", &*peer), name);
        assert_eq!(next!((u64, ExitReason)), (1, ExitReason::Noproc));
        assert_answers(worker, 2).await;
    });
    drop(there);
}

/// Keeps a pid, and later reports to the process `here` of a node what happened to it.
#[remote]
async fn keeps(pid: Pid) {
    register("keeper", self_pid()).unwrap();
    let ask = next!(support::Ask);
    send(ask.from, support::Answer { from: self_pid(), n: ask.n });
    let node = next!(String);
    let reason = down(fika::process::monitor(pid)).await;
    send(("here", &*node), (1_u64, reason));
}

/// DIST-17, NMON-5, NMON-10: when the distribution is stopped, links, monitors and watches end, and
/// their processes are notified.
#[test]
fn stopping_the_distribution_ends_remote_relations() {
    let place = Place::new();
    let (there, _hidden) =
        (place.node("there"), TestNode::of(place.builder("hidden").hidden(true)));
    let (tx, rx) = mpsc::channel();
    let name = place.name("here");
    let seen = there.spawn(async move {
        monitor_nodes(true);
        register("seen", self_pid()).unwrap();
        tx.send(()).unwrap();
        nodeup(&name).await;
        assert_eq!(nodedown(&name).await.reason, NodeDownReason::ConnectionClosed);
        tx.send(()).unwrap();
    });
    rx.recv_timeout(LIMIT).unwrap();
    let _ = seen;
    nameless(place).block_on(async move {
        let (name, peer, hidden) = (place.name("here"), place.name("there"), place.name("hidden"));
        trap_exit(true);
        monitor_nodes(true);
        start_distribution(&name).await.unwrap();
        assert_eq!(nodeup(&name).await.node_type, NodeType::Visible, "the own name");
        assert_eq!(connect_node(&hidden).await, Some(true));
        let linked = spawn_link_on(&peer, answerer()).await;
        let monitor = fika::process::monitor(linked);
        let watched = fika::process::monitor(("nobody", &*hidden));
        assert_eq!(down(watched).await, ExitReason::Noproc);
        for _ in 0..2 {
            fika::net::monitor_node(&peer, true).unwrap();
        }
        fika::net::monitor_node(&hidden, true).unwrap();
        nodeup(&peer).await;
        assert!(stop_distribution().await);
        assert_eq!(exit_of(linked).await, ExitReason::Noconnection);
        assert_eq!(down(monitor).await, ExitReason::Noconnection);
        // Two watches and a subscription of one node, a watch of another, and finally the own name.
        let mut downs = Vec::new();
        for _ in 0..5 {
            let NodeDown { node, reason, .. } = next!(NodeDown);
            assert_eq!(reason, NodeDownReason::NetKernelTerminated, "{node}");
            downs.push(node.to_string());
        }
        assert_eq!(downs.pop(), Some(name));
        assert_eq!(downs.iter().filter(|node| **node == peer).count(), 3);
        assert_eq!(downs.iter().filter(|node| **node == hidden).count(), 1);
        none!(NodeDown);
        assert_eq!(whereis("net_kernel"), None);
    });
    support::until("it is not registered", || place.names().iter().all(|(name, _)| name != "here"));
    rx.recv_timeout(LIMIT).unwrap();
}

/// NMON-4: `monitor_node` fails as long as the node has no name.
#[test]
fn monitor_node_needs_a_name() {
    let place = Place::new();
    nameless(place).block_on(async move {
        let name = place.name("here");
        for on in [true, false] {
            assert_eq!(fika::net::monitor_node(&name, on), Err(MonitorNodeError::NotAlive));
        }
        start_distribution(&name).await.unwrap();
        for on in [true, true, false] {
            assert_eq!(
                fika::net::monitor_node(&name, on),
                Ok(()),
                "of the own node it does nothing"
            );
        }
        stop_distribution().await;
        none!(NodeDown);
    });
}

/// DIST-3, DIST-1: a failed start leaves the node as it was, and another start is possible.
#[test]
fn a_start_that_fails() {
    let place = Place::new();
    let there = place.node("taken");
    let node = nameless(place);
    for bad in ["", "a", "a@b@c", "a b@c"] {
        let error = node.start_distribution(bad).unwrap_err();
        assert!(matches!(error, NodeError::Name(_)), "{error}");
    }
    let error = node.start_distribution(place.name("taken")).unwrap_err();
    assert!(matches!(&error, NodeError::Start(StartError::NameTaken(_))), "{error}");
    assert!(!node.is_distributed());
    node.block_on(async { assert_eq!(whereis("net_kernel"), None) });
    node.block_on(async { register("net_kernel", self_pid()).unwrap() });
    node.start_distribution(place.name("free")).unwrap();
    assert_eq!(node.name().as_str(), place.name("free"));
    // The start fails without a cookie, or with a wrong setting.
    let short = TestNode::of(Node::builder().cookie("").epmd_port(place.mapper));
    let error = short.start_distribution(place.name("short")).unwrap_err();
    assert!(matches!(error, NodeError::Cookie(_)), "{error}");
    let intense = Node::builder().cookie(COOKIE).epmd_port(place.mapper).net_tickintensity(3);
    let error = TestNode::of(intense).start_distribution(place.name("x")).unwrap_err();
    assert!(error.to_string().contains("4..=1000"), "{error}");
    drop(there);
}

/// A name is not free before the mapper has noticed the end of the last node of this name. So a node
/// that gets the answer "taken" asks again after a moment.
#[test]
#[allow(clippy::disallowed_methods, reason = "the thread of a test")]
fn a_name_that_becomes_free() {
    let place = Place::new();
    let mapper = TcpListener::bind(place.mapper_addr()).unwrap();
    let answers = std::thread::spawn(move || {
        let answer = |request: u8, answer: &[u8]| {
            let (mut stream, _) = mapper.accept().unwrap();
            let mut length = [0; 2];
            stream.read_exact(&mut length).unwrap();
            let mut body = vec![0; u16::from_be_bytes(length).into()];
            stream.read_exact(&mut body).unwrap();
            assert_eq!(body[0], request);
            stream.write_all(answer).unwrap();
            stream
        };
        answer(b'x', b"v\x01\0\0\0\x63");
        // The node looks whether the name is its own, registered at another address.
        answer(b'z', b"w\x01");
        answer(b'x', b"v\0\0\0\0\x07")
    });
    let node = place.node("node");
    assert!(node.is_distributed());
    drop(answers.join().unwrap());
}

/// A node whose net_kernel is killed repeatedly finally has no name, and can get it back.
/// (`net_services` kills it fewer times.)
#[test]
fn killing_net_kernel_repeatedly_stops_the_distribution() {
    let place = Place::new();
    let there = place.node("there");
    place.node("here").block_on(async move {
        let (name, peer) = (place.name("here"), place.name("there"));
        for _ in 0..3 {
            monitor_nodes(true);
            assert_eq!(ping(&peer).await, PingAnswer::Pong);
            let remote = spawn_on(&peer, named_answerer("remote".into(), self_pid())).await;
            next!(support::Answer);
            let monitor = fika::process::monitor(remote);
            while is_alive() {
                if let Some(net_kernel) = whereis("net_kernel") {
                    exit_process(net_kernel, ExitReason::Kill);
                }
                yield_now().await;
            }
            assert_eq!(down(monitor).await, ExitReason::Noconnection);
            assert_eq!(nodedown(&peer).await.reason, NodeDownReason::NetKernelTerminated);
            assert_eq!(nodedown(&name).await.reason, NodeDownReason::NetKernelTerminated);
            monitor_nodes(false);
            assert!(!is_alive());
            start_distribution(&name).await.unwrap();
            send(("remote", &*peer), support::EndWith(ExitReason::Normal));
            let gone = down(fika::process::monitor(("remote", &*peer))).await;
            assert!(matches!(gone, ExitReason::Normal | ExitReason::Noproc), "{gone}");
        }
    });
    drop(there);
}

/// If the node is stopped while others connect, ask, watch and send, each of them gets an answer.
#[test]
fn stopping_answers_all_pending_requests() {
    let place = Place::new();
    let there = place.node("there");
    nameless(place).block_on(async move {
        let (name, peer) = (place.name("here"), place.name("there"));
        for round in 0..30 {
            start_distribution(&name).await.unwrap();
            let mut askers = Vec::new();
            for n in 0..12 {
                let (peer, missing) = (peer.clone(), place.name(&format!("missing{n}")));
                askers.push(fika::process::spawn_monitor(async move {
                    match n % 4 {
                        0 => drop(connect_node(&peer).await),
                        1 => drop(connect_node(&missing).await),
                        2 => drop(
                            down(fika::process::monitor(spawn_on(&peer, answerer()).await)).await,
                        ),
                        _ if fika::net::monitor_node(&missing, true).is_ok() => {
                            drop(next!(NodeDown))
                        }
                        _ => {}
                    }
                }));
            }
            for _ in 0..round {
                yield_now().await;
            }
            assert!(stop_distribution().await);
            for (_, monitor) in askers {
                assert_eq!(down(monitor).await, ExitReason::Normal, "round {round}");
            }
        }
    });
    drop(there);
}
