//! Log lines that a peer can cause: a burst is written, and then one line per second, each with the
//! number of lines that were omitted before it.

use crate::support;

use std::io::Write as _;
use std::pin::Pin;

use fika::net::{Ping, disconnect_node, ping};
use fika::prelude::*;
use fika::process::{SpawnError, spawn_blocking, try_spawn_on};
use support::peer::{Hello, Peer, frame, framed};
use support::process::OsNode;
use support::unknown::Unknown;
use support::{Clock, EndWith, LIMIT, Place, answerer, assert_answers, connect, until_closed};

/// The number of lines of each kind that are logged in a burst.
const AT_ONCE: usize = 32;

/// Returns how often a line is in the log, and how many lines it reports as left out.
fn logged(node: &OsNode, line: &str) -> (usize, usize) {
    let log = node.log();
    let lines: Vec<&str> = log.lines().filter(|entry| entry.contains(line)).collect();
    let left_out = lines.iter().filter_map(|entry| {
        let count = entry.split_once("left_out=")?.1.split(' ').next()?;
        Some(count.parse::<usize>().expect("a number"))
    });
    (lines.len(), left_out.sum())
}

/// Causes a line repeatedly, until it was caused this many times and a line reports how many were
/// left out. Checks that the two add up. `cause` returns how often it caused the line.
fn flood(node: &OsNode, line: &str, first: usize, mut cause: impl FnMut() -> usize) {
    let clock = Clock::new();
    let mut caused = 0;
    while caused < first || logged(node, line).1 == 0 {
        assert!(clock.elapsed() < LIMIT, "no line says how many were left out:\n{}", node.log());
        caused += cause();
    }
    let (lines, left_out) = logged(node, line);
    let most = AT_ONCE + clock.elapsed().as_secs() as usize + 1;
    assert!((AT_ONCE..=most).contains(&lines), "{lines} lines");
    // The last lines may have been left out, or not be logged yet.
    assert!((AT_ONCE + 1..=caused).contains(&(lines + left_out)), "{lines} and {left_out}");
}

/// A node limits its log lines about strangers that send something invalid or nothing, or are too
/// many.
#[test]
fn log_lines_about_strangers_are_limited() {
    let place = Place::new();
    let there = place.os("there").handshake_time(millis(500)).start();
    let addr = place.addr_of("there");
    flood(&there, "it does not speak fika's protocol", 400, || {
        let mut stream = connect(addr).unwrap();
        stream.write_all(b"\0\x08garbage!").unwrap();
        assert_eq!(until_closed(&mut stream), b"");
        1
    });
    flood(&there, "its handshake took too long", 100, || {
        let mut crowd: Vec<_> = (0..100).map(|_| connect(addr).unwrap()).collect();
        crowd.iter_mut().for_each(|stream| assert_eq!(until_closed(stream), b""));
        crowd.len()
    });
    let mut crowd: Vec<_> = (0..256).map(|_| connect(addr).unwrap()).collect();
    flood(&there, "too many handshakes at the same time", 100, || {
        crowd.push(connect(addr).unwrap());
        1
    });
}

/// A name that would forge a line of the log, or that a terminal would obey, is escaped.
#[test]
fn names_are_escaped_in_the_log() {
    let place = Place::new();
    let there = place.os("there").start();
    let forged = "a\n2026-01-01T00:00:00Z ERROR all is lost\r\u{1b}[2J\u{9b}31m@b";
    let mut stream = connect(place.addr_of("there")).unwrap();
    stream.write_all(&framed(&Hello::new(forged, &there.name).body())).unwrap();
    assert_eq!(until_closed(&mut stream), b"");
    let clock = Clock::new();
    while logged(&there, "is not a node name").0 == 0 {
        assert!(clock.elapsed() < LIMIT, "{}", there.log());
        std::thread::yield_now();
    }
    let log = there.log();
    assert!(log.contains("a\\n2026-01-01T00:00:00Z ERROR all is lost\\r\\u{1b}[2J"), "{log}");
    assert!(!log.lines().any(|line| line.starts_with("2026-01-01T00:00:00Z ERROR")), "{log}");
    assert!(!log.contains(['\u{1b}', '\u{9b}', '\r']), "{log}");
}

