//! Operations that connect without an explicit request, and that do not if `dist_auto_connect`
//! forbids it (DIST-5, DIST-6).
#![deny(warnings)]

use crate::support;

use std::pin::Pin;

use fika::message::{
    AliasOpts, Reference, SendOpts, alias_with, send_priority, send_timeout, send_wait, send_with,
    try_send,
};
use fika::net::{
    AutoConnect, NodeKind, Ping as PingAnswer, disconnect_node, monitor_node, nodes_of, ping,
};
use fika::prelude::*;
use fika::process::{
    MonitorAlias, MonitorOpts, RequestOpts, SpawnError, SpawnOpts, SpawnReply, demonitor_flush,
    exit_process_priority, group_leader, monitor_with, set_group_leader, spawn_link_on,
    spawn_monitor_on, spawn_opt_on, spawn_request_abandon, spawn_request_on, try_spawn_on, unlink,
    yield_now,
};

use support::{Clock, LIMIT, Place, TestNode, answerer, assert_answers, down, exit_of, nodedown};

/// A node, and what a process of another node knows about it: a pid, an alias and others.
#[derive(Clone)]
struct There {
    name: String,
    pid: Pid,
    alias: Reference,
}

/// Reports its alias, and receives everything.
#[remote]
async fn sink(to: Pid) {
    send(to, alias_with(AliasOpts::new().priority()));
    loop {
        receive! { _ => {} }
    }
}

type Operation = fn(There) -> Pin<Box<dyn Future<Output = ()> + Send>>;

macro_rules! operations {
    ($($what:literal: |$there:ident| $body:block)*) => {
        vec![$(($what, |$there| Box::pin(async move { $body }))),*]
    };
}

/// Operations that connect if they may, and otherwise do nothing.
fn signals() -> Vec<(&'static str, Operation)> {
    operations! {
        "send to a pid": |it| { send(it.pid, 1_u64) }
        "send to a name": |it| { send(("x", &it.name), 1_u64) }
        "send to an alias": |it| { send(it.alias, 1_u64) }
        "send_priority": |it| { send_priority(it.alias, 1_u64) }
        "send_with": |it| { let _ = send_with(it.pid, 1_u64, SendOpts::new()); }
        "send_with, nosuspend": |it| {
            let _ = send_with(it.pid, 1_u64, SendOpts::new().nosuspend());
        }
        "send_timeout": |it| { let _ = send_timeout(it.pid, 1_u64, secs(1)).await; }
        "send_wait": |it| { let _ = send_wait(it.pid, 1_u64).await; }
        "try_send": |it| { let _ = try_send(it.pid, 1_u64); }
        "Node::send": |it| { let _ = self_node().send(it.pid, 1_u64); }
        "exit_process": |it| { exit_process(it.pid, ExitReason::Kill) }
        "exit_process of an alias": |it| { exit_process(it.alias, ExitReason::Kill) }
        "exit_process_priority": |it| { exit_process_priority(it.alias, ExitReason::Kill) }
        "Node::exit_process": |it| { self_node().exit_process(it.pid, ExitReason::Kill) }
        "set_group_leader": |it| { set_group_leader(group_leader(), it.pid) }
    }
}

