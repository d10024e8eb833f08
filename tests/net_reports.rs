//! A program's subscriber may use the nodes that report to it: no lock is held while it runs.
#![deny(warnings)]

mod support;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Mutex, Once, PoisonError, mpsc};

use fika::inspect::process_count;
use fika::message::{Local, MailboxLimit};
use fika::net::{SystemMonitor, system_monitor};
use fika::prelude::*;
use fika::process::{
    SpawnOpts, spawn_blocking, spawn_monitor_on, spawn_opt, try_spawn_on, yield_now,
};
use support::valve::{Stops, Valve};
use support::{LIMIT, Place, TestNode, down, until};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// The nodes of the tests, each with a process that it sends to. The process is on another node, or
/// has ended.
static NODES: Mutex<Vec<(Node, Pid)>> = Mutex::new(Vec::new());

/// The reports, and how often each was made.
static SEEN: Mutex<BTreeMap<String, usize>> = Mutex::new(BTreeMap::new());

fn seen(message: &str) -> usize {
    SEEN.lock().unwrap().get(message).copied().unwrap_or(0)
}

/// Uses every node whenever something is reported.
struct Meddler;

thread_local! {
    /// The meddler's own calls may cause reports too, but not forever.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// A message whose destructor panics, which is reported.
struct Explosive;

impl Drop for Explosive {
    fn drop(&mut self) {
        panic!("a message's destructor");
    }
}

impl Subscriber for Meddler {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event()
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        struct Message(String);
        impl Visit for Message {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                if field.name() == "message" {
                    self.0 = format!("{value:?}");
                }
            }
        }
        let mut message = Message(String::new());
        event.record(&mut message);
        let depth = DEPTH.replace(DEPTH.get() + 1);
        if depth < 2 {
            let nodes = NODES.lock().unwrap_or_else(PoisonError::into_inner).clone();
            for (node, peer) in nodes {
                use_node(&node, peer);
            }
        }
        DEPTH.set(depth);
        *SEEN.lock().unwrap().entry(message.0).or_default() += 1;
    }
}

/// Makes all calls that are possible outside a process and do not wait.
fn use_node(node: &Node, peer: Pid) {
    let _ = node.send(peer, "from a subscriber".to_owned());
    let _ = node.send(("nobody", peer.node().name().as_str()), ());
    let _ = node.send("nobody", ());
    let Some(here) = node.spawn(async { next().await }) else { return };
    node.send(here, Local(Explosive)).unwrap();
    let _ = node.register("meddled", here);
    let _ = node.whereis("meddled");
    let _ = (node.processes().count(), node.process_count(), node.timer_count(), node.nodes());
    node.exit_process(here, ExitReason::Kill);
    // A message to a dead process is dropped at once, by this thread.
    if peer.node() == node.id() {
        let _ = node.send(peer, Local(Explosive));
    }
}

async fn next() {
    receive! { (): () => {} }
}

fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Meddler).expect("the first"));
}

/// Runs a test on a separate thread, since a test that waits for itself would hang.
#[allow(clippy::disallowed_methods, reason = "the thread of a test")]
fn within_limit(test: impl FnOnce() + Send + 'static) {
    listen();
    let (ends, ended) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        test();
        ends.send(()).unwrap();
    });
    if ended.recv_timeout(LIMIT) == Err(mpsc::RecvTimeoutError::Timeout) {
        panic!("it waits for itself; seen so far: {:?}", SEEN.lock());
    }
    thread.join().unwrap();
}

/// A value whose destructor makes a call that fails.
struct Refused;

impl Drop for Refused {
    fn drop(&mut self) {
        send("nobody has this name", ());
    }
}

