//! The output that a worker's turn has gathered for other nodes is sent, whatever happens to the
//! worker and its turn. All nodes are otherwise idle, and ticks are rare, so output that was left
//! behind would stay unsent.

use crate::support;

use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fika::inspect::suspend_process;
use fika::message::Bytes;
use fika::net::{Ping as PingAnswer, ping};
use fika::prelude::*;
use serde::{Deserialize, Serialize};
use support::{LIMIT, Place, TestNode, until};

/// Ticks would carry along any output that was left.
const TICKTIME: Duration = secs(3600);

fn node(place: Place, alive: &str, workers: usize) -> TestNode {
    TestNode::of(place.builder(alive).net_ticktime(TICKTIME).workers(workers))
}

#[derive(Message, Serialize, Deserialize)]
#[message(tag = "test::Word")]
struct Word;

/// A process of this node that waits for a message, and sets the flag when it has arrived.
fn listener(node: &Node) -> (Pid, Arc<AtomicBool>) {
    let heard = Arc::<AtomicBool>::default();
    let hears = heard.clone();
    let listens = async move {
        receive! { Word => hears.store(true, Ordering::Release) }
    };
    (node.spawn(listens).unwrap(), heard)
}

/// Keeps the worker busy until the flag is set.
fn spin_until(flag: &AtomicBool) {
    while !flag.load(Ordering::Acquire) {
        spin_loop();
    }
}

fn connect(from: &TestNode, to: &TestNode) {
    let to = to.name();
    from.block_on(async move { assert_eq!(ping(to).await, PingAnswer::Pong) });
}

/// A message does not wait for the computation that its sender makes afterwards.
#[test]
fn messages_sent_before_a_long_turn_are_not_delayed() {
    let place = Place::new();
    let (a, b) = (node(place, "a", 2), node(place, "b", 2));
    connect(&a, &b);
    let (to, heard) = listener(&b);
    let sent = heard.clone();
    a.spawn(async move {
        send(to, Word);
        spin_until(&sent);
    });
    until("it has come", || heard.load(Ordering::Acquire));
}

/// The last output of a process is sent even if its worker, the only one, was stuck and replaced,
/// and is not needed any more.
#[test]
fn the_last_output_of_a_replaced_worker_is_sent() {
    let place = Place::new();
    let (a, b) = (node(place, "a", 1), node(place, "b", 2));
    connect(&a, &b);
    for _ in 0..20 {
        let (to, heard) = listener(&b);
        a.spawn(async move {
            let replaced = Arc::<AtomicBool>::default();
            let another = replaced.clone();
            // Another worker runs this process, since this worker does not.
            spawn(async move { another.store(true, Ordering::Release) });
            spin_until(&replaced);
            send(to, Word);
        });
        until("it has come", || heard.load(Ordering::Acquire));
    }
}

/// A process of one node may send through another node of the program.
#[test]
fn a_process_sends_through_another_node() {
    let place = Place::new();
    let (a, b, c) = (node(place, "a", 2), node(place, "b", 2), node(place, "c", 2));
    connect(&a, &b);
    for _ in 0..20 {
        let (to, heard) = listener(&b);
        let by = (*a).clone();
        c.spawn(async move { by.send(to, Word).unwrap() });
        until("it has come", || heard.load(Ordering::Acquire));
    }
}

#[derive(Message, Serialize, Deserialize)]
#[message(tag = "test::Large")]
struct Large {
    from: Pid,
    data: Bytes,
}

/// Enough bytes for several turns of reading and writing.
const LARGE_BYTES: usize = 3 << 20;
const ROUNDS: usize = 30;

/// Keeps net_kernel from running for as long as the calling process lives.
async fn suspend_net_kernel() {
    suspend_process(whereis("net_kernel").unwrap()).await.unwrap();
}

/// Connections carry their bytes without net_kernel, however busy they are. In this test,
/// net_kernel runs on neither node.
#[test]
fn busy_connections_work_without_net_kernel() {
    let place = Place::new();
    let (a, b) = (node(place, "a", 2), node(place, "b", 2));
    connect(&a, &b);
    let receiver = async {
        suspend_net_kernel().await;
        serve_large().await;
    };
    let to = b.spawn(receiver).unwrap();
    a.block_on(async move {
        suspend_net_kernel().await;
        send_large(to).await;
    });
}

/// Connections carry their bytes even if their nodes have no room for one more process.
#[test]
fn busy_connections_of_full_nodes() {
    let place = Place::new();
    let [a, b] = ["a", "b"]
        .map(|alive| TestNode::of(place.builder(alive).net_ticktime(TICKTIME).process_limit(16)));
    connect(&a, &b);
    let is_full = Arc::<AtomicBool>::default();
    let fills = is_full.clone();
    let receiver = async move {
        fill();
        fills.store(true, Ordering::Release);
        serve_large().await;
    };
    let to = b.spawn(receiver).unwrap();
    until("it is full", || is_full.load(Ordering::Acquire));
    a.block_on(async move {
        fill();
        send_large(to).await;
    });
}

/// Leaves the node of the calling process no room for another process, not even for its own.
fn fill() {
    while fika_runtime::spawn_service(std::future::pending::<()>()).is_some() {}
}

/// Answers large messages.
async fn serve_large() {
    loop {
        receive! {
            Large { from, data } => {
                assert_eq!(data.len(), LARGE_BYTES);
                send(from, Word);
            }
        }
    }
}

async fn send_large(to: Pid) {
    let data = Bytes::from(vec![7; LARGE_BYTES]);
    for round in 0..ROUNDS {
        send(to, Large { from: self_pid(), data: data.clone() });
        receive! {
            Word => {}
            after LIMIT => panic!("nothing has come back in round {round}"),
        }
    }
}
