//! Ticks while a node is too busy to send them.
#![deny(warnings)]

use crate::support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fika::net::monitor_nodes;
use fika::prelude::*;

use support::process::OsNode;
use support::{Ask, Place, TestNode, answerer, assert_answers};

const TICKTIME: Duration = Duration::from_millis(1500);

/// Reports how many nodes it has seen go.
#[remote]
async fn counts_losses(to: Pid) {
    monitor_nodes(true);
    let mut losses = 0_u64;
    loop {
        receive! {
            _: NodeDown => losses += 1,
            Ask { n, .. } => send(to, (n, losses)),
        }
    }
}

/// Sends large messages back and forth.
#[remote]
async fn bounces() {
    loop {
        receive! { (from, bytes): (Pid, Vec<u8>) => send(from, (self_pid(), bytes)) }
    }
}

/// Connects its node to another one, and sends the answer.
#[remote]
async fn connects_and_answers(to: Pid, node: String) {
    send(to, connect_node(node).await);
}

/// TICK-4, TICK-6: a peer that hears only ticks keeps the connection, although for several
/// ticktimes there are more computing processes than workers, and more bytes in flight than a
/// connection takes. The busy peer keeps the connection, too.
#[test]
fn ticks_under_load() {
    let place = Place::new();
    let [quiet, busy] = ["quiet", "busy"].map(|alive| place.os(alive).ticktime(TICKTIME).start());
    let here =
        TestNode::of(place.builder("here").net_ticktime(TICKTIME).output_bytes(32 << 10, 64 << 10));
    let stop = Arc::new(AtomicBool::new(false));
    here.block_on(async move {
        let me = self_pid();
        monitor_nodes(true);
        let watch = spawn_on(place.name("quiet"), counts_losses(me)).await;
        for _ in 0..4 {
            let stop = stop.clone();
            spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
            let to = spawn_on(place.name("busy"), bounces()).await;
            let sender = spawn(async move {
                let mut bytes = vec![7_u8; 300_000];
                loop {
                    for _ in 0..4 {
                        send(to, (self_pid(), bytes.clone()));
                    }
                    for _ in 0..4 {
                        bytes = next!((Pid, Vec<u8>)).1;
                    }
                }
            });
            link(sender);
        }
        sleep(TICKTIME * 3).await;
        stop.store(true, Ordering::Relaxed);
        none!(NodeDown);
        send(watch, Ask { from: me, n: 1 });
        assert_eq!(next!((u64, u64)), (1, 0), "it has lost nobody");
        assert_answers(spawn_on(place.name("busy"), answerer()).await, 2).await;
    });
    drop((quiet, busy));
}

/// Nodes with different ticktimes lose an idle connection, so both warn when they connect. Other
/// nodes do not.
#[test]
fn ticktimes_that_differ() {
    let place = Place::new();
    let [usual, short, same] = ["usual", "short", "same"];
    let usual = place.os(usual).start();
    let [short, same] = [short, same].map(|alive| place.os(alive).ticktime(secs(20)).start());
    let here = place.builder("here").hidden(true).net_ticktime(secs(20));
    let names = [short.name.clone(), usual.name.clone(), same.name.clone()];
    TestNode::of(here).block_on(async move {
        let [short, usual, same] = names;
        for node in [usual, same] {
            spawn_on(&short, connects_and_answers(self_pid(), node)).await;
            receive! { connected: Option<bool> => assert_eq!(connected, Some(true)) }
        }
    });
    let line = |here: u64, there: u64, node: &OsNode| {
        format!(
            "give all nodes the same `net_ticktime` node={} here={here}s there={there}s",
            node.name
        )
    };
    usual.await_log(&line(60, 20, &short), 1);
    short.await_log(&line(20, 60, &usual), 1);
    // The mesh connects the last two as well.
    usual.await_log(&line(60, 20, &same), 1);
    same.await_log(&line(20, 60, &usual), 1);
    for (node, lines) in [(&usual, 2), (&short, 1), (&same, 1)] {
        assert_eq!(node.logged("differ too much"), lines, "{}", node.log());
    }
}
