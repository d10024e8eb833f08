//! A thread of its own reads a connection with large messages, if the network can do that.

use crate::support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use fika::message::Bytes;
use fika::net::{Ping as PingAnswer, disconnect_node, ping};
use fika::prelude::*;
use fika::process::yield_now;
use serde::{Deserialize, Serialize};
use support::transport::{Reports, Way, Wrapped};
use support::{Place, TestNode, until};

/// Ticks would read what was left behind.
const TICKTIME: Duration = secs(3600);

#[derive(Message, Serialize, Deserialize)]
#[message(tag = "test::Numbered")]
struct Numbered {
    number: usize,
    data: Bytes,
}

/// A receiver with one worker, so at most one of its connections has a thread.
fn receiver(place: Place) -> (TestNode, Arc<Reports>) {
    let reports = Arc::<Reports>::default();
    let way = Way::Apart(reports.clone());
    let builder = place.builder("receiver").network(move |poller| Ok(Wrapped(poller, way)));
    (TestNode::of(builder.net_ticktime(TICKTIME).workers(1)), reports)
}

fn sender(place: Place) -> TestNode {
    TestNode::of(place.builder("sender").net_ticktime(TICKTIME).workers(2))
}

/// A process of the node that checks that the messages come in order, and counts them.
fn count(node: &TestNode) -> (Pid, Arc<AtomicUsize>) {
    let received = Arc::<AtomicUsize>::default();
    let counter = received.clone();
    let counts = async move {
        loop {
            receive! {
                Numbered { number, data } => {
                    assert_eq!(number, counter.load(Ordering::SeqCst));
                    assert!(data.chunks(1000).all(|some| some[0] == number as u8));
                    counter.fetch_add(1, Ordering::SeqCst);
                }
            }
        }
    };
    (node.spawn(counts).unwrap(), received)
}

/// Sends messages until there are enough, or until the flag is set.
fn feed(node: &TestNode, to: Pid, numbers: std::ops::Range<usize>, size: usize) -> Arc<AtomicBool> {
    let stop = Arc::<AtomicBool>::default();
    let stops = stop.clone();
    node.spawn(async move {
        for number in numbers {
            if stops.load(Ordering::SeqCst) {
                return;
            }
            let data = Bytes::from(vec![number as u8; size]);
            send(to, Numbered { number, data });
            // The process is suspended here while the connection is congested.
            yield_now().await;
        }
    });
    stop
}

fn arrives(received: &AtomicUsize, count: usize) {
    until("everything has arrived", || received.load(Ordering::SeqCst) == count);
}

/// After the large messages, the poller reports the connection again, so a small one arrives, too.
#[test]
fn a_thread_reads_large_messages_and_returns_the_connection() {
    let place = Place::new();
    let (receiver, reports) = receiver(place);
    let sender = sender(place);
    let (to, received) = count(&receiver);
    for round in 0..3 {
        let begins = round * 101;
        let before = reports.off.load(Ordering::SeqCst);
        feed(&sender, to, begins..begins + 100, 1 << 20);
        arrives(&received, begins + 100);
        until("the poller reports the connection", || !reports.are_off());
        assert!(reports.off.load(Ordering::SeqCst) > before, "a thread has read");
        feed(&sender, to, begins + 100..begins + 101, 1);
        arrives(&received, begins + 101);
    }
}

#[test]
fn workers_read_small_messages() {
    let place = Place::new();
    let (receiver, reports) = receiver(place);
    let sender = sender(place);
    let (to, received) = count(&receiver);
    feed(&sender, to, 0..2000, 16 << 10);
    arrives(&received, 2000);
    assert_eq!(reports.off.load(Ordering::SeqCst), 0);
}

/// The next connection gets a thread, although there is only one.
#[test]
fn a_connection_that_is_lost_leaves_its_thread() {
    let place = Place::new();
    let (receiver, reports) = receiver(place);
    let sender = sender(place);
    for _ in 0..3 {
        let (to, _) = count(&receiver);
        let stop = feed(&sender, to, 0..usize::MAX, 1 << 20);
        until("a thread reads", || reports.are_off());
        stop.store(true, Ordering::SeqCst);
        let peer = sender.name();
        receiver.block_on(async move { assert_eq!(disconnect_node(peer).await, Some(true)) });
        until("the thread has ended", || !reports.are_off());
        let peer = receiver.name();
        sender.block_on(async move { assert_eq!(ping(peer).await, PingAnswer::Pong) });
    }
}

/// The thread holds neither the socket nor the node.
#[test]
fn a_node_stops_while_a_thread_reads() {
    let place = Place::new();
    let (receiver, reports) = receiver(place);
    let sender = sender(place);
    let (to, _) = count(&receiver);
    let stop = feed(&sender, to, 0..usize::MAX, 1 << 20);
    until("a thread reads", || reports.are_off());
    receiver.stop();
    stop.store(true, Ordering::SeqCst);
    drop(receiver);
    until("the sockets are closed", || Arc::strong_count(&reports) == 1);
}
