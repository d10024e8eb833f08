//! Busy connections.

use crate::support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use fika::message::Bytes;
use fika::prelude::*;
use fika::process::yield_now;
use serde::{Deserialize, Serialize};
use support::{Place, TestNode, until};

/// Ticks would read what was left behind.
const TICKTIME: Duration = secs(3600);

#[derive(Message, Serialize, Deserialize)]
#[message(tag = "test::Numbered")]
struct Numbered {
    number: usize,
    data: Bytes,
}

fn receiver(place: Place) -> TestNode {
    TestNode::of(place.builder("receiver").net_ticktime(TICKTIME).workers(1))
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

#[test]
fn many_messages_arrive() {
    for (size, messages) in [(16 << 10, 2000), (1 << 20, 200)] {
        let place = Place::new();
        let receiver = receiver(place);
        let sender = sender(place);
        let (to, received) = count(&receiver);
        feed(&sender, to, 0..messages, size);
        arrives(&received, messages);
    }
}
