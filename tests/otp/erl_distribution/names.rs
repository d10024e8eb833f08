//! Cases of `erl_distribution_SUITE` about nodes that get their name from their first peer.

use super::super::*;

use fika::net::NodeType;

/// A node that its first peer will name, with this cookie.
fn unnamed(place: Place, cookie: &str) -> TestNode {
    TestNode::of(place.builder("undefined").cookie(cookie))
}

/// DIST-4: a node keeps its name as long as the connection that gave it the name.
#[test]
fn dyn_node_name() {
    let place = Place::new();
    let there = place.os("there").start();
    unnamed(place, support::COOKIE).block_on(async move {
        let peer = place.name("there");
        let mut names = std::collections::BTreeSet::new();
        for _ in 0..20 {
            assert_eq!(self_node().name(), NodeName::nonode());
            assert_eq!(fika::net::nodes_of(NodeKind::Connected), []);
            fika::net::monitor_nodes_of(NodeKind::Connected, true);
            assert_eq!(fika::net::connect_node(&peer).await, Some(true));
            let own = self_node().name();
            assert_eq!((own.host(), fika::net::is_alive()), (&*place.ip.to_string(), true));
            assert!(names.insert(own.clone()), "{own} again");
            assert_eq!(fika::net::nodes_of(NodeKind::Hidden), [peer.parse().unwrap()]);
            let up: [fika::net::NodeUp; 2] = [next!(fika::net::NodeUp), next!(fika::net::NodeUp)];
            assert_eq!((&up[0].node, up[0].node_type), (&own, NodeType::Visible));
            assert_eq!((up[1].node.as_str(), up[1].node_type), (&*peer, NodeType::Hidden));
            spawn_on(&peer, reports_hidden(self_pid())).await;
            assert_eq!(next!(Vec<NodeName>), std::slice::from_ref(&own), "as the peer has it");

            assert_eq!(disconnect_node(&peer).await, Some(true));
            assert_eq!(nodedown(&peer).await.reason, fika::net::NodeDownReason::Disconnect);
            let reason = nodedown(own.as_str()).await.reason;
            assert_eq!(reason, fika::net::NodeDownReason::NetKernelTerminated);
            assert!(fika::net::is_alive(), "the node may get another name");
            fika::net::monitor_nodes_of(NodeKind::Connected, false);
            none!(fika::net::NodeUp);
            none!(fika::net::NodeDown);
        }
    });
    drop(there);
}

/// Reports to a process which hidden nodes this one is connected to.
#[remote(name = "test::reports_hidden")]
async fn reports_hidden(to: Pid) {
    send(to, fika::net::nodes_of(NodeKind::Hidden));
}

/// DIST-4, DIST-8: the connection that gives the name uses the cookie that was set for the peer.
/// That cookie and the node's own cookie remain when the node loses its name.
#[test]
fn dyn_differing_cookies() {
    const THEIRS: &str = "the cookie of the mother node";
    let place = Place::new();
    let there = place.os("there").cookie(THEIRS).start();
    let peer = place.name("there");
    let name = peer.clone();
    unnamed(place, "the cookie of the dynamic node").block_on(async move {
        assert_eq!(
            fika::net::connect_node(&name).await,
            Some(false),
            "the peer has another cookie"
        );
        assert_eq!(self_node().name(), NodeName::nonode());
        fika::net::set_cookie_for(&name, THEIRS).unwrap();
        fika::net::monitor_nodes(true);
        for _ in 0..3 {
            assert_eq!(fika::net::connect_node(&name).await, Some(true));
            assert_answers(spawn_on(&name, answerer()).await, 1).await;
            let own = self_node().name();
            assert_eq!(disconnect_node(&name).await, Some(true));
            nodedown(own.as_str()).await;
            assert_eq!(fika::net::nodes_of(NodeKind::Connected), []);
        }
    });
    // The cookie comes from the node's settings for the peer, or as the cookie for all peers.
    let builder = place.builder("undefined").cookie("the cookie of the dynamic node");
    let with_cookie = TestNode::of(builder.cookie_for(&peer, THEIRS));
    for node in [with_cookie, unnamed(place, THEIRS)] {
        let name = peer.clone();
        node.block_on(async move { assert_eq!(fika::net::connect_node(&name).await, Some(true)) });
    }
    drop(there);
}
