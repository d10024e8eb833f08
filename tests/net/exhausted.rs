//! If the system gives no more threads or descriptors, a single operation fails, and the node
//! survives. Each test is a separate program, so that no other program is affected.
#![cfg(target_os = "linux")]
#![deny(warnings)]
#![allow(clippy::disallowed_methods, reason = "threads beside the nodes")]

use crate::support;

use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::channel;
use std::task::{Context, Waker};
use std::time::Duration;

use fika::net::discovery::{NodeAddr, Resolver, Resolving};
use fika::net::ping;
use fika::node::{NodeBuilder, NodeError, NodeName};
use fika::prelude::*;
use fika::process::{spawn_blocking, yield_now};
use support::exhausted::{Limits, is_alone, used};
use support::{COOKIE, Clock, LIMIT, Place, TestNode, until};

fn pings(from: &TestNode, name: String) -> bool {
    from.block_on(async move { ping(name).await == fika::net::Ping::Pong })
}

fn names(place: Place) -> Vec<String> {
    let mut names: Vec<_> = place.names().into_iter().map(|(name, _)| name).collect();
    names.sort();
    names
}

/// A blocking call ends its process if the system gives no thread. If another call has a thread,
/// the call waits for it.
#[test]
fn blocking_calls_without_threads() {
    if !is_alone("exhausted::blocking_calls_without_threads") {
        return;
    }
    let node = Node::builder().workers(2).build().unwrap();
    let limits = Limits::no_threads();
    let result = node.try_block_on(async { spawn_blocking(|| 1).await });
    assert_eq!(result, Err(ExitReason::SystemLimit));
    drop(limits);

    let (go, waits) = channel::<()>();
    let (begun, has_begun) = channel();
    node.spawn(async move {
        spawn_blocking(move || {
            begun.send(()).unwrap();
            let _ = waits.recv();
        })
        .await;
    })
    .unwrap();
    has_begun.recv_timeout(LIMIT).unwrap();
    let limits = Limits::no_threads();
    let (asked, is_asked) = channel();
    let (done, is_done) = channel();
    node.spawn(async move {
        let calls: Vec<_> = (0..10).map(|n| spawn_blocking(move || n)).collect();
        asked.send(()).unwrap();
        for (n, call) in (0..).zip(calls) {
            assert_eq!(call.await, n);
        }
        done.send(()).unwrap();
    })
    .unwrap();
    is_asked.recv_timeout(LIMIT).unwrap();
    drop(go);
    is_done.recv_timeout(LIMIT).expect("the one thread makes all of them");
    drop(limits);
    assert_eq!(node.block_on(async { spawn_blocking(|| 2).await }), 2);
    assert!(node.stop());
}

/// A call whose thread was refused begins when the system gives threads again, even if no other
/// call ends or comes.
#[test]
fn a_blocking_call_that_waits_for_a_thread() {
    if !is_alone("exhausted::a_blocking_call_that_waits_for_a_thread") {
        return;
    }
    let node = Node::builder().workers(1).build().unwrap();
    let (go, waits) = channel::<()>();
    let (begun, has_begun) = channel();
    node.spawn(async move {
        spawn_blocking(move || {
            begun.send(()).unwrap();
            let _ = waits.recv();
        })
        .await;
    })
    .unwrap();
    has_begun.recv_timeout(LIMIT).unwrap();
    let limits = Limits::no_threads();
    let (done, is_done) = channel();
    let (asked, is_asked) = channel();
    node.spawn(async move {
        let calls: Vec<_> = (0..3)
            .map(|n| {
                let done = done.clone();
                spawn_blocking(move || done.send(n).unwrap())
            })
            .collect();
        asked.send(()).unwrap();
        for call in calls {
            call.await;
        }
    })
    .unwrap();
    is_asked.recv_timeout(LIMIT).unwrap();
    assert!(is_done.recv_timeout(millis(300)).is_err(), "there is no thread for it");
    drop(limits);
    let mut done: Vec<_> = (0..3).map(|_| is_done.recv_timeout(LIMIT).unwrap()).collect();
    done.sort_unstable();
    assert_eq!(done, [0, 1, 2]);
    drop(go);
    assert!(node.stop());
}

/// A process can stop its node while the system gives no thread for that. A thread that waits for
/// the stop does the work. Otherwise a thread is started as soon as the system gives one.
#[test]
fn a_stop_without_threads() {
    if !is_alone("exhausted::a_stop_without_threads") {
        return;
    }
    for waits in [true, false] {
        let node = Node::builder().workers(1).build().unwrap();
        let (told, is_told) = channel();
        let (stopped, is_stopped) = channel();
        let waiting = node.clone();
        let thread = waits.then(|| {
            std::thread::spawn(move || {
                told.send(()).unwrap();
                waiting.run_until_stopped().wait();
                stopped.send(()).unwrap();
            })
        });
        if waits {
            is_told.recv_timeout(LIMIT).unwrap();
        }
        let limits = Limits::no_threads();
        let (ended, is_ended) = channel();
        node.spawn(async move {
            let node = self_node();
            assert!(!node.stop(), "it does not wait");
            node.run_until_stopped().await;
            ended.send(()).unwrap();
        });
        is_ended.recv_timeout(LIMIT).expect("the process is notified");
        if waits {
            is_stopped.recv_timeout(LIMIT).expect("the waiting thread stops the node");
        } else {
            drop(limits);
            let clock = Clock::new();
            until("the node has stopped", || {
                assert!(clock.elapsed() < LIMIT);
                let mut waits = std::pin::pin!(node.run_until_stopped());
                let mut context = Context::from_waker(Waker::noop());
                waits.as_mut().poll(&mut context).is_ready()
            });
        }
        thread.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(node.stop());
    }
}

