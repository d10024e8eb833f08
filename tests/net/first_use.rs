//! Functions that connect two nodes on their first use, and functions that do not (DIST-5, NMON-2).
#![deny(warnings)]

use crate::support;

use fika::message::{Reference, SendOpts, alias, make_ref, send_with, try_send};
use fika::net::{
    NodeKind, Ping as PingAnswer, connected_nodes, disconnect_node, monitor_node, nodes_of, ping,
};
use fika::prelude::*;
use fika::process::{SpawnOpts, set_group_leader, spawn_monitor_on, spawn_request_on, unlink};

use support::{Ask, Place, TestNode, answerer, assert_answers, down, named_answerer};

/// A process of the other node, its alias, and the node.
struct Other {
    pid: Pid,
    alias: Reference,
    node: String,
}

/// Answers, and reports its alias to `to`.
async fn with_alias(to: Pid) {
    // Links of earlier connections do not end it.
    trap_exit(true);
    send(to, (self_pid(), alias()));
    answerer().await;
}

/// Waits until there is a connection, and checks that it works.
async fn is_connected(other: &Other) {
    let there = [other.node.parse().unwrap()];
    support::until_in_process("it is connected", || nodes() == there).await;
    assert_answers(other.pid, 7).await;
}

async fn disconnect(other: &Other) {
    assert_eq!(disconnect_node(&other.node).await, Some(true));
    support::until_in_process("it is disconnected", || nodes().is_empty()).await;
}

/// Two nodes, and what a process of the first knows about the second, to which it is not connected.
fn apart<F: Future<Output = ()> + Send>(test: impl FnOnce(Other) -> F + Send + 'static) {
    let place = Place::new();
    let [here, there] = ["here", "there"].map(|alive| {
        // The second node has no reason to connect.
        TestNode::of(place.builder(alive).connect_all(false))
    });
    let far = there.clone();
    here.block_on(async move {
        let me = self_pid();
        let pid = far.spawn(with_alias(me)).unwrap();
        let (from, alias) = next!((Pid, Reference));
        assert_eq!(pid, from);
        let _ = spawn_on(place.name("there"), named_answerer("named".into(), me)).await;
        next!(support::Answer);
        let other = Other { pid, alias, node: place.name("there") };
        disconnect(&other).await;
        test(other).await;
    });
    drop(there);
}

/// DIST-5: each of these functions connects on its first use.
#[test]
fn functions_that_connect() {
    apart(|other| async move {
        trap_exit(true);
        let Other { pid, alias, node } = &other;
        let ask = |n| Ask { from: self_pid(), n };
        let uses: [(&str, &(dyn Fn() + Sync)); 14] = [
            ("send", &|| send(*pid, ask(1))),
            ("send to a name", &|| send(("named", &**node), ask(1))),
            ("send to an alias", &|| send(*alias, ask(1))),
            ("send with options", &|| drop(send_with(*pid, ask(1), SendOpts::new().nosuspend()))),
            ("try_send", &|| drop(try_send(*pid, ask(1)))),
            ("link", &|| link(*pid)),
            ("monitor", &|| _ = monitor(*pid)),
            ("monitor of a name", &|| _ = monitor(("named", &**node))),
            ("monitor_node", &|| monitor_node(node, true).unwrap()),
            ("exit", &|| exit_process(*pid, ExitReason::Normal)),
            ("spawn", &|| {
                spawn_request_on(node, SpawnOpts::new(), answerer());
            }),
            ("a group leader", &|| set_group_leader(self_pid(), *pid)),
            ("ping", &|| {
                let node = node.clone();
                spawn(async move { assert_eq!(ping(node).await, PingAnswer::Pong) });
            }),
            ("connect_node", &|| {
                let node = node.clone();
                spawn(async move { assert_eq!(connect_node(node).await, Some(true)) });
            }),
        ];
        for (what, first_use) in uses {
            first_use();
            // The node is not used before this.
            let there = [node.parse().unwrap()];
            support::until_in_process(what, || nodes() == there).await;
            is_connected(&other).await;
            disconnect(&other).await;
        }
    });
}

/// The operation has its effect, as if the nodes had been connected.
#[test]
fn the_first_use_has_its_effect() {
    apart(|other| async move {
        trap_exit(true);
        let (me, pid) = (self_pid(), other.pid);
        for n in 0..3 {
            assert_answers(pid, n).await;
            disconnect(&other).await;
        }
        send(("named", &*other.node), Ask { from: me, n: 8 });
        assert_eq!(next!(support::Answer).n, 8);
        disconnect(&other).await;
        send(other.alias, Ask { from: me, n: 9 });
        assert_eq!(next!(support::Answer).n, 9);
        disconnect(&other).await;
        let child = spawn_on(&other.node, answerer()).await;
        disconnect(&other).await;
        let watch = monitor(child);
        exit_process(child, ExitReason::Kill);
        assert_eq!(down(watch).await, ExitReason::Killed);
        disconnect(&other).await;
        let (_, watch) = spawn_monitor_on(&other.node, answerer()).await;
        disconnect(&other).await;
        assert_eq!(down(watch).await, ExitReason::Noconnection);
        link(pid);
        send(pid, support::EndWith(ExitReason::Shutdown));
        let exit = next!(Exit);
        assert_eq!((exit.from, exit.reason), (pid, ExitReason::Shutdown));
    });
}

/// BUSY-3, NMON-2, DIST-13: functions that need no connection don't make one.
#[test]
fn functions_that_do_not_connect() {
    apart(|other| async move {
        let Other { pid, node, .. } = &other;
        monitor_node(node, false).unwrap();
        assert!(send_with(*pid, 1_u64, SendOpts::new().noconnect()).is_err());
        assert!(!demonitor(make_ref()));
        unlink(*pid);
        assert_eq!(disconnect_node(node).await, Some(false));
        assert!(connected_nodes().is_empty() && !nodes_of(NodeKind::Known).is_empty());
        assert_ne!(*pid, self_pid());
        // By now, net_kernel has handled all of these operations.
        assert_eq!(ping(format!("nobody{}", &node[5..])).await, PingAnswer::Pang);
        assert!(nodes_of(NodeKind::Connected).is_empty());
        none!(NodeDown);
    });
}
