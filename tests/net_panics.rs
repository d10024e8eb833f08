//! The program's own code panics, or calls `exit`, where the distribution calls it: in a `NetHandler`,
//! in a transport, and in arguments of `#[remote]` functions. The node continues and reports it.

#[macro_use]
mod support;

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Once};

use fika::net::{
    BadCookie, Decision, NetHandler, NodeDownReason, Ping as PingAnswer, SentToName, SpawnAsked,
    disconnect_node, monitor_nodes, ping,
};
use fika::prelude::*;
use fika::process::{SpawnError, SpawnOpts, spawn_request_on, try_spawn_on};
use serde::{Deserialize, Deserializer, Serialize};
use support::peer::{Peer, frame};
use support::transport::{Way, Wrapped};
use support::{
    Ask, Clock, LIMIT, Place, TestNode, answerer, assert_answers, down, nodedown, nodeup, until,
    until_in_process,
};

/// Everything that was reported.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn keep_log() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing_subscriber::fmt().with_ansi(false).with_writer(|| Log).init());
}

/// Returns the number of lines that contain all of these parts.
fn reported(parts: &[&str]) -> usize {
    let log = String::from_utf8(LOG.lock().unwrap().clone()).unwrap();
    log.lines().filter(|line| parts.iter().all(|part| line.contains(part))).count()
}

/// A transport panics when it reads or writes: the connection is closed at once and not after the
/// ticktime, and another one can be made. A process that sends much, and so writes to the
/// connection itself, continues.
#[test]
fn a_panicking_transport_closes_its_connection() {
    keep_log();
    for (method, size) in [("try_read", 1), ("try_write", 1), ("try_write", 1 << 20)] {
        let place = Place::new();
        let panics = Arc::new(AtomicBool::new(false));
        let way = Way::Panicking(method, panics.clone());
        let builder = place.builder("a").network(|poller| Ok(Wrapped(poller, way)));
        let (a, _b) = (TestNode::of(builder), place.node("b"));
        let peer = place.name("b");
        a.block_on(async move {
            monitor_nodes(true);
            let remote = spawn_on(&peer, answerer()).await;
            nodeup(&peer).await;
            let monitor = monitor(remote);
            assert_answers(remote, 1).await;
            panics.store(true, Ordering::SeqCst);
            send(remote, vec![0_u8; size]);
            send(remote, Ask { from: self_pid(), n: 2 });
            let why = "a panic while reading or writing".to_owned();
            assert_eq!(nodedown(&peer).await.reason, NodeDownReason::Other(why), "{method}");
            assert_eq!(down(monitor).await, ExitReason::Noconnection);
            panics.store(false, Ordering::SeqCst);
            // An attempt to connect again may have failed in the transport meanwhile.
            let clock = Clock::new();
            let again = loop {
                match try_spawn_on(&peer, answerer()).await {
                    Ok(pid) => break pid,
                    Err(error) => assert!(clock.elapsed() < LIMIT, "{method}: {error}"),
                }
            };
            assert_answers(again, 3).await;
        });
        let closed = "a panic while reading or writing: the connection is closed";
        assert_eq!(reported(&["ERROR", closed, &place.name("b")]), 1, "{method}");
    }
}

