//! The messages about nodes: when there are no messages, and in which order the others come.
#![deny(warnings)]

use crate::support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use fika::net::{
    NodeDownReason, NodeKind, Ping as PingAnswer, connected_nodes, disconnect_node, monitor_nodes,
    nodes_of, ping,
};
use fika::node::NodeName;
use fika::prelude::*;
use fika::process::spawn_monitor_on;
use fika_net::Distribution;
use serde::{Deserialize, Serialize};

use support::transport::{DAWDLES, Way, Wrapped};
use support::{LIMIT, Place, TestNode, answerer, assert_answers, nodedown, nodeup};

/// NMON-11, HS-8: a failed attempt gives no message at either end, whether the node or the right
/// cookie is missing.
#[test]
fn a_failed_attempt_is_not_reported() {
    let place = Place::new();
    let there = place.node("there");
    let stranger = TestNode::of(place.builder("stranger").cookie("a cookie of its own, and long"));
    let (report, reports) = mpsc::channel();
    let quiet = |node: &TestNode| {
        let report = report.clone();
        let pid = node.spawn(async move {
            fika::net::monitor_nodes_of(NodeKind::Connected, true);
            report.send(()).unwrap();
            next!(());
            none!(NodeUp);
            none!(NodeDown);
            report.send(()).unwrap();
        });
        reports.recv_timeout(LIMIT).unwrap();
        pid.unwrap()
    };
    let watchers = [(&there, quiet(&there)), (&stranger, quiet(&stranger))];
    stranger.block_on(async move {
        for _ in 0..20 {
            assert_eq!(ping(place.name("there")).await, PingAnswer::Pang);
            assert_eq!(ping(place.name("missing")).await, PingAnswer::Pang);
        }
    });
    for (node, watcher) in watchers {
        node.send(watcher, ()).unwrap();
        reports.recv_timeout(LIMIT).expect("it has seen nothing");
    }
}

/// NMON-8, NMON-12: every subscription reports a node that goes and comes back at once in this
/// order.
#[test]
fn a_node_that_comes_back_quickly() {
    let place = Place::new();
    let name = place.name("peer");
    let (report, reports) = mpsc::channel();
    let here = place.node("here");
    let rounds = 10;
    for _ in 0..3 {
        let (report, name) = (report.clone(), name.clone());
        here.spawn(async move {
            monitor_nodes(true);
            report.send(()).unwrap();
            let mut last = 0;
            for _ in 0..rounds {
                // The next message is the next one in the order.
                receive! {
                    NodeUp { connection, .. } => {
                        assert!(connection > last, "a connection of its own");
                        last = connection;
                    }
                    NodeDown { .. } => panic!("a nodedown without a nodeup"),
                    after LIMIT => panic!("no nodeup of {name}"),
                }
                receive! {
                    NodeDown { connection, .. } => assert_eq!(connection, last),
                    NodeUp { .. } => panic!("a nodeup before the nodedown"),
                    after LIMIT => panic!("no nodedown of {name}"),
                }
            }
            report.send(()).unwrap();
        });
        reports.recv_timeout(LIMIT).unwrap();
    }
    for _ in 0..rounds {
        // The next node connects, perhaps before the loss of the last one was noticed.
        let peer = place.node("peer");
        let own = place.name("here");
        peer.block_on(async move { assert_eq!(ping(own).await, PingAnswer::Pong) });
    }
    for _ in 0..3 {
        reports.recv_timeout(LIMIT).unwrap();
    }
}

/// TICK-7: a node with a much larger ticktime is given up by the other node, because it is silent
/// for too long.
#[test]
fn nodes_with_different_ticktimes() {
    let place = Place::new();
    let slow = TestNode::of(place.builder("slow").net_ticktime(secs(3600)));
    let fast = TestNode::of(place.builder("fast").net_ticktime(millis(400)));
    fast.block_on(async move {
        let name = place.name("slow");
        monitor_nodes(true);
        assert_eq!(ping(&name).await, PingAnswer::Pong);
        nodeup(&name).await;
        assert_eq!(nodedown(&name).await.reason, NodeDownReason::NetTickTimeout);
    });
    drop(slow);
}

