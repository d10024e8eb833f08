//! The scheduler: which processes run while others do not yield.
#![deny(warnings)]

use crate::wait;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use fika::prelude::*;
use fika::process::yield_now;
use fika_runtime::{Driver, yield_to_driver};

use wait::{down, next, serve, sync};

/// PROC-12: more loops than workers all run, if they yield now and then.
#[fika::test(workers = 2)]
async fn loops_that_rarely_yield_share_the_workers() {
    let done = Arc::new(AtomicBool::new(false));
    for _ in 0..4 {
        let done = done.clone();
        spawn(async move {
            while !done.load(Ordering::Relaxed) {
                let until = self_node().env().now() + millis(15);
                while self_node().env().now() < until {
                    std::hint::spin_loop();
                }
                yield_now().await;
            }
        });
    }
    let echo = spawn(serve());
    let node = self_node();
    let begun = node.env().now();
    for _ in 0..20 {
        sync(echo).await;
    }
    let took = node.env().now().since(begun);
    assert!(took < secs(10), "{took:?} for twenty round trips");
    done.store(true, Ordering::Relaxed);
}

/// PROC-12: a process whose mailbox is always full lets others run.
#[fika::test(workers = 1)]
async fn a_process_with_a_full_mailbox_lets_others_run() {
    let me = self_pid();
    let glutton = spawn(async move {
        // The process always has a message, because it sends each message to itself again.
        for n in 0..1000_u64 {
            send(self_pid(), n);
        }
        let mut taken = 0_u64;
        loop {
            receive! {
                n: u64 => {
                    taken += 1;
                    send(self_pid(), n);
                }
                (): () => break,
            }
        }
        send(me, taken);
    });
    let echo = spawn(serve());
    for _ in 0..100 {
        sync(echo).await;
    }
    send(glutton, ());
    let taken: u64 = next().await;
    assert!(taken > 0);
}

/// PROC-12: a pair that talks all the time does not starve the others of its worker.
#[fika::test(workers = 1)]
async fn a_pair_that_keeps_talking_lets_others_run() {
    let rounds = Arc::new(AtomicU64::new(0));
    let peer = spawn(serve());
    let counted = rounds.clone();
    let talker = spawn(async move {
        loop {
            sync(peer).await;
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    let echo = spawn(serve());
    for _ in 0..200 {
        sync(echo).await;
        sleep(Duration::ZERO).await;
    }
    exit_process(talker, ExitReason::Kill);
    down(monitor(talker)).await;
    assert!(rounds.load(Ordering::Relaxed) > 0);
}

/// All work that is spread over the workers is done, whichever worker it was queued with.
#[fika::test(workers = 4)]
async fn every_process_that_is_ready_runs() {
    for _ in 0..50 {
        let me = self_pid();
        for _ in 0..20 {
            spawn(async move {
                for _ in 0..20 {
                    spawn(async move {
                        yield_now().await;
                        send(me, ());
                    });
                }
            });
        }
        for _ in 0..400 {
            next::<()>().await;
        }
    }
}

/// A node that was idle wakes up for work from outside, each time.
#[test]
fn an_idle_node_wakes_up() {
    let node = Node::builder().workers(3).build().unwrap();
    let echo = node.spawn(serve()).expect("room for one");
    for round in 0..2000 {
        node.block_on(async move { sync(echo).await });
        if round % 500 == 0 {
            // The pause is long enough for the monitor thread to go to sleep. No event tells that
            // it sleeps.
            node.block_on(async { sleep(millis(150)).await });
        }
    }
    assert!(node.stop());
}

/// A process is polled again if one of its futures is woken while another one receives, even though
/// the receive has handled the signals.
#[fika::test]
async fn a_wake_up_in_the_middle_of_a_turn_is_not_lost() {
    let (_, monitor) = spawn_monitor(async {
        let mut receive = std::pin::pin!(async {
            receive! { n: u64 => n }
        });
        let mut polled = false;
        std::future::poll_fn(|context| {
            if std::mem::replace(&mut polled, true) {
                return std::task::Poll::Ready(());
            }
            context.waker().wake_by_ref();
            send(self_pid(), "for nobody".to_owned());
            assert!(receive.as_mut().poll(context).is_pending());
            std::task::Poll::Pending
        })
        .await;
    });
    assert_eq!(down(monitor).await, ExitReason::Normal);
}

/// A receive does not miss a message that a call puts into the mailbox after the receive has
/// looked.
#[fika::test]
async fn a_message_handled_by_another_call_wakes_the_receive() {
    let peer = spawn(serve());
    let (_, monitor) = spawn_monitor(async move {
        let mut receive = std::pin::pin!(async {
            receive! { n: u64 => n }
        });
        let mut linked = false;
        let n = std::future::poll_fn(|context| {
            let n = receive.as_mut().poll(context);
            if !std::mem::replace(&mut linked, true) {
                send(self_pid(), 7_u64);
                link(peer);
            }
            n
        })
        .await;
        assert_eq!(n, 7);
    });
    assert_eq!(down(monitor).await, ExitReason::Normal);
}

/// A driver without sockets that counts how often it is polled.
#[derive(Default)]
struct Polled {
    polls: AtomicU64,
    unparked: Mutex<bool>,
    unparks: Condvar,
}

impl Driver for Polled {
    fn park(&self, timeout: Option<Duration>) {
        if timeout == Some(Duration::ZERO) {
            self.polls.fetch_add(1, Ordering::Relaxed);
        }
        let unparked = self.unparked.lock().unwrap();
        let timeout = timeout.unwrap_or(secs(3600));
        let waited = self.unparks.wait_timeout_while(unparked, timeout, |unparked| !*unparked);
        *waited.unwrap().0 = false;
    }

    fn unpark(&self) {
        *self.unparked.lock().unwrap() = true;
        self.unparks.notify_one();
    }
}

/// A process that carries the bytes of a busy connection keeps no worker from the other sockets.
#[test]
fn a_process_can_have_the_driver_polled_at_every_turn() {
    const TURNS: u64 = 1000;
    let driver = Arc::new(Polled::default());
    let node = fika_runtime::Node::builder().workers(1).driver(driver.clone()).build().unwrap();
    node.block_on(async {
        for _ in 0..TURNS {
            yield_to_driver().await;
        }
    });
    node.stop();
    let polls = driver.polls.load(Ordering::Relaxed);
    // The monitor may be polling when the worker wants to.
    assert!(polls > TURNS / 2, "{polls} polls");
}