/// A stuck worker gets no replacement, and continues when its process yields.
#[test]
fn a_stuck_worker_without_threads() {
    if !is_alone("exhausted::a_stuck_worker_without_threads") {
        return;
    }
    let node = Node::builder().workers(1).build().unwrap();
    let limits = Limits::no_threads();
    for n in 0..3 {
        // The time is long enough for many checks of the monitor.
        let value = node.block_on(async move {
            let clock = Clock::new();
            while clock.elapsed() < millis(100) {}
            yield_now().await;
            spawn_monitor(async {});
            receive! { Down { .. } => n }
        });
        assert_eq!(value, n);
    }
    drop(limits);
    // Now the worker is replaced: while its process computes, another process answers.
    let (told, tells) = channel();
    node.block_on(async move {
        let other = spawn(async move {
            receive! { (): () => told.send(()).unwrap() }
        });
        send(other, ());
        tells.recv_timeout(LIMIT).expect("another worker runs it");
    });
    assert!(node.stop());
}

/// Without threads, existing connections continue. Hosts can't be looked up until there are threads
/// again.
#[test]
fn nodes_without_threads() {
    if !is_alone("exhausted::nodes_without_threads") {
        return;
    }
    let place = Place::new();
    let (a, b) = (place.node("a"), place.node("b"));
    let limits = Limits::no_threads();
    assert!(pings(&a, place.name("b")), "connecting needs no thread");
    // The cookie and the name are right, but the host must be looked up, so only this fails.
    let local = |node: &TestNode| pings(node, "b@localhost.localdomain".into());
    assert!(!local(&a));
    let threads = used().0;
    let refused = place.builder("c").build().unwrap_err();
    assert!(matches!(refused, NodeError::Build(_)), "{refused}");
    until("no thread is left of it", || used().0 == threads);
    drop(limits);
    let c = place.node("c");
    assert!(pings(&c, place.name("a")) && pings(&b, place.name("c")));
    a.block_on(async {
        let network = fika::net::transport::Poller::new().unwrap();
        let found = fika::net::transport::Network::host_ips(&network, "localhost").await;
        assert!(found.unwrap()[0].is_loopback(), "hosts are looked up again");
    });
}

/// The node's mapper, its registration, connections in both directions, and look-ups survive a lack
/// of descriptors.
#[test]
fn nodes_without_descriptors() {
    if !is_alone("exhausted::nodes_without_descriptors") {
        return;
    }
    let place = Place::new();
    // This node has the mapper.
    let node = place.node("node");
    let (_before, _other) = (place.os("before").start(), place.os("other").start());
    assert!(pings(&node, place.name("before")));
    let all = ["before", "node", "other"];
    assert_eq!(names(place), all);

    // Without a descriptor, no connection is made.
    let limits = Limits::descriptors(0);
    assert!(!pings(&node, place.name("other")));
    let looked_up = node
        .block_on(async { spawn_blocking(|| std::fs::File::open("/dev/null").map(drop)).await });
    assert!(looked_up.is_err(), "there are none");
    assert!(pings(&node, place.name("before")), "what there is stays");
    drop(limits);
    assert!(pings(&node, place.name("other")));
    assert_eq!(names(place), all);
}

/// Connects to each address, and sends nothing until it is told to end.
#[remote]
async fn knocks(to: Pid, addrs: Vec<String>) {
    let connect = |addr: String| support::connect(addr.parse().unwrap()).unwrap();
    let streams: Vec<_> = addrs.into_iter().map(connect).collect();
    send(to, streams.len());
    receive! { (): () => {} }
}

/// Other nodes connect to the node and to its mapper while there is no descriptor. Later
/// connections are served.
#[test]
fn others_come_to_a_node_without_descriptors() {
    if !is_alone("exhausted::others_come_to_a_node_without_descriptors") {
        return;
    }
    let place = Place::new();
    let node = place.node("node");
    let registered = place.os("registered").start();
    assert!(pings(&node, place.name("registered")));
    let addrs = [place.addr_of("node"), place.mapper_addr()].map(|addr| addr.to_string());
    for _ in 0..3 {
        let limits = Limits::descriptors(0);
        let (name, addrs) = (place.name("registered"), addrs.to_vec());
        node.block_on(async move {
            let knocks = spawn_on(name, knocks(self_pid(), [addrs.clone(), addrs].concat())).await;
            assert_eq!(next!(usize), 4);
            // The acceptors have had their turns.
            sleep(millis(50)).await;
            send(knocks, ());
        });
        drop(limits);
        assert_eq!(names(place), ["node", "registered"]);
        let late = place.os("late").start();
        assert_eq!(names(place), ["late", "node", "registered"]);
        assert!(pings(&node, place.name("late")) && pings(&node, place.name("registered")));
        late.stop();
        until("the mapper has noticed", || names(place) == ["node", "registered"]);
    }
    registered.stop();
}