#[test]
fn a_subscriber_may_use_the_node_in_reports_of_processes() {
    within_limit(|| {
        let node = Node::builder().workers(2).long_message_queue(100).build().unwrap();
        let ended = node.block_on(async {
            let (ended, monitor) = spawn_monitor(async {});
            down(monitor).await;
            ended
        });
        NODES.lock().unwrap().push((node.clone(), ended));
        node.block_on(async {
            for _ in 0..10 {
                let (_, monitor) = spawn_monitor(async {
                    let _refused = Refused;
                    panic!("a panic");
                });
                down(monitor).await;
                let (child, monitor) = spawn_monitor(async { Err::<(), _>("an error") });
                send(child, Local(Explosive));
                down(monitor).await;
                let bounded = spawn(std::future::pending::<()>());
                let limit = MailboxLimit::messages(1);
                let opts = SpawnOpts::new().mailbox_limit(limit).monitor();
                let full = spawn_opt(opts, std::future::pending::<()>());
                (0..3_u8).for_each(|n| send(full.pid, n));
                down(full.monitor.unwrap()).await;
                exit_process(bounded, ExitReason::Kill);
            }
            let deaf = spawn(async {
                receive! { (): () => {} }
            });
            for n in 0..300_u64 {
                send(deaf, n);
                fika::inspect::info::message_queue_len(deaf).await;
            }
            assert!(process_count() > 2);
        });
        for what in [
            "a panic ended a process",
            "an error ended a process",
            "a destructor panicked",
            "a call in a destructor was refused",
            "a mailbox is full, and its process is killed",
        ] {
            // The report comes after the event.
            until(what, || seen(what) > 0);
        }
        let grows = |of: &str| of.starts_with("a mailbox only grows");
        assert!(SEEN.lock().unwrap().keys().any(|message| grows(message)));
        assert!(node.stop());
    });
}

#[remote]
async fn takes(_: Vec<u8>) {}

#[remote]
async fn fails() -> fika::Result {
    Err("it failed")?
}

/// The subscriber sends over the connection that the report is about.
#[test]
fn a_subscriber_may_send_in_reports_of_connections() {
    const BYTES_MAX: usize = 4096;
    within_limit(|| {
        let (place, valve) = (Place::new(), Valve::new(Stops::Writes));
        let builder = |name| place.builder(name).message_bytes_max(BYTES_MAX);
        let here = TestNode::of(valve.on(builder("here")));
        let there = TestNode::of(builder("there"));
        let (tx, rx) = mpsc::channel();
        let keeper = there.spawn(async move {
            trap_exit(true);
            loop {
                receive! {
                    Exit { reason, .. } => tx.send(reason).unwrap(),
                    from: Pid => send(from, ()),
                    _: Vec<u8> => {}
                }
            }
        });
        let keeper = keeper.unwrap();
        NODES.lock().unwrap().push((Node::clone(&here), keeper));
        let peer = place.name("there");
        here.block_on(async move {
            system_monitor(SystemMonitor::new(self_pid()).busy_dist());
            // The request can't be sent, before there is a connection and after.
            let too_large = || takes(vec![0; 2 * BYTES_MAX]);
            assert!(try_spawn_on(&peer, too_large()).await.is_err());
            connect_node(&peer).await;
            // The error of the function on the other node is the reason here.
            let (_, monitor) = spawn_monitor_on(&peer, fails()).await;
            assert_eq!(down(monitor).await, ExitReason::Error("it failed".into()));
            assert!(try_spawn_on(&peer, too_large()).await.is_err());
            // The reason of this end can't be sent, and waits for room.
            let reason = ExitReason::term("x".repeat(2 * BYTES_MAX));
            let me = self_pid();
            let linked = spawn(async move {
                link(keeper);
                send(keeper, self_pid());
                next().await;
                send(me, ());
                next().await;
                exit(reason);
            });
            next().await;
            valve.close();
            let filler = spawn(async move {
                loop {
                    send(keeper, vec![7_u8; 1024]);
                    yield_now().await;
                }
            });
            receive! {
                fika::net::BusyDist { pid, .. } if pid == filler => {}
                after LIMIT => panic!("it was not suspended"),
            }
            let monitor = fika::process::monitor(linked);
            send(linked, ());
            down(monitor).await;
            exit_process(filler, ExitReason::Kill);
            valve.open();
            let reason = spawn_blocking(move || rx.recv_timeout(LIMIT)).await;
            assert_eq!(reason, Ok(ExitReason::SystemLimit));
        });
        let replaced = "an exit reason was replaced by system_limit";
        for what in ["nodeup", "a request to spawn was not sent", replaced] {
            // The report comes after the event.
            until(what, || seen(what) > 0);
        }
        NODES.lock().unwrap().clear();
    });
}