/// Panics in one of its methods.
#[derive(Clone, Default)]
struct Panics(Arc<Mutex<&'static str>>);

impl Panics {
    fn in_method(&self, method: &'static str) {
        *self.0.lock().unwrap() = method;
    }

    fn pass<T>(&self, method: &str, value: T) -> Decision<T> {
        let panics = *self.0.lock().unwrap() == method;
        assert!(!panics, "{method} of a handler");
        Decision::Pass(value)
    }
}

impl NetHandler for Panics {
    fn nodeup(&self, up: NodeUp) -> Decision<NodeUp> {
        self.pass("nodeup", up)
    }

    fn nodedown(&self, down: NodeDown) -> Decision<NodeDown> {
        self.pass("nodedown", down)
    }

    fn spawn(&self, asked: SpawnAsked) -> Decision<SpawnAsked> {
        self.pass("spawn", asked)
    }

    fn send_to_name(&self, sent: SentToName) -> Decision<SentToName> {
        self.pass("send_to_name", sent)
    }

    fn bad_cookie(&self, attempt: BadCookie) -> Decision<BadCookie> {
        self.pass("bad_cookie", attempt)
    }
}

/// A handler that panics in any of its methods refuses, and net_kernel continues.
#[test]
fn a_panicking_handler_refuses() {
    keep_log();
    let place = Place::new();
    let panics = Panics::default();
    let here = TestNode::of(place.builder("here").net_handler(panics.clone()));
    let net_kernel = here.whereis("net_kernel");
    let there = place.node("there");
    let [own, peer] = ["here", "there"].map(|alive| place.name(alive));
    let reports = || reported(&["ERROR", "the node's handler has panicked"]);
    let ping_from = |node: &TestNode| node.block_on(ping(own.clone()));
    let subscriber_of = peer.clone();
    let subscriber = here.spawn(async move {
        register("subscriber", self_pid()).unwrap();
        monitor_nodes(true);
        // The first nodedown is refused.
        let ups = [nodeup(&subscriber_of).await, nodeup(&subscriber_of).await];
        assert_ne!(ups[0].connection, ups[1].connection);
        none!(NodeDown);
        let Ask { from, n } = next!(Ask);
        send(from, n);
    });
    until("it is registered", || here.whereis("subscriber") == subscriber);

    panics.in_method("nodeup");
    // The connection may be up for `there`, until it is closed.
    ping_from(&there);
    until("the panic in nodeup is reported", || reports() == 1);
    assert!(here.nodes().is_empty());

    panics.in_method("nodedown");
    until("they connect", || ping_from(&there) == PingAnswer::Pong && here.nodes().len() == 1);
    let name = own.clone();
    there.block_on(async move { disconnect_node(&name).await });
    until("the panic in nodedown is reported", || reports() == 2);

    panics.in_method("spawn");
    until("they connect again", || {
        ping_from(&there) == PingAnswer::Pong && here.nodes().len() == 1
    });
    let name = own.clone();
    let spawned = there.block_on(async move { try_spawn_on(&name, answerer()).await });
    assert_eq!(spawned, Err(SpawnError::Notsup));
    assert_eq!(reports(), 3);

    panics.in_method("send_to_name");
    let name = own.clone();
    let answer = there.spawn({
        let panics = panics.clone();
        async move {
            send(("subscriber", &*name), Ask { from: self_pid(), n: 1 });
            until_in_process("the message is refused", || {
                reported(&["ERROR", "the node's handler has panicked"]) == 4
            })
            .await;
            panics.in_method("");
            send(("subscriber", &*name), Ask { from: self_pid(), n: 2 });
            assert_eq!(next!(u64), 2);
            panics.in_method("bad_cookie");
        }
    });
    until("the message after it is answered", || there.processes().all(|pid| Some(pid) != answer));
    assert_eq!(*panics.0.lock().unwrap(), "bad_cookie");

    let stranger = TestNode::of(place.builder("stranger").cookie("another cookie of the tests"));
    assert_eq!(ping_from(&stranger), PingAnswer::Pang);
    until("the panic in bad_cookie is reported", || reports() == 5);

    panics.in_method("");
    assert_eq!(ping_from(&there), PingAnswer::Pong);
    assert_eq!(here.whereis("net_kernel"), net_kernel);
}

/// Calls `exit` when it is decoded, once this is true.
static EXITS: AtomicBool = AtomicBool::new(false);

#[derive(Serialize, Debug, Message)]
struct Exits(u64);

impl<'de> Deserialize<'de> for Exits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Exits, D::Error> {
        if EXITS.load(Ordering::SeqCst) {
            exit(ExitReason::Shutdown);
        }
        u64::deserialize(deserializer).map(Exits)
    }
}

#[remote]
async fn takes(_exits: Exits) {}

/// net_kernel handles a request to spawn that arrives together with the end of the handshake. An `exit`
/// in the code of its arguments does not end net_kernel.
#[test]
fn arguments_that_exit_in_net_kernel() {
    keep_log();
    let place = Place::new();
    let node = place.node("node");
    let net_kernel = node.whereis("net_kernel");
    let addr = place.addr_of("node");
    let (name, asked) = (place.name("node"), place.name("asked"));
    // Records the bytes of such a request.
    let mut peer = Peer::connected(addr, &asked, &name);
    until("it is up", || node.nodes().len() == 1);
    node.block_on(async move {
        spawn_request_on(asked, SpawnOpts::new(), takes(Exits(7)));
    });
    let mut request = Vec::new();
    while request.last().is_none_or(|body: &Vec<u8>| body[0] != 0x20) {
        request.push(peer.frame());
    }
    let said: Vec<u8> = request.iter().flat_map(|body| frame(body)).collect();
    drop(peer);
    until("the peer is disconnected", || node.nodes().is_empty());

    EXITS.store(true, Ordering::SeqCst);
    let mut peer = Peer::connected_and_said(addr, &place.name("asks"), &name, &said);
    let reply = loop {
        let body = peer.frame();
        if body[0] == 0x18 {
            break body;
        }
    };
    assert_eq!(reply.last(), Some(&4), "it is answered with badarg: {reply:?}");
    assert_eq!(node.block_on(ping(name)), PingAnswer::Pong);
    assert_eq!(node.whereis("net_kernel"), net_kernel);
}