/// DIST-13: `nodes_of` returns each kind of nodes, and unions of several kinds.
#[test]
fn kinds_of_nodes() {
    let place = Place::new();
    // No node connects because of another.
    let node = |alive| TestNode::of(place.builder(alive).connect_all(false));
    let visible = ["v1", "v2"].map(node);
    let hidden = TestNode::of(place.builder("h").hidden(true));
    node("here").block_on(async move {
        use NodeKind::{Connected, Hidden, Known, This, Visible};
        let names = |list: &[&str]| -> Vec<NodeName> {
            list.iter().map(|alive| place.name(alive).parse().unwrap()).collect()
        };
        assert_eq!(nodes_of(Known), names(&["here"]), "nobody else");
        for alive in ["h", "v2", "v1"] {
            assert_eq!(ping(place.name(alive)).await, PingAnswer::Pong);
        }
        type Case<'a> = (&'a [NodeKind], &'a [&'a str]);
        let cases: [Case; 9] = [
            (&[], &[]),
            (&[Visible], &["v1", "v2"]),
            (&[Hidden], &["h"]),
            (&[Connected], &["h", "v1", "v2"]),
            (&[This], &["here"]),
            (&[Hidden, This], &["h", "here"]),
            (&[Visible, Hidden], &["h", "v1", "v2"]),
            (&[This, Connected, Visible, This], &["h", "here", "v1", "v2"]),
            (&[Known], &["h", "here", "v1", "v2"]),
        ];
        for (kinds, expected) in cases {
            assert_eq!(nodes_of(kinds), names(expected), "{kinds:?}");
        }
        assert_eq!(nodes(), names(&["v1", "v2"]));
        // A node that has gone is known, and one that never existed is not.
        assert_eq!(disconnect_node(place.name("v1")).await, Some(true));
        assert_eq!(ping(place.name("none")).await, PingAnswer::Pang);
        fika_until(|| nodes() == names(&["v2"])).await;
        assert_eq!(nodes_of([Connected, This]), names(&["h", "here", "v2"]));
        fika_until(|| nodes_of(Known) == names(&["h", "here", "v1", "v2"])).await;
    });
    drop((visible, hidden));
}

#[derive(Message, Serialize, Deserialize)]
struct Refers(Pid, Vec<u8>);

/// Sends the pid of a process on a third node, in a message of this many bytes.
#[remote]
async fn refers(to: Pid, third: String, bytes: usize) {
    send(to, Refers(spawn_on(third, answerer()).await, vec![7; bytes]));
}

#[remote]
async fn ends_with_a_pid(third: String) {
    exit(ExitReason::term(spawn_on(third, answerer()).await));
}

/// DIST-13: a node that something refers to is known without a connection to it, and stays known
/// when the connection is lost over which it was mentioned.
#[test]
fn nodes_in_use_are_known() {
    let place = Place::new();
    let node = |alive| TestNode::of(place.builder(alive).connect_all(false));
    let others = ["there", "v1", "v2", "v3", "v4"].map(node);
    node("here").block_on(async move {
        let known = |list: &[&str]| {
            let names = list.iter().map(|alive| place.name(alive).parse().unwrap());
            assert_eq!(nodes_of(NodeKind::Known), names.collect::<Vec<NodeName>>());
        };
        let there = place.name("there");
        let first = spawn_on(&there, refers(self_pid(), place.name("v1"), 0)).await;
        let Refers(third, _) = next!(Refers);
        assert_eq!(
            (first.node().name(), third.node().name().as_str()),
            (there.parse().unwrap(), &*place.name("v1"))
        );
        known(&["here", "there", "v1"]);
        // The message comes in pieces.
        spawn_on(&there, refers(self_pid(), place.name("v2"), 300 << 10)).await;
        next!(Refers);
        known(&["here", "there", "v1", "v2"]);
        let (_, end) = spawn_monitor_on(&there, ends_with_a_pid(place.name("v3"))).await;
        support::down(end).await;
        known(&["here", "there", "v1", "v2", "v3"]);
        assert_eq!(nodes(), [there.parse().unwrap()], "known, and no more");
        assert_eq!(disconnect_node(&there).await, Some(true));
        known(&["here", "there", "v1", "v2", "v3"]);
    });
    drop(others);
}