/// Operations that report that there is no connection, or need none.
fn others() -> Vec<(&'static str, Operation)> {
    operations! {
        "ping": |it| { assert_eq!(ping(&it.name).await, PingAnswer::Pang) }
        "unlink": |it| { unlink(it.pid) }
        "link": |it| {
            link(it.pid);
            assert_eq!(exit_of(it.pid).await, ExitReason::Noconnection);
        }
        "monitor": |it| {
            assert_eq!(down(monitor(it.pid)).await, ExitReason::Noconnection);
        }
        "monitor of a name": |it| {
            assert_eq!(down(monitor(("x", &it.name))).await, ExitReason::Noconnection);
        }
        "monitor_with": |it| {
            let opts = MonitorOpts::new().alias(MonitorAlias::ReplyDemonitor);
            assert_eq!(down(monitor_with(it.pid, opts)).await, ExitReason::Noconnection);
        }
        "demonitor": |it| { demonitor_flush(monitor(it.pid)); }
        "spawn_on": |it| { spawn_on(&it.name, answerer()).await; }
        "try_spawn_on": |it| {
            let spawned = try_spawn_on(&it.name, answerer()).await;
            assert_eq!(spawned, Err(SpawnError::Noconnection));
        }
        "spawn_link_on": |it| {
            let none = spawn_link_on(&it.name, answerer()).await;
            assert_eq!(exit_of(none).await, ExitReason::Noconnection);
        }
        "spawn_monitor_on": |it| {
            let (_, monitor) = spawn_monitor_on(&it.name, answerer()).await;
            assert_eq!(down(monitor).await, ExitReason::Noconnection);
        }
        "spawn_opt_on": |it| { spawn_opt_on(&it.name, SpawnOpts::new(), answerer()).await; }
        "spawn_request_on": |it| {
            let request = spawn_request_on(&it.name, RequestOpts::default(), answerer());
            receive! {
                SpawnReply { reference, result } if reference == request => {
                    assert_eq!(result, Err(SpawnError::Noconnection));
                }
                after LIMIT => panic!("no answer"),
            }
        }
        "spawn_request_abandon": |it| {
            let request = spawn_request_on(&it.name, RequestOpts::default(), answerer());
            spawn_request_abandon(request);
        }
        "monitor_node": |it| {
            monitor_node(&it.name, true).unwrap();
            assert_eq!(nodedown(&it.name).await.connection, 0);
        }
        "monitor_node, off": |it| { monitor_node(&it.name, false).unwrap() }
        "disconnect_node": |it| { assert_eq!(disconnect_node(&it.name).await, Some(false)) }
    }
}

/// Connects to the node, and returns a process on it.
async fn known(name: String) -> There {
    let pid = spawn_on(&name, sink(self_pid())).await;
    There { name, pid, alias: next!(Reference) }
}

/// Checks that no operation makes a connection.
async fn check_none_connects(there: &There) {
    trap_exit(true);
    for (what, operation) in signals().into_iter().chain(others()) {
        operation(there.clone()).await;
        // net_kernel has handled the operation before, and a ping waits for an attempt in progress.
        assert_eq!(ping(&there.name).await, PingAnswer::Pang, "{what}");
        assert_eq!(nodes_of(NodeKind::Connected), [], "{what}");
    }
    none!(Exit);
    none!(Down);
    none!(NodeDown);
}

/// DIST-6: only `connect_node` connects, and a ping is answered after that.
#[test]
fn never() {
    let place = Place::new();
    let _there = place.node("there");
    let here = TestNode::of(place.builder("here").dist_auto_connect(AutoConnect::Never));
    here.block_on(async move {
        let name = place.name("there");
        assert_eq!(ping(&name).await, PingAnswer::Pang);
        assert_eq!(ping(self_node().name()).await, PingAnswer::Pong, "itself");
        assert_eq!(connect_node(&name).await, Some(true));
        assert_eq!(ping(&name).await, PingAnswer::Pong, "what is connected already");
        let there = known(name.clone()).await;
        assert_eq!(disconnect_node(&name).await, Some(true));
        check_none_connects(&there).await;
        // A ping beside an explicit request waits for the connection that the request makes.
        let asks = name.clone();
        let (_, asked) = spawn_monitor(async move {
            assert_eq!(connect_node(asks).await, Some(true));
        });
        let clock = Clock::new();
        while ping(&name).await == PingAnswer::Pang {
            assert!(clock.elapsed() < LIMIT);
            yield_now().await;
        }
        assert_eq!(down(asked).await, ExitReason::Normal);
    });
}

/// DIST-6: only `connect_node` or the peer restores a lost connection.
#[test]
fn once() {
    let place = Place::new();
    let other = place.node("there");
    let here = TestNode::of(place.builder("here").dist_auto_connect(AutoConnect::Once));
    let there = here.block_on(async move {
        let name = place.name("there");
        assert_eq!(ping(&name).await, PingAnswer::Pong, "the first time by itself");
        let there = known(name.clone()).await;
        assert_eq!(disconnect_node(&name).await, Some(true));
        check_none_connects(&there).await;
        assert_eq!(connect_node(&name).await, Some(true));
        assert_eq!(ping(&name).await, PingAnswer::Pong);
        assert_eq!(disconnect_node(&name).await, Some(true));
        check_none_connects(&there).await;
        there
    });
    support::until("the end of the connection is seen there", || other.nodes().is_empty());
    let own = place.name("here");
    other.block_on(async move { assert_eq!(ping(own).await, PingAnswer::Pong) });
    let asked = there.clone();
    here.block_on(async move {
        assert_eq!(ping(&asked.name).await, PingAnswer::Pong, "the peer has connected");
        assert_eq!(disconnect_node(&asked.name).await, Some(true));
        check_none_connects(&asked).await;
    });
}

