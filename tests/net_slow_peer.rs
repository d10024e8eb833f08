//! A peer that stops reading while very many processes send to it (BUSY-1, BUSY-2).
#![allow(unsafe_code, reason = "an allocator that counts")]

#[path = "../net/fuzz/counting.rs"]
mod counting;
mod support;

use fika::prelude::*;
use support::valve::{Stops, Valve};
use support::{Clock, LIMIT, Place, TestNode, answerer, assert_answers};

const SENDERS: u64 = 1000;

/// How much the node's memory may grow.
const GROWTH_BYTES: isize = 16 << 20;

const MESSAGE_BYTES: usize = 4 << 10;

/// What each sender sends when it is to stop: enough to see that nothing is lost.
const LAST: u64 = u64::MAX;

/// Takes from all senders, in order from each; says how many messages that were.
async fn taker(to: Pid) {
    let mut next = vec![0_u64; SENDERS as usize];
    let (mut ended, mut taken) = (0, 0_u64);
    while ended < SENDERS {
        receive! {
            (sender, n, _): (u64, u64, Vec<u8>) => {
                if n == LAST {
                    ended += 1;
                } else {
                    assert_eq!(n, next[sender as usize], "of sender {sender}");
                    next[sender as usize] += 1;
                    taken += 1;
                }
            }
            after LIMIT => panic!("{ended} senders came to their end"),
        }
    }
    send(to, taken);
}

/// The peer does not read for this long, many times the time in which its senders are held up.
const STALL: Duration = Duration::from_secs(2);

#[test]
fn a_peer_that_does_not_read() {
    let (place, valve) = (Place::new(), Valve::new(Stops::Reads));
    let here = place.node("here");
    let slow = TestNode::of(valve.on(place.builder("slow")));
    let quick = place.node("quick");
    let answers = quick.spawn(answerer()).unwrap();
    let takes = slow.clone();
    here.block_on(async move {
        let taker = takes.spawn(taker(self_pid())).unwrap();
        let me = self_pid();
        let (greeting, _) = spawn_monitor_on(place.name("slow"), support::answerer()).await;
        assert_answers(greeting, 1).await;
        assert_answers(answers, 1).await;
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                spawn(async move {
                    let mut n = 0_u64;
                    loop {
                        send(taker, (sender, n, vec![1_u8; MESSAGE_BYTES]));
                        n += 1;
                        receive! {
                            (): () => break,
                            after Duration::ZERO => {}
                        }
                    }
                    send(taker, (sender, LAST, Vec::<u8>::new()));
                    send(me, n);
                })
            })
            .collect();
        valve.close();
        let before = counting::live();
        // Until all are held up.
        for sender in &senders {
            while info::status(*sender).await != Some(Status::Suspended) {
                yield_now().await;
            }
        }
        let clock = Clock::new();
        let (mut most, mut n) = (0, 0);
        while clock.elapsed() < STALL {
            assert_answers(answers, n).await;
            most = most.max(counting::live() - before);
            n += 1;
        }
        assert!(most <= GROWTH_BYTES, "{most} bytes");
        assert!(n > 1000, "the other peer answered {n} times");
        for sender in &senders {
            assert_eq!(info::status(*sender).await, Some(Status::Suspended));
            send(*sender, ());
        }
        valve.open();
        let mut sent = 0;
        for _ in &senders {
            sent += next!(u64);
        }
        assert_eq!(next!(u64), sent, "all of it arrived");
    });
}
