//! Bad input to a node: in its settings, from its users, and from the wire. Each test shows the
//! error, and that nothing else is affected.

use crate::support;

use std::borrow::Cow;
use std::fs::{self, OpenOptions, Permissions};
use std::future::{Ready, ready};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use fika::message::{Buffer, Bytes, DecodeError, EncodeError, Encoded};
use fika::net::{
    CookieError, Ping as PingAnswer, StartError, disconnect_node, monitor_node, monitor_nodes, ping,
};
use fika::node::NodeError;
use fika::prelude::*;
use fika::process::{RemoteFn, SpawnError, spawn_link_on, spawn_monitor_on, try_spawn_on, unlink};
use serde::{Deserialize, Serialize};
use support::peer::{Hello, Peer, framed};
use support::unknown::Unknown;
use support::{
    Ask, EndWith, LIMIT, Place, TestNode, answerer, assert_answers, connect, down, exit_of, nodeup,
    until, until_closed,
};

/// DIST-2: an invalid name is refused at the start of a node and at each use.
#[test]
fn a_name_without_an_at_sign() {
    let place = Place::new();
    for name in ["a", "", "@", "a@", "@b", "a@b@c", "a b@c", "ä/b@c"] {
        let error = place.builder_of(name).build().expect_err(name);
        assert!(matches!(error, NodeError::Name(_)), "{name}: {error:?}");
        assert!(error.to_string().contains(&format!("`{name}`")), "{error}");
    }
    let error = place.builder_of("a").build().unwrap_err().to_string();
    assert!(error.contains("it has no `@`; write alive@host"), "{error}");
    let a = place.node("a");
    a.block_on(async {
        for name in ["b", "", "@", "b@", "b@c@d"] {
            assert_eq!(ping(name).await, PingAnswer::Pang, "{name}");
            assert_eq!(connect_node(name).await, Some(false), "{name}");
            assert_eq!(disconnect_node(name).await, Some(false), "{name}");
            assert!(monitor_node(name, true).is_err(), "{name}");
        }
        // An invalid name ends the calling process with `badarg`, and no other.
        for work in [0, 1, 2] {
            let (_, monitor) = spawn_monitor(async move {
                match work {
                    0 => send(("x", "b@c@d"), ()),
                    1 => drop(fika::process::monitor(("x", "b"))),
                    _ => drop(spawn_on("b", answerer()).await),
                }
            });
            assert!(matches!(down(monitor).await, ExitReason::Badarg(_)));
        }
        assert_eq!(ping(self_node().name()).await, PingAnswer::Pong);
    });
}

/// DIST-3: a name that another node has is refused at the start.
#[test]
fn a_name_in_use() {
    let place = Place::new();
    let (a, b) = (place.node("a"), place.node("b"));
    for _ in 0..2 {
        let error = place.builder("b").build().expect_err("it is taken");
        assert!(matches!(error, NodeError::Start(StartError::NameTaken(_))), "{error:?}");
        assert!(error.to_string().contains(&format!("`{}` is taken", place.name("b"))), "{error}");
    }
    a.block_on(async move {
        assert_eq!(ping(place.name("b")).await, PingAnswer::Pong);
    });
    drop(b);
    // When the node that has the name has stopped, the name is free.
    let _b = place.node("b");
}

/// DIST-2: a node with a short name and a node with a long name refuse each other, whichever
/// connects. Both continue to work with other nodes.
#[test]
fn short_and_long_names_do_not_connect() {
    let place = Place::on_localhost();
    let short = TestNode::of(place.builder_of("short@localhost"));
    let long = place.node("long");
    let (short2, long2) = (TestNode::of(place.builder_of("short2@localhost")), place.node("long2"));
    for (node, other, friend) in [
        (&short, place.name("long"), "short2@localhost".to_owned()),
        (&long, "short@localhost".to_owned(), place.name("long2")),
    ] {
        node.block_on(async move {
            monitor_nodes(true);
            assert_eq!(ping(&other).await, PingAnswer::Pang);
            assert_eq!(
                down(fika::process::monitor(("x", &*other))).await,
                ExitReason::Noconnection
            );
            none!(NodeUp);
            assert_eq!(ping(&friend).await, PingAnswer::Pong);
            monitor_nodes(false);
        });
    }
    drop((short2, long2));
}