/// The mapper ends while there is no descriptor. Another mapper is started and used when there are
/// descriptors again.
#[test]
fn registered_again_after_a_time_without_descriptors() {
    if !is_alone("exhausted::registered_again_after_a_time_without_descriptors") {
        return;
    }
    let place = Place::new();
    let mut mapper = place.os("mapper").start();
    let node = place.node("node");
    assert_eq!(names(place), ["mapper", "node"]);
    assert!(pings(&node, place.name("mapper")));
    let limits = Limits::descriptors(0);
    mapper.kill();
    // The connections to the mapper's program would be enough for an attempt or two.
    let spare = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok());
    let mut taken: Vec<_> = spare.collect();
    let clock = Clock::new();
    // The wait is longer than the pause between two attempts.
    while clock.elapsed() < secs(3) {
        taken.extend(std::fs::File::open("/dev/null"));
        std::thread::yield_now();
    }
    assert!(node.is_distributed());
    drop((taken, limits));
    until("it is registered again", || names(place) == ["node"]);
    let late = place.os("late").start();
    assert_eq!(names(place), ["late", "node"]);
    assert!(pings(&node, place.name("late")));
    late.stop();
}

/// A start that fails at any stage leaves nothing behind, and its name and port are free.
#[test]
fn a_failed_build_leaves_nothing_behind() {
    if !is_alone("exhausted::a_failed_build_leaves_nothing_behind") {
        return;
    }
    let place = Place::new();
    let at_rest = used();
    // Checks a failed start. `what` names the stage. Everything is idle when this is called.
    let fails = |what: &str, builder: NodeBuilder| {
        let before = used();
        match builder.build() {
            Ok(_) => panic!("{what}: it does not fail"),
            Err(error) => println!("{what}: {error}"),
        }
        until(what, || used() == before);
    };
    let port = {
        let node = place.node("node");
        assert!(pings(&node, place.name("node")));
        node.block_on(async { sleep(Duration::ZERO).await });
        place.addr_of("node")
    };
    until("nothing is left of the first node", || used() == at_rest);
    let at = |alive: &str| place.builder(alive).listen(port);
    fails("its name", at("node").name("nobody"));
    fails("the name of none", at("node").name("nonode@nohost"));
    fails("a peer's name", at("node").cookie_for("nobody", COOKIE));
    fails("the workers", at("node").workers(0));
    fails("the limit", at("node").process_limit(0));
    fails(
        "the network",
        at("node").network(|_| Err::<fika::net::transport::Poller, _>(std::io::Error::other("no"))),
    );
    fails("the cookie", at("node").cookie("short"));
    fails("a setting", at("node").net_ticktime(Duration::MAX));
    {
        let _taken = TcpListener::bind(port).unwrap();
        fails("the port", at("node"));
        fails("the ports", place.builder("node").listen_ports(port.port()..=port.port()));
    }
    fails("no mapper", at("node").start_epmd(false));
    fails("the resolver", at("node").resolver(Bad { panics: false }));
    fails("a resolver's panic", at("node").resolver(Bad { panics: true }));
    {
        let peer = place.os("node").start();
        // A mapper that the node has started would also be left over.
        fails("a name that is taken", at("node"));
        peer.stop();
    }
    until("nothing is left of the other program", || used() == at_rest);
    // The start fails without threads, and with few descriptors at each place that needs one.
    let limits = Limits::no_threads();
    fails("the threads", at("node"));
    drop(limits);
    for descriptors in 0.. {
        let limits = Limits::descriptors(descriptors);
        let built = at("node").build();
        if let Ok(node) = &built {
            node.stop();
        }
        let is_built = built.is_ok();
        drop((built, limits));
        until("nothing is left", || used() == at_rest);
        if is_built {
            assert!(descriptors > 5, "it was short of them");
            break;
        }
    }
    // All failed starts have released the name and the port.
    let node = TestNode::of(at("node"));
    assert_eq!(names(place), ["node"]);
    assert!(pings(&place.node("other"), node.name().as_str().into()));
}

/// A resolver with which no node can start.
struct Bad {
    panics: bool,
}

impl Resolver for Bad {
    fn register<'a>(&'a self, _: &'a NodeName, _: SocketAddr) -> Resolving<'a, ()> {
        assert!(!self.panics, "in a user's resolver");
        Box::pin(async { Err("it is not known".into()) })
    }

    fn resolve<'a>(&'a self, _: &'a NodeName) -> Resolving<'a, Option<NodeAddr>> {
        Box::pin(async { Ok(None) })
    }
}
