//! A peer that stops reading while very many processes send to it (BUSY-1, BUSY-2).

use crate::alone;
use crate::counting;
use crate::support;

use fika::inspect::{Status, info};
use fika::prelude::*;
use fika::process::{spawn_monitor_on, yield_now};
use support::valve::{Stops, Valve};
use support::{Clock, LIMIT, Place, TestNode, answerer, assert_answers};

const SENDERS: u64 = 1000;

/// How much the node's memory may grow.
const GROWTH_BYTES: isize = 16 << 20;

const MESSAGE_BYTES: usize = 4 << 10;

/// Each sender sends this number last, so that the test sees that no message is lost.
const LAST: u64 = u64::MAX;

/// Receives from all senders, in order from each. Reports the number of messages.
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
            after stall() + LIMIT => panic!("{ended} senders came to their end"),
        }
    }
    send(to, taken);
}

/// How long the peer does not read: many times the time for which its senders are suspended, or a
/// minute if `FIKA_LONG` is set.
fn stall() -> Duration {
    secs(support::times(2, 60))
}

/// The number of round trips of which the slowest in a hundred counts.
const WINDOW: usize = 500;

/// The least number of windows for a figure, which is their median, since the machine also runs
/// other programs.
const WINDOWS: usize = 9;

/// How much slower the round trips may be, and how often the test tries: a node that lets a slow
/// peer disturb others does so each time.
const SLOWER_MAX: u32 = 2;
const ATTEMPTS: usize = 5;

/// Returns the longest time of the fastest half, and of 99 in a hundred, of the round trips with
/// this process: medians of windows, for as long as `goes_on`.
async fn round_trips(with: Pid, mut goes_on: impl FnMut() -> bool) -> [Duration; 2] {
    let mut figures = [50, 99].map(|percent| (WINDOW * percent / 100, Vec::new()));
    while figures[0].1.len() < WINDOWS || goes_on() {
        let mut window = Vec::new();
        for n in 0..WINDOW {
            let clock = Clock::new();
            assert_answers(with, n as u64).await;
            window.push(clock.elapsed());
        }
        window.sort();
        figures.iter_mut().for_each(|(place, figures)| figures.push(window[*place]));
    }
    figures.map(|(_, mut figures)| {
        figures.sort();
        figures[figures.len() / 2]
    })
}

#[test]
fn a_peer_that_does_not_read() {
    let _alone = alone();
    let mut tried = Vec::new();
    for _ in 0..ATTEMPTS {
        let (alone, beside) = attempt();
        if beside.iter().zip(alone).all(|(beside, alone)| *beside <= alone * SLOWER_MAX) {
            return;
        }
        tried.push((alone, beside));
    }
    panic!("round trips with others, without and beside a slow peer: {tried:?}");
}

/// Returns how long round trips take with another peer, before the slow peer is slow and while it
/// is.
fn attempt() -> ([Duration; 2], [Duration; 2]) {
    let (place, valve) = (Place::new(), Valve::new(Stops::Reads));
    // A peer that does not read gets no ticks, and must not give up the node for that.
    let builder = |alive| place.builder(alive).net_ticktime(10 * stall());
    let [here, quick] = ["here", "quick"].map(|alive| TestNode::of(builder(alive)));
    let slow = TestNode::of(valve.on(builder("slow")));
    let answers = quick.spawn(answerer()).unwrap();
    let takes = slow.clone();
    here.block_on(async move {
        let taker = takes.spawn(taker(self_pid())).unwrap();
        let me = self_pid();
        let (greeting, _) = spawn_monitor_on(place.name("slow"), support::answerer()).await;
        assert_answers(greeting, 1).await;
        let alone = round_trips(answers, || false).await;
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
        // Wait until all senders are suspended.
        for sender in &senders {
            while info::status(*sender).await != Some(Status::Suspended) {
                let grown = counting::live() - before;
                assert!(grown <= GROWTH_BYTES, "{grown} bytes, and they are not held up");
                yield_now().await;
            }
        }
        let clock = Clock::new();
        let mut most = 0;
        let stalls = || {
            most = most.max(counting::live() - before);
            clock.elapsed() < stall()
        };
        let beside = round_trips(answers, stalls).await;
        assert!(most <= GROWTH_BYTES, "{most} bytes");
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
        (alone, beside)
    })
}