/// DIST-8, HS-8: nodes with different cookies do not connect.
#[test]
fn a_wrong_cookie() {
    let place = Place::new();
    let a = place.os("a").start();
    let mut b = place.os("b").cookie("another cookie than the others").start();
    let friend = place.os("friend").cookie("another cookie than the others").start();
    let here = place.node("here");
    let (a_name, b_name, friend_name) = (a.name.clone(), b.name.clone(), friend.name.clone());
    // Counts the errors in a node's log.
    let errors = |log: &str| log.lines().filter(|line| line.contains("ERROR")).count();
    let said = here.block_on(async move {
        let on_a = spawn_on(&a_name, asks_for_connections()).await;
        let ask = |node: &str| Connect { from: self_pid(), node: node.to_owned() };
        monitor_nodes(true);
        assert_eq!(ping(&b_name).await, PingAnswer::Pang);
        send(on_a, ask(&b_name));
        let refused = next!(Connected).0;
        // Both continue to work with others.
        assert_answers(on_a, 1).await;
        none!(NodeUp);
        refused
    });
    assert!(!said);
    // The nodes with the other cookie still connect to each other, but not to `a`.
    let other = TestNode::of(place.builder("other").cookie("another cookie than the others"));
    other.block_on(async move {
        let on_friend = spawn_on(&friend_name, asks_for_connections()).await;
        send(on_friend, Connect { from: self_pid(), node: place.name("b") });
        assert!(next!(Connected).0);
        assert_eq!(ping(place.name("a")).await, PingAnswer::Pang);
    });
    // One line per side for each attempt: two came to `b`, one left `a` and one came to it.
    b.await_log("has another cookie", 2);
    a.await_log("has another cookie", 1);
    a.await_log("does the peer have the same cookie?", 1);
    assert_eq!(errors(&a.log()), 2, "{}", a.log());
    assert_eq!(errors(&b.log()), 2, "{}", b.log());
    for log in [a.log(), b.log()] {
        assert!(!log.contains(support::COOKIE) && !log.contains("another cookie than"), "{log}");
    }
    b.kill();
}

/// A request to connect to a node.
#[derive(Message, Serialize, Deserialize)]
struct Connect {
    from: Pid,
    node: String,
}

/// Reports whether the node is connected.
#[derive(Message, Serialize, Deserialize, Debug)]
struct Connected(bool);

#[remote]
async fn asks_for_connections() {
    loop {
        receive! {
            Connect { from, node } => {
                let connected = connect_node(&node).await;
                send(from, Connected(connected == Some(true)));
            }
            Ask { from, n } => send(from, support::Answer { from: self_pid(), n }),
        }
    }
}

