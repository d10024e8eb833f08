//! A user's settings of the distribution: which nodes may connect and when, ports, the ticktime,
//! and a handler in front of net_kernel.
#![deny(warnings)]

use crate::support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fika::net::{
    AutoConnect, BadCookie, Decision, NetHandler, NetTicktime, NodeDownReason, Ping as PingAnswer,
    SentToName, SetTicktime, SpawnAsked, StartError, allow, disconnect_node, get_net_ticktime,
    monitor_nodes, ping, set_net_ticktime,
};
use fika::node::{NodeError, NodeName};
use fika::prelude::*;
use fika::process::{SpawnError, spawn_link_on, try_spawn_on};

use support::peer::Peer;
use support::{Ask, Place, TestNode, answerer, assert_answers, nodedown, nodeup};

/// HS-13: an allow list works in both directions, by name, host and name part. Live connections
/// stay.
#[test]
fn the_allow_list_works_in_both_directions() {
    let place = Place::new();
    let here = TestNode::of(place.builder("here").allow([place.name("friend")]));
    let (friend, other) = (place.node("friend"), place.node("other"));
    let pings = |from: &TestNode, to: &str| {
        let to = place.name(to);
        from.block_on(async move {
            let pong = ping(&to).await == PingAnswer::Pong;
            disconnect_node(&to).await;
            pong
        })
    };
    assert!(pings(&here, "friend") && pings(&friend, "here"));
    assert!(!pings(&here, "other"), "out");
    assert!(!pings(&other, "here"), "in");
    here.block_on(async { allow(["other"]).unwrap() });
    assert!(pings(&here, "other") && pings(&friend, "here"), "it adds, by the part before the @");
    let third = place.node("third");
    assert!(!pings(&third, "here"));
    let ip = place.ip.to_string();
    here.block_on(async { allow([ip]).unwrap() });
    assert!(pings(&third, "here"), "by the host");
    // A list that is set later does not affect live connections.
    let (name, peer) = (place.name("other"), place.name("third"));
    third.block_on(async move {
        assert_eq!(ping(&name).await, PingAnswer::Pong);
        allow(["nobody"]).unwrap();
        assert_answers(spawn_on(&name, answerer()).await, 1).await;
        assert_eq!(disconnect_node(&name).await, Some(true));
        assert_eq!(ping(&name).await, PingAnswer::Pang);
        let _ = peer;
    });
}

/// DIST-6: a node that was connected once and lost connects again only on request, or by the peer.
#[test]
fn dist_auto_connect_once() {
    let place = Place::new();
    let there = place.node("there");
    let here = TestNode::of(place.builder("here").dist_auto_connect(AutoConnect::Once));
    here.block_on(async move {
        let (name, own) = (place.name("there"), place.name("here"));
        let tries = async || try_spawn_on(&name, answerer()).await.is_ok();
        assert!(tries().await, "the first time by itself");
        assert_eq!(disconnect_node(&name).await, Some(true));
        for _ in 0..3 {
            assert!(!tries().await, "not the second time");
        }
        assert_eq!(
            try_spawn_on(place.name("missing"), answerer()).await,
            Err(SpawnError::Noconnection)
        );
        assert_eq!(
            try_spawn_on(place.name("missing"), answerer()).await,
            Err(SpawnError::Noconnection)
        );
        assert_eq!(connect_node(&name).await, Some(true), "on request");
        let there = spawn_on(&name, connects_to(own)).await;
        assert_eq!(disconnect_node(&name).await, Some(true));
        assert!(!tries().await);
        let _ = there;
        support::until_in_process("the peer has connected", || !nodes().is_empty()).await;
        assert!(tries().await);
    });
    drop(there);
}

/// Connects when its own node has lost the connection.
#[remote]
async fn connects_to(node: String) {
    fika::net::monitor_node(&node, true).unwrap();
    receive! { NodeDown { .. } => {} }
    connect_node(&node).await;
}

/// DIST-20: a node listens on the first free port of a range, and fails to start if none is free.
#[test]
fn a_range_of_ports() {
    let place = Place::new();
    let (min, max) = (21_000, 21_002);
    let start = |n: u16| place.builder(&format!("n{n}")).listen_ports(min..=max).build();
    let nodes: Vec<TestNode> = (0..3)
        .map(|n| TestNode::of(place.builder(&format!("n{n}")).listen_ports(min..=max)))
        .collect();
    let mut ports: Vec<u16> = place.names().into_iter().map(|(_, port)| port).collect();
    ports.sort_unstable();
    assert_eq!(ports, [min, min + 1, max]);
    let error = start(3).unwrap_err();
    assert!(matches!(&error, NodeError::Start(StartError::NoPort { .. })), "{error}");
    assert!(error.to_string().contains("21000 to 21002"), "{error}");
    drop(nodes);
    TestNode::of(place.builder("n3").listen_ports(min..=max));
    #[allow(clippy::reversed_empty_ranges, reason = "that is the mistake")]
    for wrong in [0..=5, 9..=8] {
        assert!(place.builder("n4").listen_ports(wrong).build().is_err());
    }
}