/// A node limits its log lines about a member that asks for missing things, and sends values that
/// can't be accepted.
#[test]
fn log_lines_about_members_are_limited() {
    let place = Place::new();
    let there = place.os("there").start();
    let name = there.name.clone();
    let here = place.node("here");
    let ask = |what: fn(String) -> BoxFuture<usize>| {
        let name = name.clone();
        here.block_on(async move { what(name).await })
    };
    flood(&there, "a request to spawn was refused", 400, || {
        ask(|name| {
            Box::pin(async move {
                assert_eq!(try_spawn_on(&name, Unknown).await, Err(SpawnError::Notsup));
                1
            })
        })
    });
    flood(&there, "a message from another node was dropped", 1000, || {
        ask(|name| {
            Box::pin(async move {
                let pid = spawn_on(&name, answerer()).await;
                (0..1000).for_each(|_| send(pid, support::AskOfAnotherShape));
                // The connection continues.
                assert_answers(pid, 1).await;
                send(pid, EndWith(ExitReason::Normal));
                1000
            })
        })
    });
    flood(&there, "the connection is closed", 50, || {
        let mut peer = Peer::connected(place.addr_of("there"), &place.name("peer"), &name);
        peer.write(&frame(b"\x7f"));
        peer.until_closed();
        1
    });
}

/// Calls functions about nodes with invalid names, and on a node without a name. Sends what they
/// return.
#[remote]
async fn calls_that_can_not_work(to: Pid) {
    let named =
        (connect_node("b").await, ping("b@").await == Ping::Pong, disconnect_node("a@b@c").await);
    let nameless = spawn_blocking(|| {
        let node = Node::builder().workers(1).build().unwrap();
        let answers = node.block_on(async {
            send(("anybody", "sent@host"), ());
            let spawned = try_spawn_on("spawned@host", answerer()).await;
            assert_eq!(spawned, Err(SpawnError::Noconnection));
            let ponged = ping("pinged@host").await == Ping::Pong;
            (connect_node("b@host").await, ponged, disconnect_node("c@host").await)
        });
        node.stop();
        answers
    });
    send(to, (named, nameless.await));
}

/// A call that can't work says what was wrong.
#[test]
fn mistakes_of_the_program() {
    type Answers = (Option<bool>, bool, Option<bool>);

    let place = Place::new();
    let there = place.os("there").start();
    let name = there.name.clone();
    let answers = place.node("here").block_on(async move {
        spawn_on(&name, calls_that_can_not_work(self_pid())).await;
        receive! { answers: (Answers, Answers) => answers }
    });
    assert_eq!(answers, ((Some(false), false, Some(false)), (None, false, None)));
    let lines = [
        "function=\"connect_node\" error=`b` is not a node name: it has no `@`; write alive@host",
        "function=\"ping\" error=`b@` is not a node name: the part after the `@` is empty",
        "function=\"disconnect_node\" error=`a@b@c` is not a node name",
        "this node has no name; give it one with the setting `name`, or call `start_distribution` \
         node=sent@host",
        "node=spawned@host",
        "node=pinged@host",
        "node=b@host",
        "node=c@host",
    ];
    lines.iter().for_each(|line| there.await_log(line, 1));
}

/// The line of the function below.
const FAILS: u32 = line!() + 3;

#[remote]
async fn fails() {
    panic!("in a remote function")
}

/// Spawns a function on its own node, and sends the line of that call.
#[remote]
async fn spawns(to: Pid) {
    let name = self_node().name();
    let line = line!() + 1;
    spawn_on(name, fails()).await;
    send(to, line);
}

/// A report names the place where the program spawned the process. If another node has spawned it,
/// the report names the `#[remote]` function.
#[test]
fn a_report_names_a_place_of_the_program() {
    let place = Place::new();
    let there = place.os("there").start();
    let name = there.name.clone();
    let line: u32 = place.node("here").block_on(async move {
        spawn_on(&name, fails()).await;
        spawn_on(&name, spawns(self_pid())).await;
        receive! { line: u32 => line }
    });
    there.await_log(&format!("spawned={}:{FAILS}:", file!()), 1);
    there.await_log(&format!("spawned={}:{line}:", file!()), 1);
}

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