/// DIST-9: a node does not start with a cookie file that others can read or write.
#[test]
fn a_cookie_file_that_others_can_read() {
    let place = Place::new();
    let file = std::env::temp_dir().join(format!("fika-cookie-{}", place.ip));
    let _ = fs::remove_file(&file);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options.open(&file).unwrap().write_all(b"a secret of some length\n").unwrap();
    let with_file = || Node::builder().name(place.name("a")).epmd_port(place.mapper);
    for mode in [0o640, 0o604, 0o620, 0o602, 0o644, 0o666] {
        fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        let error = with_file().cookie_file(&file).build().expect_err("it is open to others");
        assert!(matches!(error, NodeError::Cookie(CookieError::OpenToOthers { .. })), "{error:?}");
        assert!(error.to_string().contains(&format!("chmod 600 {}", file.display())), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    // The failed starts leave nothing behind. With the right permissions the node starts.
    assert_eq!(place.names(), []);
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let a = TestNode::of(with_file().cookie_file(&file));
    fs::remove_file(&file).unwrap();
    let b = TestNode::of(place.builder("b").cookie("a secret of some length"));
    a.block_on(async move { assert_eq!(ping(place.name("b")).await, PingAnswer::Pong) });
    drop(b);
}

#[test]
fn a_port_in_use() {
    let place = Place::new();
    let taken = TcpListener::bind((place.ip, 0)).unwrap();
    let addr = taken.local_addr().unwrap();
    let error = place.builder("a").listen(addr).build().expect_err("the port is in use");
    assert!(matches!(error, NodeError::Start(StartError::Listen { .. })), "{error:?}");
    let said = error.to_string();
    assert!(said.contains(&addr.to_string()) && said.contains("choose another port"), "{said}");
    assert_eq!(place.names(), [], "it was never registered");
    drop(taken);
    let _a = TestNode::of(place.builder("a").listen(addr));
    assert_eq!(place.addr_of("a"), addr);
}

/// A node does not start if a program that is not a mapper holds the mapper's port.
#[test]
#[allow(clippy::disallowed_methods, reason = "the thread of a test")]
fn a_mapper_port_in_use_by_something_else() {
    let place = Place::new();
    let taken = TcpListener::bind(place.mapper_addr()).unwrap();
    let closing = std::thread::spawn(move || {
        // Answers a request with bytes that no mapper sends.
        let (mut stream, _) = taken.accept().unwrap();
        let _ = stream.read(&mut [0; 256]);
        stream.write_all(b"220 hello\r\n").unwrap();
    });
    let error = place.builder("a").build().expect_err("there is no mapper");
    assert!(matches!(error, NodeError::Start(StartError::Epmd(_))), "{error:?}");
    assert!(error.to_string().contains(&place.mapper_addr().to_string()), "{error}");
    closing.join().unwrap();
}

/// HS-14, EPMD-13: garbage at both ports has no effect on the node.
#[test]
fn garbage() {
    let place = Place::new();
    // The first node starts the mapper.
    let target = place.os("target").handshake_time(millis(300)).start();
    let here = place.node("here");
    let (traffic, stop) = traffic(&here, &target.name);
    let node = place.addr_of("target");

    let mut random = vec![0; 10 << 20];
    here.env().secure_random(&mut random);
    for addr in [node, place.mapper_addr()] {
        for garbage in [&random[..], HTTP] {
            let mut stream = connect(addr).unwrap();
            // The connection may be closed before everything is written.
            let _ = stream.write_all(garbage);
            assert_eq!(until_closed(&mut stream), b"", "{addr}");
        }
    }
    // Garbage after a valid hello, and after a complete handshake.
    let mut peer = Peer::open(node);
    peer.write(&framed(&Hello::new(&place.name("peer"), &place.name("target")).body()));
    assert_eq!(peer.handshake_frame()[0], 0xf2);
    peer.write_to_the_end(&random);
    peer.until_closed();
    let mut peer = Peer::connected(node, &place.name("peer"), &place.name("target"));
    peer.write_to_the_end(&random);
    peer.until_closed();

    stop.store(true, Ordering::Relaxed);
    let answers = traffic.recv_timeout(LIMIT).expect("the traffic went on to its end");
    assert!(answers > 0);
    target.await_log("a connection was refused", 3);
    target.await_log("the connection is closed", 1);
    assert_still_there(&here, place, "target");
}

const HTTP: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n";

/// A connection that does not complete its handshake is closed at the deadline, whether it stays
/// silent or sends a byte now and then.
#[test]
fn silence() {
    let place = Place::new();
    let handshake_time = millis(300);
    let target = place.os("target").handshake_time(handshake_time).start();
    let here = place.node("here");
    let (traffic, stop) = traffic(&here, &target.name);
    let node = place.addr_of("target");
    let clock = support::Clock::new();

    let mut silent: Vec<_> = (0..20).map(|_| connect(node).unwrap()).collect();
    silent.iter_mut().skip(1).for_each(|stream| stream.write_all(&[0]).unwrap());
    let mut half = Peer::open(node);
    half.write(&framed(&Hello::new(&place.name("peer"), &place.name("target")).body()));
    assert_eq!(half.handshake_frame()[0], 0xf2);
    for stream in &mut silent {
        assert_eq!(until_closed(stream), b"");
    }
    half.until_closed();
    let took = clock.elapsed();
    // The default is 5 s.
    assert!(took >= handshake_time && took < secs(5), "{took:?}");
    target.await_log("its handshake took too long", 21);

    let clock = support::Clock::new();
    let mut slow = connect(node).unwrap();
    slow.set_read_timeout(Some(millis(20))).unwrap();
    slow.write_all(&1000_u16.to_be_bytes()).unwrap();
    while !matches!(slow.read(&mut [0]), Ok(0)) && slow.write_all(&[0xf1]).is_ok() {
        assert!(clock.elapsed() < LIMIT, "a byte now and then keeps the connection open");
    }

    stop.store(true, Ordering::Relaxed);
    assert!(traffic.recv_timeout(LIMIT).expect("the traffic went on to its end") > 0);
    assert_still_there(&here, place, "target");
}

/// A real connection gets through, although there are more half-open connections than allowed.
#[test]
fn a_crowd_of_silent_connections() {
    let place = Place::new();
    let target = place.os("target").handshake_time(LIMIT).start();
    let node = place.addr_of("target");
    let here = place.node("here");
    let mut crowd: Vec<_> = (0..300).map(|_| connect(node).unwrap()).collect();
    // The node logs some of the dropped connections one by one.
    target.await_log("too many handshakes at the same time", 32);
    assert_still_there(&here, place, "target");
    // There are 44 connections above the limit of 256. Each later one drops at most one more, which
    // is chosen at random.
    crowd.iter().for_each(|stream| stream.set_nonblocking(true).unwrap());
    let dropped = crowd.iter_mut().filter_map(|stream| stream.read(&mut [0]).ok()).count();
    assert!((44..=50).contains(&dropped), "{dropped} were dropped");
}

/// Makes traffic between two nodes until it is stopped. At the end it sends the number of answers,
/// if no answer was lost.
fn traffic(here: &Node, target: &str) -> (mpsc::Receiver<u64>, Arc<AtomicBool>) {
    let (report, reports) = mpsc::channel();
    let (started, starts) = mpsc::channel();
    let stop = Arc::new(AtomicBool::new(false));
    let (stopped, target) = (stop.clone(), target.to_owned());
    here.spawn(async move {
        monitor_nodes(true);
        let there = spawn_on(&target, answerer()).await;
        link(there);
        let mut n = 0;
        while !stopped.load(Ordering::Relaxed) {
            n += 1;
            assert_answers(there, n).await;
            if n == 1 {
                started.send(()).unwrap();
            }
        }
        nodeup(&target).await;
        none!(NodeDown);
        unlink(there);
        report.send(n).unwrap();
    });
    starts.recv_timeout(LIMIT).expect("the traffic starts");
    (reports, stop)
}

/// Checks that the node can be found and used, over old connections and new ones.
fn assert_still_there(here: &Node, place: Place, alive: &'static str) {
    let ping_it = async move { assert_eq!(ping(place.name(alive)).await, PingAnswer::Pong) };
    here.block_on(ping_it);
    let newcomer = place.node("newcomer");
    newcomer.block_on(async move {
        let there = spawn_on(place.name(alive), answerer()).await;
        assert_answers(there, 1).await;
    });
}

/// A call of a function that every node of these tests has, with arguments of another shape.
struct OtherArguments;

impl IntoFuture for OtherArguments {
    type Output = ();
    type IntoFuture = Ready<()>;

    fn into_future(self) -> Ready<()> {
        ready(())
    }
}

impl RemoteFn for OtherArguments {
    fn name(&self) -> &'static str {
        "test::answerer"
    }

    fn args(&self) -> Result<Encoded, EncodeError> {
        Encoded::new(&"no arguments were expected".to_owned())
    }
}

/// SPAWN-4, SPAWN-9: a request with an unknown function or with wrong arguments gets an error.
#[test]
fn an_unknown_remote_function() {
    let place = Place::new();
    let there = place.os("there").start();
    let here = place.node("here");
    here.block_on(async move {
        let name = place.name("there");
        monitor_nodes(true);
        trap_exit(true);
        assert_eq!(try_spawn_on(&name, Unknown).await, Err(SpawnError::Notsup));
        assert_eq!(try_spawn_on(&name, OtherArguments).await, Err(SpawnError::Notsup));
        let (_, monitor) = spawn_monitor_on(&name, Unknown).await;
        assert_eq!(down(monitor).await, ExitReason::Notsup);
        let none = spawn_link_on(&name, Unknown).await;
        assert_eq!(exit_of(none).await, ExitReason::Notsup);
        // This pid belongs to a process that never existed.
        let none = spawn_on(&name, Unknown).await;
        assert_eq!(none.node().name().as_str(), name);
        assert_eq!(down(fika::process::monitor(none)).await, ExitReason::Noproc);
        assert_answers(spawn_on(&name, answerer()).await, 1).await;
        nodeup(&name).await;
        none!(NodeDown);
    });
    drop(there);
}

/// A message with bytes that a test chooses.
struct Crafted(Vec<u8>);

impl Message for Crafted {
    fn tag() -> Cow<'static, str> {
        Ask::tag()
    }

    /// Pretends to come from another program: in one program, two types can't have one tag.
    fn tag_hash() -> u64 {
        2
    }

    fn fingerprint() -> u64 {
        Ask::fingerprint()
    }

    fn encode(&self, out: &mut Buffer) -> Result<(), EncodeError> {
        out.put_slice(&self.0);
        Ok(())
    }

    fn decode(_: &Bytes) -> Result<Crafted, DecodeError> {
        unreachable!("it is received as what it says it is")
    }
}