/// DIST-5: without a restriction, each operation that needs a connection makes one.
#[test]
fn always() {
    let place = Place::new();
    let _there = place.node("there");
    place.node("here").block_on(async move {
        let name = place.name("there");
        trap_exit(true);
        for (what, operation) in signals() {
            let there = known(name.clone()).await;
            assert_eq!(disconnect_node(&name).await, Some(true));
            operation(there).await;
            support::until_in_process(what, || !nodes().is_empty()).await;
        }
        for what in ["ping", "link", "monitor", "monitor of a name", "monitor_node", "spawn_on"] {
            let there = known(name.clone()).await;
            assert_eq!(disconnect_node(&name).await, Some(true));
            match what {
                "ping" => assert_eq!(ping(&name).await, PingAnswer::Pong),
                "link" => link(there.pid),
                "monitor" => drop(monitor(there.pid)),
                "monitor of a name" => drop(monitor(("x", &name))),
                "monitor_node" => monitor_node(&name, true).unwrap(),
                _ => assert_answers(spawn_on(&name, answerer()).await, 1).await,
            }
            support::until_in_process(what, || !nodes().is_empty()).await;
        }
    });
}

/// DIST-6, DIST-11: a mesh does not connect nodes that must not connect automatically. Checked on
/// Erlang/OTP 25, where `global` then reports that it failed to connect.
#[test]
fn a_mesh_does_not_connect_nodes_set_to_never() {
    let place = Place::new();
    let middle = place.node("middle");
    let never = |alive| TestNode::of(place.builder(alive).dist_auto_connect(AutoConnect::Never));
    let (a, b) = (never("a"), never("b"));
    for node in [&a, &b] {
        node.block_on(async move {
            assert_eq!(connect_node(place.name("middle")).await, Some(true));
        });
    }
    support::until("both are connected to the one between", || middle.nodes().len() == 2);
    for (node, other) in [(&a, "b"), (&b, "a")] {
        node.block_on(async move {
            // Everything that the node in the middle has sent before has arrived, including the
            // names of its peers.
            let answering = spawn_on(place.name("middle"), answerer()).await;
            assert_answers(answering, 1).await;
            assert_eq!(ping(place.name(other)).await, PingAnswer::Pang);
            assert_eq!(nodes(), [place.name("middle").parse().unwrap()]);
            assert_eq!(connect_node(place.name(other)).await, Some(true));
            assert_eq!(disconnect_node(place.name(other)).await, Some(true));
        });
        support::until("the end is seen there", || a.nodes().len() == 1 && b.nodes().len() == 1);
    }
}

/// DIST-6, DIST-11: a mesh does not connect a node that was connected once and lost, either.
#[test]
fn a_mesh_does_not_reconnect_nodes_set_to_once() {
    let place = Place::new();
    let middle = place.node("middle");
    let once = |alive| TestNode::of(place.builder(alive).dist_auto_connect(AutoConnect::Once));
    let (a, b) = (once("a"), once("b"));
    a.block_on(async move {
        assert_eq!(ping(place.name("b")).await, PingAnswer::Pong);
        assert_eq!(disconnect_node(place.name("b")).await, Some(true));
    });
    support::until("both have seen the end", || b.nodes().is_empty());
    for node in [&a, &b] {
        node.block_on(async move {
            assert_eq!(ping(place.name("middle")).await, PingAnswer::Pong);
        });
    }
    support::until("both are connected to the one between", || middle.nodes().len() == 2);
    for (node, other) in [(&a, "b"), (&b, "a")] {
        node.block_on(async move {
            assert_answers(spawn_on(place.name("middle"), answerer()).await, 1).await;
            assert_eq!(ping(place.name(other)).await, PingAnswer::Pang);
            assert_eq!(nodes(), [place.name("middle").parse().unwrap()]);
        });
    }
}
