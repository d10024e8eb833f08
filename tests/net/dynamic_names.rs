//! A node that gets its name from the first node that it connects to (DIST-4).
#![deny(warnings)]

use crate::support;

use std::collections::BTreeSet;
use std::time::Duration;

use fika::net::{
    NodeDownReason, NodeKind, Ping as PingAnswer, StartError, disconnect_node, is_alive, nodes_of,
    ping, start_distribution, stop_distribution,
};
use fika::node::NodeName;
use fika::prelude::*;
use fika::process::SpawnError;

use support::{Place, TestNode, answerer, down, exit_of, nodedown, until, until_in_process};

/// Starts a node that its first peer will name.
fn unnamed(place: Place) -> TestNode {
    place.node("undefined")
}

fn is_nameless() -> bool {
    self_node().name() == NodeName::nonode()
}

/// DIST-4: a node without a name stays unconnected until it connects explicitly, and has no name
/// until then.
#[test]
fn only_an_explicit_request_connects_a_nameless_node() {
    let place = Place::new();
    let there = place.node("there");
    unnamed(place).block_on(async move {
        let peer = place.name("there");
        for _ in 0..3 {
            assert!(is_nameless() && is_alive());
            send(("net_kernel", &*peer), ());
            assert_eq!(spawn_on_answer(&peer).await, Err(SpawnError::Noconnection));
            assert_eq!(disconnect_node(&peer).await, Some(false));
            assert_eq!(nodes_of(NodeKind::Connected), []);
            assert_eq!(connect_node(place.name("nobody")).await, Some(false));
            assert!(is_nameless(), "nobody gave it a name");
        }
        assert_eq!(ping(&peer).await, PingAnswer::Pang);
        assert!(is_nameless(), "a ping does not ask for a name");
        assert_eq!(connect_node(&peer).await, Some(true));
        assert!(!is_nameless());
        assert_eq!(ping(&peer).await, PingAnswer::Pong);
        let own = self_node().name();
        assert_eq!(ping(own.as_str()).await, PingAnswer::Pong, "of itself");
        assert_eq!(nodes(), [], "it is hidden");
        assert_eq!(spawn_on_answer(&peer).await, Ok(()));
    });
    assert_eq!(there.nodes(), [], "and to the peer, too");
}

async fn spawn_on_answer(peer: &str) -> Result<(), SpawnError> {
    let request =
        fika::process::spawn_request_on(peer, fika::process::RequestOpts::default(), answerer());
    receive! {
        fika::process::SpawnReply { reference, result } if reference == request => result.map(|_| ()),
        after support::LIMIT => panic!("no answer"),
    }
}

/// DIST-4, DIST-15: the name and all other connections go with the connection that brought the
/// name. Links, monitors and subscribers are notified of each loss once.
#[test]
fn losing_the_naming_connection_loses_the_name() {
    let place = Place::new();
    let _mapper = place.node("mapper");
    let mut first = place.os("first").start();
    let second = place.os("second").start();
    unnamed(place).block_on(async move {
        trap_exit(true);
        let (a, b) = (place.name("first"), place.name("second"));
        assert_eq!(connect_node(&a).await, Some(true));
        assert_eq!(connect_node(&b).await, Some(true));
        let own = self_node().name();
        let there = spawn_on(&b, answerer()).await;
        link(there);
        let monitor = monitor(there);
        fika::net::monitor_nodes_of(NodeKind::Connected, true);
        // The end of the second connection ends nothing else.
        assert_eq!(disconnect_node(&b).await, Some(true));
        assert_eq!(nodedown(&b).await.reason, NodeDownReason::Disconnect);
        assert_eq!(down(monitor).await, ExitReason::Noconnection);
        assert_eq!(exit_of(there).await, ExitReason::Noconnection);
        assert_eq!(self_node().name(), own);

        assert_eq!(connect_node(&b).await, Some(true));
        let there = spawn_on(&b, answerer()).await;
        link(there);
        let monitor = fika::process::monitor(there);
        first.kill();
        assert_eq!(nodedown(&a).await.reason, NodeDownReason::ConnectionClosed);
        assert_eq!(down(monitor).await, ExitReason::Noconnection);
        assert_eq!(exit_of(there).await, ExitReason::Noconnection);
        assert_eq!(nodedown(&b).await.reason, NodeDownReason::NetKernelTerminated);
        assert_eq!(nodedown(own.as_str()).await.reason, NodeDownReason::NetKernelTerminated);
        assert!(is_nameless());
        none!(fika::net::NodeDown);
        none!(Down);
        none!(Exit);
        // The next node that names it is the other one.
        assert_eq!(connect_node(&b).await, Some(true));
        assert!(!is_nameless() && self_node().name() != own);
    });
    drop(second);
}