#[derive(Message, Serialize, Deserialize)]
struct NeverReceived(String);

/// A message of an unknown type stays in the receiver's mailbox.
#[test]
fn a_message_of_an_unknown_type() {
    let place = Place::new();
    let there = place.os("there").start();
    let here = place.node("here");
    here.block_on(async move {
        monitor_nodes(true);
        let name = place.name("there");
        let pid = spawn_on(&name, answerer()).await;
        for n in 0..100 {
            send(pid, NeverReceived("x".repeat(1000)));
            assert_answers(pid, n).await;
        }
        nodeup(&name).await;
        none!(NodeDown);
        // It also arrives in a mailbox whose receiver accepts every message.
        let pid = spawn_on(&name, takes_all()).await;
        send(pid, NeverReceived("x".into()));
        send(pid, Ask { from: self_pid(), n: 0 });
        assert_eq!(next!(String), NeverReceived::tag());
    });
    assert_eq!(there.logged("ERROR"), 0, "{}", there.log());
}

/// Receives a message of any type, and describes it to the sender of the next one.
#[remote]
async fn takes_all() {
    let name = receive! { other => other.type_name().to_owned() };
    let from = receive! { Ask { from, .. } => from };
    send(from, name);
}

/// A message with the tag of a known type, but another shape, is reported by name and dropped. The
/// receiver and the connection continue.
#[test]
fn a_message_with_a_different_shape() {
    let place = Place::new();
    let there = place.os("there").start();
    let here = place.node("here");
    here.block_on(async move {
        monitor_nodes(true);
        let name = place.name("there");
        let pid = spawn_on(&name, answerer()).await;
        send(pid, support::AskOfAnotherShape);
        assert_answers(pid, 2).await;
        none!(support::Answer);
        nodeup(&name).await;
        none!(NodeDown);
    });
    there.await_log("a message from another node was dropped", 1);
    assert!(there.log().contains("tag=test::Ask"), "{}", there.log());
    assert_eq!(there.logged("ERROR"), 1, "{}", there.log());
}

