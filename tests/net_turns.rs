//! What a worker's turn has gathered for other nodes goes out, whatever becomes of the worker and
//! of its turn. All here are idle but for what a test does, and ticks are far away: what is left
//! lying nobody takes along.

mod support;

use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fika::net::{Ping as PingAnswer, ping};
use fika::prelude::*;
use support::{Place, TestNode, until};

/// Ticks would carry along what was left.
const TICKTIME: Duration = secs(3600);

fn node(place: Place, alive: &str, workers: usize) -> TestNode {
    TestNode::of(place.builder(alive).net_ticktime(TICKTIME).workers(workers))
}

#[derive(Message, Serialize, Deserialize)]
#[message(tag = "test::Word")]
struct Word;

/// A process of this node that waits for a word, and says so by the flag when it has come.
fn listener(node: &Node) -> (Pid, Arc<AtomicBool>) {
    let heard = Arc::<AtomicBool>::default();
    let hears = heard.clone();
    let listens = async move {
        receive! { Word => hears.store(true, Ordering::Release) }
    };
    (node.spawn(listens).unwrap(), heard)
}

/// Keeps the worker until the flag is set.
fn spin_until(flag: &AtomicBool) {
    while !flag.load(Ordering::Acquire) {
        spin_loop();
    }
}

fn connect(from: &TestNode, to: &TestNode) {
    let to = to.name();
    from.block_on(async move { assert_eq!(ping(to).await, PingAnswer::Pong) });
}

/// A process sends, and computes: what it sent does not wait for what it does after that.
#[test]
fn what_is_sent_before_a_long_turn() {
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

/// The only worker is stuck, and replaced. When its process is done with its turn, the worker is
/// not needed any more; what the process has sent in the end goes out none the less.
#[test]
fn the_last_words_of_a_worker_that_was_replaced() {
    let place = Place::new();
    let (a, b) = (node(place, "a", 1), node(place, "b", 2));
    connect(&a, &b);
    for _ in 0..20 {
        let (to, heard) = listener(&b);
        a.spawn(async move {
            let replaced = Arc::<AtomicBool>::default();
            let another = replaced.clone();
            // Another worker runs it, since this one does not.
            spawn(async move { another.store(true, Ordering::Release) });
            spin_until(&replaced);
            send(to, Word);
        });
        until("it has come", || heard.load(Ordering::Acquire));
    }
}

/// A process of one node sends by another node of the program.
#[test]
fn by_the_hand_of_another_node() {
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