/// DIST-4, DIST-10: a pid from the time of the old name reaches no process under the new one.
#[test]
fn pids_of_an_old_name_reach_no_process() {
    let place = Place::new();
    let there = place.os("there").start();
    unnamed(place).block_on(async move {
        let peer = place.name("there");
        fika::net::monitor_nodes(true);
        assert_eq!(connect_node(&peer).await, Some(true));
        let keeper = spawn_on(&peer, keeps(self_pid())).await;
        send(keeper, 1_u64);
        assert_eq!(next!(u64), 1);
        let own = self_node().name();
        assert_eq!(disconnect_node(&peer).await, Some(true));
        nodedown(own.as_str()).await;
        assert_eq!(connect_node(&peer).await, Some(true));
        send(keeper, 2_u64);
        // The process itself is unchanged, and can be sent its peer again.
        send(keeper, self_pid());
        send(keeper, 3_u64);
        assert_eq!(next!(u64), 3, "the one before has reached nobody");
    });
    drop(there);
}

/// Forwards all numbers to the process whose pid it received last.
#[remote(name = "test::dynamic_names::keeps")]
async fn keeps(mut to: Pid) {
    loop {
        receive! {
            pid: Pid => to = pid,
            n: u64 => send(to, n),
        }
    }
}

/// DIST-4: of several simultaneous attempts, one brings the name, and all connections are made
/// under it.
#[test]
fn several_first_connections() {
    let place = Place::new();
    let peers: Vec<TestNode> = (0..4).map(|n| place.node(&format!("n{n}"))).collect();
    let node = unnamed(place);
    for round in 0..10 {
        node.block_on(async move {
            fika::net::monitor_nodes(true);
            let me = self_pid();
            // A missing node is among them, at each position.
            for n in 0..5_u64 {
                let n = (n + round) % 5;
                spawn(async move {
                    let peer = place.name(&format!("n{n}"));
                    send(me, (n, connect_node(&peer).await));
                });
            }
            for _ in 0..5 {
                let (n, is_there) = next!((u64, Option<bool>));
                assert_eq!(is_there, Some(n < 4), "{n}");
            }
            let own = self_node().name();
            assert!(!is_nameless());
            assert_eq!(nodes_of(NodeKind::Hidden).len(), 4, "{round}");
            assert!(stop_distribution().await);
            nodedown(own.as_str()).await;
            start_distribution(place.name("undefined")).await.unwrap();
        });
    }
    for peer in &peers {
        until("it is gone", || peer.block_on(async { nodes_of(NodeKind::Connected).is_empty() }));
    }
}

/// DIST-4: many nodes that ask one node at the same time get different names.
#[test]
fn many_names_of_one_node() {
    let place = Place::new();
    let there = place.node("there");
    let nodes: Vec<TestNode> = (0..12).map(|_| unnamed(place)).collect();
    let names: BTreeSet<NodeName> = std::thread::scope(|scope| {
        let asks = nodes.iter().map(|node| {
            scope.spawn(|| {
                let peer = place.name("there");
                node.block_on(async move {
                    assert_eq!(connect_node(&peer).await, Some(true));
                    self_node().name()
                })
            })
        });
        let asks: Vec<_> = asks.collect();
        asks.into_iter().map(|ask| ask.join().unwrap()).collect()
    });
    assert_eq!(names.len(), 12);
    there.block_on(until_in_process("it has them all", move || {
        nodes_of(NodeKind::Hidden).into_iter().collect::<BTreeSet<_>>() == names
    }));
    // The nodes reach each other through their pids. No new connections are made, because none of
    // the nodes listens.
    let (one, other) = (nodes[0].name(), nodes[1].clone());
    other.block_on(async move {
        assert_eq!(connect_node(one.as_str()).await, Some(false), "nobody listens there");
    });
}