/// DIST-19: a message whose bytes are not a value of its type is dropped with a log entry. It ends
/// no process and no connection.
#[test]
fn a_message_that_does_not_decode() {
    let place = Place::new();
    let there = place.os("there").start();
    let here = place.node("here");
    here.block_on(async move {
        monitor_nodes(true);
        let name = place.name("there");
        let pid = spawn_on(&name, answerer()).await;
        nodeup(&name).await;
        let monitor = fika::process::monitor(pid);
        // No bytes, too few, too many, a pid of a node that the message does not list, and garbage.
        let mut n = 0;
        for bytes in [&[][..], &[0, 1], &[0, 1, 1, 1, 0], &[9, 1, 1, 1], &[0xff; 40]] {
            send(pid, Crafted(bytes.into()));
            n += 1;
            assert_answers(pid, n).await;
        }
        none!(Down);
        demonitor(monitor);
        none!(NodeDown);
    });
    there.await_log("a message from another node was dropped", 5);
    assert_eq!(there.logged("the connection is closed"), 0, "{}", there.log());
    assert_eq!(there.logged("a panic ended a process"), 0, "{}", there.log());
}

/// LINK-1, PROC-4: the links of a process that panics are notified, on other nodes too.
#[test]
fn a_panic_with_remote_links() {
    let place = Place::new();
    let there = place.os("there").start();
    let (here, third) = (place.node("here"), place.node("third"));
    let panics =
        third.block_on(async move { spawn_on(place.name("there"), panics_when_told()).await });
    let panicked = |reason: &ExitReason| match reason {
        ExitReason::Panic(panic) => {
            assert_eq!(panic.message, "on request");
            assert!(panic.location.as_ref().unwrap().contains("net/bad_input.rs"));
        }
        other => panic!("not a panic: {other}"),
    };
    // On each of two nodes, a process that traps exits and a process that does not are linked to
    // it.
    let mut watched = Vec::new();
    for node in [&here, &third] {
        let (to, from) = mpsc::channel();
        let (ready, is_ready) = mpsc::channel();
        node.spawn(async move {
            trap_exit(true);
            link(panics);
            let parent = self_pid();
            let (_, of_untrapped) = spawn_monitor(async move {
                link(panics);
                assert_answers(panics, 1).await;
                send(parent, ());
                std::future::pending::<()>().await;
            });
            assert_answers(panics, 2).await;
            next!(());
            ready.send(()).unwrap();
            let exit = exit_of(panics).await;
            to.send((exit, down(of_untrapped).await)).unwrap();
        });
        is_ready.recv_timeout(LIMIT).unwrap();
        watched.push(from);
    }
    here.block_on(async move {
        let bystander = spawn_on(place.name("there"), answerer()).await;
        send(panics, EndWith(ExitReason::Normal));
        assert_answers(bystander, 1).await;
    });
    for from in watched {
        let (trapped, untrapped) = from.recv_timeout(LIMIT).unwrap();
        panicked(&trapped);
        panicked(&untrapped);
    }
    there.await_log("a panic ended a process", 1);
}

