//! Cases of `distribution_SUITE` about nodes that get their name while they run.

use super::super::*;
use fika::net::disconnect_node;
use fika::process::yield_now;

use crate::support::until_in_process;

/// A node without a name.
fn nameless(place: Place) -> TestNode {
    TestNode::of(Node::builder().cookie(support::COOKIE).epmd_port(place.mapper).workers(2))
}

/// The name under which a node here asks its first peer for a name.
fn undefined(place: Place) -> String {
    place.name("undefined")
}

/// DIST-1, DIST-4, NMON-4: a process that sees that the node is alive can use other nodes at once.
#[test]
fn is_alive() {
    let place = Place::new();
    let there = place.os("there").start();
    nameless(place).block_on(async move {
        let (name, me) = (place.name("there"), self_pid());
        for asked in [place.name("here"), undefined(place)] {
            let peer = name.clone();
            assert!(!fika::net::is_alive());
            let refused = fika::net::monitor_node(&peer, true);
            assert!(matches!(refused, Err(fika::net::MonitorNodeError::NotAlive)), "{refused:?}");
            spawn(async move {
                until_in_process("it is alive", fika::net::is_alive).await;
                let is_dynamic = self_node().name() == fika::node::NodeName::nonode();
                fika::net::monitor_node(&peer, true).expect("it is alive");
                send(me, is_dynamic || nodedown_or_up(&peer).await);
            });
            // The process polls before the name exists.
            yield_now().await;
            fika::net::start_distribution(&asked).await.unwrap();
            assert!(next!(bool), "{asked}");
            if asked == undefined(place) {
                assert_eq!(self_node().name(), fika::node::NodeName::nonode());
                assert_eq!(fika::net::nodes_of(fika::net::NodeKind::Connected), []);
                assert_eq!(connect_node(&name).await, Some(true));
                assert_ne!(self_node().name(), fika::node::NodeName::nonode());
                assert!(fika::net::is_alive());
            }
            assert!(fika::net::stop_distribution().await);
        }
        assert!(!fika::net::is_alive());
    });
    drop(there);
}

/// Waits until the node is connected. Returns false if the node is reported down.
async fn nodedown_or_up(name: &str) -> bool {
    until_in_process("it is connected", || nodes().iter().any(|node| node.as_str() == name)).await;
    receive! {
        _: fika::net::NodeDown => false,
        after Duration::ZERO => true,
    }
}

/// DIST-4, NMON-1: watching a node fails as long as this node has no name. It works as usual once
/// there is a connection.
#[test]
fn dyn_node_name_monitor_node() {
    let place = Place::new();
    let there = place.os("there").start();
    nameless(place).block_on(async move {
        let peer = place.name("there");
        fika::net::start_distribution(undefined(place)).await.unwrap();
        fika::net::monitor_node(&peer, true).unwrap();
        assert_eq!(nodedown(&peer).await.reason, fika::net::NodeDownReason::ConnectionSetupFailed);
        assert_eq!(connect_node(&peer).await, Some(true));
        fika::net::monitor_node(&peer, true).unwrap();
        assert_answers(spawn_on(&peer, answerer()).await, 1).await;
        none!(fika::net::NodeDown);
        drop(there);
        assert_eq!(nodedown(&peer).await.reason, fika::net::NodeDownReason::ConnectionClosed);
        none!(fika::net::NodeDown);
    });
}

/// DIST-4, MON-17: before the node is distributed, a monitor of another node's process is `badarg`.
/// While the node waits for its name, the monitor gives `noconnection`. Afterwards it works.
#[test]
fn dyn_node_name_monitor() {
    let place = Place::new();
    let there = place.os("there").start();
    nameless(place).block_on(async move {
        let peer = place.name("there");
        let name = peer.clone();
        let (_, monitor) = spawn_monitor(async move {
            let _ = fika::process::monitor(("net_kernel", &*name));
        });
        assert!(matches!(down(monitor).await, ExitReason::Badarg(_)));

        fika::net::start_distribution(undefined(place)).await.unwrap();
        let in_vain = fika::process::monitor(("net_kernel", &*peer));
        assert_eq!(down(in_vain).await, ExitReason::Noconnection);
        assert_eq!(connect_node(&peer).await, Some(true));
        let monitor = fika::process::monitor(("net_kernel", &*peer));
        assert_eq!(fika::net::nodes_of(fika::net::NodeKind::Hidden), [peer.parse().unwrap()]);
        assert_answers(spawn_on(&peer, answerer()).await, 1).await;
        none!(Down);
        assert_eq!(disconnect_node(&peer).await, Some(true));
        assert_eq!(down(monitor).await, ExitReason::Noconnection);
    });
    drop(there);
}
