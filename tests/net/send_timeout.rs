//! Sending within a time limit, and the report of a process that is suspended for a long time.
#![deny(warnings)]

use crate::support;

use std::io::Write;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use fika::inspect::{is_process_alive, process_info};
use fika::message::{MailboxLimit, TrySendError, WhenFull, mailbox_limit, send_timeout, try_send};
use fika::net::disconnect_node;
use fika::prelude::*;
use fika::process::{spawn_blocking, yield_now};
use futures_lite::future;
use support::valve::{Stops, Valve};
use support::{Clock, LIMIT, Place, TestNode};

const BYTES: usize = 8 << 10;

/// Long enough for a wait, short enough for a test.
const SHORT: Duration = millis(20);

/// Counts the messages that arrive, and reports the count.
async fn sink() {
    let mut taken = 0_u64;
    loop {
        receive! {
            (n, _): (u64, Vec<u8>) => {
                assert_eq!(n, taken, "in order, and none that was given back");
                taken += 1;
            }
            from: Pid => send(from, taken),
        }
    }
}

fn message(n: u64, bytes: usize) -> (u64, Vec<u8>) {
    (n, vec![7; bytes])
}

/// Sends until the connection has no room. Returns the number of messages. The last one was
/// returned.
async fn fill(taker: Pid, mut n: u64, bytes: usize) -> u64 {
    loop {
        match send_timeout(taker, message(n, bytes), SHORT).await {
            Ok(()) => n += 1,
            Err(error) => {
                assert!(error.is_busy() && !error.is_full() && !error.is_noproc());
                assert_eq!(error.into_message(), Some(message(n, bytes)));
                return n;
            }
        }
    }
}

/// Sends `n`, and reports how often the future was polled.
async fn polls(taker: Pid, n: u64, bytes: usize, limit: Duration) -> (bool, usize) {
    let polls = AtomicUsize::new(0);
    let mut sends = pin!(send_timeout(taker, message(n, bytes), limit));
    let sent = future::poll_fn(|context| {
        polls.fetch_add(1, Ordering::Relaxed);
        sends.as_mut().poll(context)
    });
    (sent.await.is_ok(), polls.into_inner())
}

#[test]
fn a_message_is_sent_in_time_or_returned() {
    for bytes in [BYTES, 4 << 20] {
        let (place, valve) = (Place::new(), Valve::new(Stops::Writes));
        let here = TestNode::of(valve.on(place.builder("here")));
        let there = place.node("there");
        let taker = there.spawn(sink()).unwrap();
        let (place, valve) = (place, valve);
        here.block_on(async move {
            assert_eq!(connect_node(place.name("there")).await, Some(true));
            valve.close();
            let n = fill(taker, 0, bytes).await;
            // The sender waits, and does not poll repeatedly.
            let (sent, times) = polls(taker, n, bytes, SHORT).await;
            assert!(!sent && times < 10, "{times} polls");
            // The process continues meanwhile, and receives.
            send(self_pid(), "open".to_owned());
            let opens = async {
                receive! { _: String => valve.open() }
            };
            let sends = send_timeout(taker, message(n, bytes), LIMIT);
            let (sent, ()) = future::zip(sends, opens).await;
            sent.unwrap();
            send(taker, self_pid());
            assert_eq!(next!(u64), n + 1);
            // Many senders wait at once, in any order, and each is notified.
            valve.close();
            let n = fill(taker, n + 1, bytes).await;
            let mut first = pin!(send_timeout(taker, message(n, bytes), LIMIT));
            let mut second = pin!(send_timeout(taker, message(n + 1, bytes), LIMIT));
            let both = future::poll_fn(|context| {
                let waits = first.as_mut().poll(context).is_pending();
                Poll::Ready(waits && second.as_mut().poll(context).is_pending())
            });
            assert!(both.await);
            valve.open();
            first.await.unwrap();
            second.await.unwrap();
            send(taker, self_pid());
            assert_eq!(next!(u64), n + 2);
        });
    }
}

#[derive(Default)]
struct Task(AtomicBool);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Waits of one process in several of its tasks wake their own task each.
#[test]
fn each_wait_for_room_wakes_its_task() {
    let (place, valve) = (Place::new(), Valve::new(Stops::Writes));
    let here = TestNode::of(valve.on(place.builder("here")));
    let there = place.node("there");
    let taker = there.spawn(sink()).unwrap();
    here.block_on(async move {
        assert_eq!(connect_node(place.name("there")).await, Some(true));
        valve.close();
        let n = fill(taker, 0, BYTES).await;
        // Longer than the test waits: the end of the time would wake a task, too.
        let limit = 2 * LIMIT;
        let tasks = [Arc::new(Task::default()), Arc::default()];
        let [one, two] = tasks.clone().map(Waker::from);
        let mut first = pin!(send_timeout(taker, message(n, BYTES), limit));
        let mut second = pin!(send_timeout(taker, message(n + 1, BYTES), limit));
        assert!(first.as_mut().poll(&mut Context::from_waker(&one)).is_pending());
        assert!(second.as_mut().poll(&mut Context::from_waker(&two)).is_pending());
        assert!(first.as_mut().poll(&mut Context::from_waker(&one)).is_pending());
        valve.open();
        let clock = Clock::new();
        while !tasks.iter().all(|task| task.0.load(Ordering::SeqCst)) {
            assert!(clock.elapsed() < LIMIT, "a task was not woken");
            yield_now().await;
        }
        first.await.unwrap();
        second.await.unwrap();
    });
}