#[remote]
async fn panics_when_told() {
    loop {
        receive! {
            Ask { from, n } => send(from, support::Answer { from: self_pid(), n }),
            EndWith(_) => panic!("on request"),
        }
    }
}

/// Outside of a process, the free functions panic with a text that says so, and do nothing.
#[test]
fn free_functions_outside_of_a_process() {
    let place = Place::new();
    let node = place.node("a");
    let pid = node.spawn(answerer()).unwrap();
    let count = node.process_count();
    type Call = (&'static str, Box<dyn Fn()>);
    let calls: [Call; 12] = [
        ("self_pid", Box::new(|| _ = self_pid())),
        ("self_node", Box::new(|| _ = self_node())),
        ("send", Box::new(move || send(pid, 1_u64))),
        ("spawn", Box::new(|| _ = spawn(async {}))),
        ("link", Box::new(move || link(pid))),
        ("unlink", Box::new(move || unlink(pid))),
        ("monitor", Box::new(move || _ = fika::process::monitor(pid))),
        ("exit_process", Box::new(move || exit_process(pid, ExitReason::Kill))),
        ("register", Box::new(move || _ = register("x", pid))),
        ("nodes", Box::new(|| _ = nodes())),
        ("monitor_nodes", Box::new(|| monitor_nodes(true))),
        ("monitor_node", Box::new(|| _ = monitor_node("a@b", true))),
    ];
    for (name, call) in calls {
        let panic = catch_unwind(AssertUnwindSafe(call)).expect_err(name);
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let text = text.unwrap_or_else(|| panic!("{name}: no text"));
        assert!(text.contains("no process runs here"), "{name}: {text}");
    }
    for call in [ping("b@c"), ping("d@e")] {
        let polled = AssertUnwindSafe(|| {
            futures_lite::future::block_on(call);
        });
        assert!(catch_unwind(polled).is_err());
    }
    node.block_on(async move { assert_answers(pid, 1).await });
    until("nothing was spawned", || node.process_count() <= count);
}