/// TICK-8, TICK-9: the ticktime can be made longer and shorter. Connections stay, and the peers
/// change their ticktime as well.
#[test]
fn the_ticktime_changes() {
    let place = Place::new();
    let node = |alive: &str| TestNode::of(place.builder(alive).net_ticktime(millis(800)));
    let (here, there) = (node("here"), node("there"));
    let name = place.name("there");
    let watcher = here.spawn(async move {
        monitor_nodes(true);
        ping(&name).await;
        receive! { NodeDown { reason, .. } => panic!("it was given up: {reason}"), (): () => {} }
    });
    let set = |node: &TestNode, time: u64, transition: u64| {
        node.block_on(
            async move { set_net_ticktime(millis(time), millis(transition)).await.unwrap() },
        )
    };
    let get = |node: &TestNode| node.block_on(async { get_net_ticktime().await.unwrap() });
    assert_eq!(set(&here, 800, 100), SetTicktime::Unchanged);
    for (time, transition) in [(2000, 1500), (400, 1500), (402, 100)] {
        let rounded = millis(time).max(millis(time.div_ceil(4) * 4));
        assert_eq!(set(&here, time, transition), SetTicktime::ChangeInitiated);
        assert_eq!(get(&here), NetTicktime::OngoingChangeTo(rounded));
        assert_eq!(set(&here, 77, 0), SetTicktime::OngoingChangeTo(rounded));
        // The other node follows at once.
        assert_eq!(set(&there, time, transition), SetTicktime::ChangeInitiated);
        support::until("it has changed", || {
            get(&here) == NetTicktime::Is(rounded) && get(&there) == NetTicktime::Is(rounded)
        });
    }
    let watcher = watcher.unwrap();
    here.block_on(async move {
        let monitor = fika::process::monitor(watcher);
        send(watcher, ());
        assert_eq!(support::down(monitor).await, ExitReason::Normal);
        fika::net::stop_distribution().await;
        assert!(get_net_ticktime().await.is_err());
    });
}

/// The calls that a handler has seen, and the operations that it refuses.
#[derive(Default)]
struct Seen {
    log: Mutex<Vec<String>>,
    refuses: Mutex<Vec<&'static str>>,
}

struct Front(Arc<Seen>);

impl Front {
    fn decide<T>(&self, what: &'static str, detail: String, value: T) -> Decision<T> {
        self.0.log.lock().unwrap().push(format!("{what} {detail}"));
        match self.0.refuses.lock().unwrap().contains(&what) {
            true => Decision::Refuse,
            false => Decision::Pass(value),
        }
    }
}

impl NetHandler for Front {
    fn nodeup(&self, up: NodeUp) -> Decision<NodeUp> {
        let node = up.node.alive().to_owned();
        self.decide("nodeup", node, NodeUp { connection: 4711, ..up })
    }

    fn nodedown(&self, down: NodeDown) -> Decision<NodeDown> {
        let node = format!("{} {}", down.node.alive(), down.reason);
        self.decide("nodedown", node, down)
    }

    fn spawn(&self, asked: SpawnAsked) -> Decision<SpawnAsked> {
        if asked.function().as_str() == "test::panics" {
            panic!("a handler that panics");
        }
        let detail = format!("{} {}", asked.function(), asked.is_linked());
        let asked = match asked.function().as_str() {
            "test::other" => asked.with_function("test::answerer"),
            _ => asked,
        };
        self.decide("spawn", detail, asked)
    }

    fn send_to_name(&self, sent: SentToName) -> Decision<SentToName> {
        let detail = format!("{} {}", sent.from.alive(), sent.to);
        let to = if sent.to.as_str() == "old" { "new".into() } else { sent.to };
        self.decide("send", detail, SentToName { to, ..sent })
    }

    fn bad_cookie(&self, attempt: BadCookie) -> Decision<BadCookie> {
        assert!(attempt.from.ip().is_loopback());
        let detail = format!("{} {}", attempt.claimed.alive(), attempt.from.ip());
        self.decide("bad_cookie", detail, attempt)
    }
}

#[remote(name = "test::other")]
async fn other() {
    exit(ExitReason::Killed);
}

#[remote(name = "test::panics")]
async fn panics() {}