async fn fika_until(is_so: impl FnMut() -> bool) {
    support::until_in_process("the list is so", is_so).await;
}

/// DIST-14: each connection to a node has its own id, in lists and in messages.
#[test]
fn ids_of_connections() {
    let place = Place::new();
    let there = place.node("there");
    place.node("here").block_on(async move {
        monitor_nodes(true);
        let name = place.name("there");
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..20 {
            assert_eq!(ping(&name).await, PingAnswer::Pong);
            let up = nodeup(&name).await;
            let listed = connected_nodes();
            assert_eq!((listed.len(), listed[0].connection), (1, up.connection));
            assert!(seen.insert(up.connection), "{seen:?}");
            assert_eq!(disconnect_node(&name).await, Some(true));
            assert_eq!(nodedown(&name).await.connection, up.connection);
        }
    });
    drop(there);
}

/// HS-7: a node that closes a connection can make another at once. It does not wait for the end of
/// the first connection, which the peer's net_kernel might not know yet. A later report about the
/// first connection does not affect the second one.
#[test]
fn a_node_that_disconnects_can_reconnect_at_once() {
    let place = Place::new();
    let builder =
        place.builder("there").network(|poller| Ok(Wrapped(poller, Way::Dawdling(Arc::default()))));
    let there = TestNode::of(builder);
    place.node("here").block_on(async move {
        let name = place.name("there");
        for round in 0..10 {
            assert_eq!(ping(&name).await, PingAnswer::Pong, "round {round}");
            if round % 2 == 1 {
                let pid = spawn_on(&name, answerer()).await;
                let clock = support::Clock::new();
                while clock.elapsed() < DAWDLES[0] {
                    assert_answers(pid, 1).await;
                }
            }
            assert_eq!(disconnect_node(&name).await, Some(true), "round {round}");
        }
    });
    drop(there);
}

/// The subscriptions of a process end with the process.
#[test]
fn subscriptions_of_a_process_that_ends() {
    let here = Place::new().node("here");
    let net = Distribution::of(here.__runtime()).unwrap();
    here.block_on(async move {
        let clock = support::Clock::new();
        let (pid, end) = spawn_monitor(async {
            monitor_nodes(true);
            next!(())
        });
        while net.tables().await.subscriptions == 0 {
            assert!(clock.elapsed() < LIMIT, "there is no subscription");
        }
        exit_process(pid, ExitReason::Kill);
        assert_eq!(support::down(end).await, ExitReason::Killed);
        while net.tables().await.subscriptions > 0 {
            assert!(clock.elapsed() < LIMIT, "there is still a subscription");
        }
    });
}

/// A peer's attempt that fails after its proof leaves nothing behind: the next attempt connects.
#[test]
fn an_attempt_that_fails_at_its_end() {
    let place = Place::new();
    let fails = Arc::new(AtomicBool::new(true));
    let way = Way::NoProof(fails.clone());
    let here = TestNode::of(place.builder("here").network(move |poller| Ok(Wrapped(poller, way))));
    let there = place.node("there");
    let answer = |node: &TestNode, peer: &str| {
        let peer = place.name(peer);
        node.block_on(async move { timeout(LIMIT, ping(peer)).await.expect("an answer") })
    };
    assert_eq!(answer(&there, "here"), PingAnswer::Pang);
    fails.store(false, Ordering::SeqCst);
    assert_eq!(answer(&here, "there"), PingAnswer::Pong);
}

