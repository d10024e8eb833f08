//! The messages about nodes: what gives none, and in which order they come.
#![deny(warnings)]

#[macro_use]
mod support;

use std::sync::mpsc;
use std::time::Duration;

use fika::NodeDownReason;
use fika::prelude::*;

use support::{LIMIT, Place, TestNode, nodedown, nodeup};

/// NMON-11, HS-8: attempts that fail, be they for want of a node or of a cookie, at both ends.
#[test]
fn an_attempt_that_fails_is_told_to_nobody() {
    let place = Place::new();
    let there = place.node("there");
    let stranger = TestNode::of(place.builder("stranger").cookie("a cookie of its own, and long"));
    let (report, reports) = mpsc::channel();
    let quiet = |node: &TestNode| {
        let report = report.clone();
        let pid = node.spawn(async move {
            fika::monitor_nodes_of(fika::NodeKind::Connected, true);
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

/// NMON-12, NMON-8: a node that goes and comes again at once is told of in this order, in every
/// subscription.
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
                // Whatever comes next is the next in turn.
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
        // The next one connects while the loss of the last one may not have been noticed.
        let peer = place.node("peer");
        let own = place.name("here");
        peer.block_on(async move { assert_eq!(ping(own).await, PingAnswer::Pong) });
    }
    for _ in 0..3 {
        reports.recv_timeout(LIMIT).unwrap();
    }
}

/// TICK-7: who has a much larger time is given up by the other, for whom it is silent too long.
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