/// DIST-1, DIST-4: a node is started and stopped with such a name and with its own. It can also be
/// stopped without a name.
#[test]
fn starts_and_stops() {
    let place = Place::new();
    let there = place.node("there");
    let node = TestNode::of(Node::builder().cookie(support::COOKIE).epmd_port(place.mapper));
    node.block_on(async move {
        let (undefined, peer) = (place.name("undefined"), place.name("there"));
        fika::net::monitor_nodes_of(NodeKind::Connected, true);
        for round in 0..10 {
            start_distribution(&undefined).await.unwrap();
            let twice = start_distribution(place.name("here")).await;
            assert!(matches!(twice, Err(StartError::AlreadyStarted(_))), "{twice:?}");
            none!(fika::net::NodeUp);
            if round % 2 == 0 {
                assert_eq!(connect_node(&peer).await, Some(true));
                let own = self_node().name();
                assert!(stop_distribution().await);
                assert_eq!(next!(fika::net::NodeUp).node, own);
                assert_eq!(next!(fika::net::NodeUp).node.as_str(), peer);
                assert_eq!(next!(fika::net::NodeDown).node.as_str(), peer);
                assert_eq!(next!(fika::net::NodeDown).node, own);
            } else {
                assert!(stop_distribution().await);
            }
            none!(fika::net::NodeDown);
            assert!(is_nameless() && !is_alive());
            assert_eq!(connect_node(&peer).await, None, "ignored");

            start_distribution(place.name("here")).await.unwrap();
            assert_eq!(self_node().name().as_str(), place.name("here"));
            assert_eq!(next!(fika::net::NodeUp).node.as_str(), place.name("here"));
            assert!(stop_distribution().await);
            assert_eq!(next!(fika::net::NodeDown).node.as_str(), place.name("here"));
        }
    });
    drop(there);
}

/// HS-13, HS-8, DIST-2: a node that is refused gets no name. The reason is an allow list, a cookie,
/// or a long name on one side and a short one on the other.
#[test]
fn a_refused_node_gets_no_name() {
    let place = Place::new();
    let there = TestNode::of(place.builder("there").allow(["10.9.8.7"]));
    let peer = place.name("there");
    let refused = |builder: fika::node::NodeBuilder| {
        let peer = peer.clone();
        TestNode::of(builder).block_on(async move {
            assert_eq!(connect_node(&peer).await, Some(false));
            assert!(is_nameless());
        });
    };
    refused(place.builder("undefined"));
    let ip = place.ip.to_string();
    there.block_on(async move { fika::net::allow([ip]).unwrap() });
    refused(place.builder("undefined").cookie("another cookie, not theirs"));
    refused(place.builder_of("undefined@short"));
    let peer = peer.clone();
    unnamed(place).block_on(async move { assert_eq!(connect_node(&peer).await, Some(true)) });
}

/// DIST-4: a node whose peer closes repeatedly, at any moment, ends without a name each time, and
/// can get another one.
#[test]
fn the_peer_closes_repeatedly() {
    let place = Place::new();
    let there = place.node("there");
    there.spawn(async move {
        loop {
            for node in nodes_of(NodeKind::Connected) {
                disconnect_node(node.as_str()).await;
            }
            sleep(Duration::from_micros(200)).await;
        }
    });
    unnamed(place).block_on(async move {
        let peer = place.name("there");
        let mut names = BTreeSet::new();
        for _ in 0..support::times(200, 20_000) {
            // The connection may be lost before it was up, and before this process is notified.
            match connect_node(&peer).await {
                Some(true) => {
                    names.insert(self_node().name());
                }
                Some(false) => {}
                None => panic!("it is alive all the time"),
            }
            until_in_process("the name is lost", is_nameless).await;
        }
        names.remove(&NodeName::nonode());
        assert!(names.len() > 10, "{}", names.len());
    });
}