/// SIG-13, MON-16, DIST-15: a process is notified of one loss by a link, a monitor, a watch of the
/// node and a subscription, once each. The first two come before the others.
#[test]
fn one_loss_is_reported_to_every_watcher_once() {
    let place = Place::new();
    let here = place.node("here");
    for _ in 0..support::times(10, 150) {
        let mut there = place.os("there").start();
        let (ready, is_ready) = mpsc::channel();
        let (tx, rx) = mpsc::channel();
        here.spawn(async move {
            trap_exit(true);
            let name = place.name("there");
            let pid = spawn_on(&name, answerer()).await;
            assert_answers(pid, 1).await;
            link(pid);
            monitor(pid);
            fika::net::monitor_node(&name, true).unwrap();
            monitor_nodes(true);
            ready.send(()).unwrap();
            let mut order = String::new();
            while order.len() < 4 {
                receive! {
                    _: Exit => order.push('e'),
                    _: Down => order.push('d'),
                    _: NodeDown => order.push('n'),
                    after LIMIT => panic!("no more than {order}"),
                }
            }
            none!(Exit);
            none!(Down);
            none!(NodeDown);
            tx.send(order).unwrap();
        });
        is_ready.recv_timeout(LIMIT).unwrap();
        there.kill();
        let order = rx.recv_timeout(LIMIT).expect("all of it comes");
        assert!(order.ends_with('n') && order.matches('n').count() == 2, "{order}");
        assert!(order.contains('e') && order.contains('d'), "{order}");
    }
}

/// NMON-10: if the acceptor ends, the node loses its name. All processes are notified, and the node
/// can start again.
#[test]
fn losing_the_acceptor_stops_the_distribution() {
    let place = Place::new();
    let there = place.os("there").start();
    let is_deaf = Arc::new(AtomicBool::new(false));
    let way = Way::Deaf(is_deaf.clone());
    let builder = place.builder("here").network(move |poller| Ok(Wrapped(poller, way)));
    let here = TestNode::of(builder);
    here.block_on(async move {
        let name = place.name("there");
        monitor_nodes(true);
        let pid = spawn_on(&name, answerer()).await;
        let monitor = monitor(pid);
        nodeup(&name).await;
        fika::net::monitor_node(&name, true).unwrap();
        is_deaf.store(true, Ordering::SeqCst);
        // A node tries to connect.
        let addr = place.addr_of("here");
        drop(std::net::TcpStream::connect(addr));
        for node in [&name, &name, &place.name("here")] {
            assert_eq!(nodedown(node).await.reason, NodeDownReason::NoNetwork, "{node}");
        }
        assert_eq!(support::down(monitor).await, ExitReason::Noconnection);
        none!(NodeDown);
        assert!(!fika::net::is_alive());
        is_deaf.store(false, Ordering::SeqCst);
        support::until_in_process("it has ended", || whereis("net_kernel").is_none()).await;
        fika::net::start_distribution(place.name("here")).await.unwrap();
        assert_answers(spawn_on(&name, answerer()).await, 1).await;
    });
    drop(there);
}

/// NMON-10: the next tick detects a transport that silently accepts nothing more, long before the
/// peer misses anything.
#[test]
fn a_tick_that_cannot_be_sent() {
    let place = Place::new();
    let there = place.os("there").start();
    let is_mute = Arc::new(AtomicBool::new(false));
    let way = Way::Mute(is_mute.clone());
    let builder = place.builder("here").net_ticktime(millis(400));
    let here = builder.network(move |poller| Ok(Wrapped(poller, way)));
    TestNode::of(here).block_on(async move {
        let name = place.name("there");
        monitor_nodes(true);
        let monitor = monitor(spawn_on(&name, answerer()).await);
        nodeup(&name).await;
        is_mute.store(true, Ordering::SeqCst);
        assert_eq!(nodedown(&name).await.reason, NodeDownReason::SendNetTickFailed);
        assert_eq!(support::down(monitor).await, ExitReason::Noconnection);
        is_mute.store(false, Ordering::SeqCst);
        assert_answers(spawn_on(&name, answerer()).await, 1).await;
    });
    drop(there);
}