/// SPAWN-9, DIST-8, NMON-5: a handler in front of net_kernel sees everything, and can change and
/// refuse it.
#[test]
fn a_net_kernel_handler_sees_and_refuses_requests() {
    let place = Place::new();
    let seen = Arc::new(Seen::default());
    let here = TestNode::of(place.builder("here").net_handler(Front(seen.clone())));
    let there = place.node("there");
    let (own, peer) = (place.name("here"), place.name("there"));
    let watcher_of = peer.clone();
    let (ready, is_ready) = std::sync::mpsc::channel();
    let watcher = here.spawn(async move {
        monitor_nodes(true);
        register("new", self_pid()).unwrap();
        ready.send(()).unwrap();
        assert_eq!(nodeup(&watcher_of).await.connection, 4711, "it was changed");
        let ask = next!(Ask);
        send(ask.from, support::Answer { from: self_pid(), n: ask.n });
        assert_eq!(nodedown(&watcher_of).await.reason, NodeDownReason::ConnectionClosed);
        next!(());
        none!(NodeUp);
        none!(NodeDown);
    });
    is_ready.recv().unwrap();
    let name = own.clone();
    there.block_on(async move {
        // The handler passes these on with changes: another function, another name.
        assert_answers(spawn_on(&name, answerer()).await, 1).await;
        assert_answers(spawn_link_on(&name, other()).await, 2).await;
        send(("old", &*name), Ask { from: self_pid(), n: 3 });
        assert_eq!(next!(support::Answer).n, 3);
        assert_eq!(try_spawn_on(&name, panics()).await, Err(SpawnError::Notsup));
    });
    // The handler refuses these operations.
    seen.refuses.lock().unwrap().extend(["spawn", "send", "bad_cookie"]);
    let name = own.clone();
    there.block_on(async move {
        assert_eq!(try_spawn_on(&name, answerer()).await, Err(SpawnError::Notsup));
        send(("new", &*name), ());
        // When something later has arrived over the connection, the message has been dropped.
        assert_eq!(try_spawn_on(&name, answerer()).await, Err(SpawnError::Notsup));
        disconnect_node(&name).await;
    });
    support::until("it is gone", || here.nodes().is_empty());
    let stranger = TestNode::of(place.builder("stranger").cookie("another cookie, quite long"));
    let name = own.clone();
    stranger.block_on(async move { assert_eq!(ping(&name).await, PingAnswer::Pang) });
    // The handler does not want this node, so the node is reported neither up nor down.
    seen.refuses.lock().unwrap().push("nodeup");
    let name = peer.clone();
    here.block_on(async move { assert_eq!(ping(&name).await, PingAnswer::Pang) });
    assert!(here.nodes().is_empty());
    let watcher = watcher.unwrap();
    here.block_on(async move {
        let monitor = fika::process::monitor(watcher);
        send(watcher, ());
        assert_eq!(support::down(monitor).await, ExitReason::Normal);
    });
    let log = seen.log.lock().unwrap().clone();
    let has = |what: &str| log.iter().any(|line| line.starts_with(what));
    for what in [
        "nodeup there",
        "spawn test::answerer false",
        "spawn test::other true",
        "send there old",
        "send there new",
        "nodedown there connection_closed",
        "bad_cookie stranger 127.",
    ] {
        assert!(has(what), "no {what} in {log:?}");
    }
    assert!(!has("send there net_kernel"), "nodes among themselves: {log:?}");
}

/// HS-12: each step of making a connection has its own setup time. Together they take longer than
/// that here. A single step that takes too long fails.
#[test]
#[allow(clippy::disallowed_methods, reason = "the thread of a test")]
fn each_step_has_the_setup_time() {
    const TIME: Duration = Duration::from_millis(600);
    let place = Place::new();
    let listener = std::net::TcpListener::bind((place.ip, 0)).unwrap();
    let (addr, name) = (listener.local_addr().unwrap(), place.name("slow"));
    let find = move |_: NodeName| async move {
        sleep(TIME * 2 / 3).await;
        Ok(Some(addr.into()))
    };
    let builder =
        place.builder("here").net_setuptime(TIME).resolver(fika::net::discovery::resolver_fn(find));
    let here = TestNode::of(builder);
    for (pauses, expected) in [([TIME * 2 / 3; 2], true), ([TIME / 2, TIME * 2], false)] {
        let (listener, answered) = (listener.try_clone().unwrap(), name.clone());
        let peer = std::thread::spawn(move || {
            Peer::accepted_slowly(&listener, support::peer::SPAWN, &answered, pauses)
        });
        let name = name.clone();
        here.block_on(async move {
            assert_eq!(connect_node(&name).await, Some(expected), "{pauses:?}");
            disconnect_node(&name).await;
        });
        drop(peer.join().unwrap());
    }
}