/// The end of a connection ends the wait. A message whose wait is dropped is not sent.
#[test]
fn the_wait_for_room_ends_with_the_connection() {
    let (place, valve) = (Place::new(), Valve::new(Stops::Writes));
    let here = TestNode::of(valve.on(place.builder("here")).connect_all(false));
    let there = place.node("there");
    let taker = there.spawn(sink()).unwrap();
    here.block_on(async move {
        let name = place.name("there");
        assert_eq!(connect_node(&name).await, Some(true));
        valve.close();
        let n = fill(taker, 0, BYTES).await;
        let _ = future::poll_once(send_timeout(taker, message(n, BYTES), LIMIT)).await;
        let sends = send_timeout(taker, message(0, BYTES), LIMIT);
        let (sent, lost) = future::zip(sends, disconnect_node(&name)).await;
        assert_eq!(lost, Some(true));
        // The message was sent over another connection.
        sent.unwrap();
        valve.open();
    });
}

/// `send_timeout` waits for room in a mailbox on this node.
#[fika::test]
async fn send_timeout_waits_for_room_in_a_mailbox() {
    let me = self_pid();
    let taker = spawn(async move {
        mailbox_limit(MailboxLimit::messages(1).when_full(WhenFull::Wait));
        send(me, ());
        receive! { (): () => {} }
        loop {
            receive! { n: u64 => send(me, n) }
        }
    });
    next!(());
    let clock = Clock::new();
    // The time limit includes the wait for room.
    send_timeout(taker, 1_u64, LIMIT).await.unwrap();
    let refused: TrySendError<u64> = send_timeout(taker, 2_u64, SHORT).await.unwrap_err();
    assert!(refused.is_full() && clock.elapsed() >= SHORT);
    assert_eq!(refused.into_message(), Some(2));
    assert!(send_timeout(taker, 3_u64, Duration::ZERO).await.unwrap_err().is_full());
    exit_process(taker, ExitReason::Kill);
    assert!(send_timeout(taker, 4_u64, LIMIT).await.unwrap_err().is_noproc());
    // A process that waits for room in its own mailbox would wait in vain.
    mailbox_limit(MailboxLimit::messages(1).when_full(WhenFull::Wait));
    send_timeout(me, 5_u64, LIMIT).await.unwrap();
    assert!(send_timeout(me, 6_u64, LIMIT).await.unwrap_err().is_full());
    assert_eq!(next!(u64), 5);
}

/// The log.
#[derive(Clone, Default)]
struct Logged(Arc<(Mutex<String>, Condvar)>);

impl Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.0.lock().unwrap().push_str(&String::from_utf8_lossy(bytes));
        self.0.1.notify_all();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Logged {
    fn lines(&self) -> Vec<String> {
        let lines = self.0.0.lock().unwrap();
        lines.lines().filter(|line| line.contains("is suspended")).map(ToOwned::to_owned).collect()
    }

    fn wait_for_line(&self) {
        let log = self.0.0.lock().unwrap();
        let is_missing = |log: &mut String| !log.contains("is suspended");
        let (log, waited) = self.0.1.wait_timeout_while(log, LIMIT, is_missing).unwrap();
        // Reports are written from now on.
        drop(log);
        assert!(!waited.timed_out(), "no report");
    }
}

#[test]
fn a_process_that_is_suspended_for_a_second_is_reported() {
    let (place, valve) = (Place::new(), Valve::new(Stops::Writes));
    let log = Logged::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone());
    subscriber.try_init().expect("no other test of this program has one");
    let here = TestNode::of(valve.on(place.builder("here")));
    let there = place.node("there");
    let taker = there.spawn(sink()).unwrap();
    let clock = Clock::new();
    here.block_on(async move {
        assert_eq!(connect_node(place.name("there")).await, Some(true));
        let fills = |until: u64| async move {
            for _ in 0..until {
                send(taker, vec![7_u8; BYTES]);
                yield_now().await;
            }
        };
        // This sender waits only for a moment, so it is not reported.
        valve.close();
        let brief = spawn(fills(300));
        while process_info(brief, &[]).await.is_some() && try_send(taker, 0_u64).is_ok() {
            yield_now().await;
        }
        valve.open();
        timeout(LIMIT, async {
            while is_process_alive(brief).await {
                yield_now().await;
            }
        })
        .await
        .unwrap();
        let was_brief = clock.elapsed() < secs(1);

        valve.close();
        let pid = spawn(fills(u64::MAX));
        register("replicator", pid).unwrap();
        spawn_blocking(move || {
            log.wait_for_line();
            let lines: Vec<String> = log.lines();
            let [line] = &lines[..] else { panic!("{lines:?}") };
            if was_brief {
                let words =
                    [&*pid.to_string(), "replicator", &place.name("there"), "guide::back_pressure"];
                words.iter().for_each(|word| assert!(line.contains(word), "{word}: {line}"));
            }
        })
        .await;
        exit_process(pid, ExitReason::Kill);
        valve.open();
    });
}
