//! EPMD-19: nodes that find each other without a port mapper.

use crate::support;

use std::collections::BTreeMap;
use std::future::pending;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};

use fika::net::discovery::{FixedPort, NodeAddr, Resolver, Resolving, StaticNodes, resolver_fn};
use fika::net::{Ping as PingAnswer, StartError, ping};
use fika::node::{NodeError, NodeName};
use fika::prelude::*;
use support::{Place, TestNode};

/// All ports at the address of a place are free.
const PORT: u16 = 4001;

#[track_caller]
fn assert_no_mapper(place: Place) {
    assert!(TcpStream::connect(place.mapper_addr()).is_err(), "there is a port mapper");
}

#[remote]
async fn adder() {
    receive! { (from, a, b): (Pid, u64, u64) => send(from, a + b) }
}

/// Checks that they are connected and can be used.
fn assert_connected(node: &TestNode, peer: &str) {
    let peer: NodeName = peer.parse().unwrap();
    node.block_on(async move {
        assert_eq!(ping(peer.clone()).await, PingAnswer::Pong);
        let there = spawn_on(peer, adder()).await;
        send(there, (self_pid(), 40_u64, 2_u64));
        receive! { sum: u64 => assert_eq!(sum, 42) }
    });
}

fn pings(node: &TestNode, peer: &str) -> PingAnswer {
    let peer: NodeName = peer.parse().unwrap();
    node.block_on(async move { ping(peer).await })
}

/// A table finds two nodes, one of which is another program that is killed and restarted.
#[test]
fn a_static_table() {
    let place = Place::new();
    let names = ["a", "b"].map(|alive| place.name(alive));
    let table = [0, 1].map(|n| format!("{}:{}", names[n], PORT + n as u16));
    let a = TestNode::of(place.builder("a").resolver(StaticNodes::new(&table).unwrap()));
    let mut b = place.os("b").nodes(&table).start();
    assert_connected(&a, &names[1]);
    assert_eq!(a.nodes().len(), 1);
    b.kill();
    assert_eq!(pings(&a, &place.name("c")), PingAnswer::Pang, "it is not in the table");
    let _b = place.os("b").nodes(&table).start();
    support::until("it is found again", || pings(&a, &names[1]) == PingAnswer::Pong);
    assert_connected(&a, &names[1]);
    assert_no_mapper(place);
}

/// Each node has its own address, and all have the same port.
#[test]
fn a_fixed_port() {
    let places = [Place::new(), Place::new()];
    let nodes = places.map(|place| TestNode::of(place.builder("n").resolver(FixedPort(PORT))));
    assert_connected(&nodes[0], &places[1].name("n"));
    assert_connected(&nodes[1], &places[0].name("n"));
    let error = places[0].builder("m").resolver(FixedPort(PORT)).build().unwrap_err();
    assert!(matches!(error, NodeError::Start(StartError::Listen { .. })), "{error:?}");
    places.into_iter().for_each(assert_no_mapper);
}

/// A directory in which nodes register themselves and find each other.
#[derive(Clone, Default)]
struct Board(Arc<Mutex<BTreeMap<NodeName, SocketAddr>>>);

impl Resolver for Board {
    fn register<'a>(&'a self, own: &'a NodeName, listens: SocketAddr) -> Resolving<'a, ()> {
        Box::pin(async move {
            match self.0.lock().unwrap().insert(own.clone(), listens) {
                None => Ok(()),
                Some(_) => Err(format!("{own} is there already").into()),
            }
        })
    }

    fn resolve<'a>(&'a self, node: &'a NodeName) -> Resolving<'a, Option<NodeAddr>> {
        Box::pin(async move {
            // A resolver may wait.
            sleep(millis(1)).await;
            Ok(self.0.lock().unwrap().get(node).copied().map(NodeAddr::At))
        })
    }
}

#[test]
fn a_custom_resolver() {
    let place = Place::new();
    let board = Board::default();
    // The names do not contain the addresses of the nodes.
    let builder = |name: &str| place.builder_of(name).resolver(board.clone());
    let [a, b, _c] = ["a@x", "b@y", "c@z"].map(|name| TestNode::of(builder(name)));
    assert_connected(&a, "b@y");
    assert_connected(&b, "c@z");
    support::until("the mesh is full", || a.nodes().len() == 2);
    assert_eq!(pings(&a, "d@x"), PingAnswer::Pang);
    let error = builder("a@x").build().unwrap_err();
    assert!(matches!(error, NodeError::Start(StartError::Resolver(_))), "{error:?}");
    assert!(error.to_string().contains("a@x is there already"), "{error}");
    assert_no_mapper(place);
}

/// A node releases the address that it was given when it stops.
#[test]
fn a_stopped_node_releases_its_address() {
    let place = Place::new();
    let board = Board::default();
    let builder = |name: &str| place.builder_of(name).resolver(board.clone());
    let nodes = ["a@x", "b@y"].map(|name| TestNode::of(builder(name)));
    assert_connected(&nodes[0], "b@y");
    assert!(Arc::strong_count(&board.0) > 1);
    drop(nodes);
    support::until("both are gone", || Arc::strong_count(&board.0) == 1);
}

/// DIST-18: whatever a resolver does, an attempt ends, and the next one can succeed.
#[test]
fn a_failing_resolver() {
    let place = Place::new();
    let b = TestNode::of(place.builder("b"));
    let at_b = place.addr_of("b");
    let nobody = (place.ip, PORT).into();
    let resolver = resolver_fn(move |node: NodeName| async move {
        match node.alive() {
            // The answer may be false: the node at this address is another one.
            "b" | "liar" => Ok(Some(NodeAddr::At(at_b))),
            "nobody" => Ok(Some(NodeAddr::At(nobody))),
            "error" => Err("no such service".into()),
            "panic" => panic!("a resolver panics in a test"),
            "silence" => pending().await,
            "suicide" => exit(ExitReason::Kill),
            _ => Ok(None),
        }
    });
    let builder = place.builder("a").net_setuptime(millis(200)).resolver(resolver);
    let a = TestNode::of(builder);
    for alive in ["liar", "nobody", "error", "panic", "silence", "suicide", "none"] {
        for _ in 0..2 {
            assert_eq!(pings(&a, &place.name(alive)), PingAnswer::Pang, "{alive}");
        }
    }
    assert_eq!((a.nodes(), b.nodes()), (vec![], vec![]));
    assert_connected(&a, &place.name("b"));
}
