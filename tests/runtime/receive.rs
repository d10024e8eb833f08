//! Receives from the runtime's side: none loses a message or a wake-up.
#![deny(warnings)]

use crate::wait;

use fika::process::demonitor_flush;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fika::message::{Local, make_ref};
use fika::prelude::*;
use fika::process::{spawn_blocking, yield_now};
use futures_lite::future;

use wait::{LIMIT, down, end_of, has_none, next, serve, sync};

/// RECV-1, RECV-2: messages that do not match stay in their order.
#[fika::test]
async fn unmatched_messages_keep_their_order() {
    // More messages than a process may handle in one turn.
    const MANY: u64 = 5000;
    let me = self_pid();
    for n in 0..MANY {
        send(me, n);
    }
    send(me, "wanted".to_owned());
    assert_eq!(next::<String>().await, "wanted");
    // The pattern takes the message by value, so each message is opened and put back.
    let n = receive! { n: u64 if n == MANY - 1 => n };
    assert_eq!(n, MANY - 1);
    let n = receive! { n: u64 if n == MANY / 2 => n };
    assert_eq!(n, MANY / 2);
    for n in (0..MANY - 1).filter(|n| *n != MANY / 2) {
        assert_eq!(next::<u64>().await, n);
    }
    assert!(has_none::<u64>().await);
}

/// RECV-7, SIG-4, SIG-5: nothing is lost, duplicated or out of order, whichever process waits.
#[fika::test(workers = 4)]
async fn no_wake_up_is_lost() {
    const SENDERS: u64 = 8;
    const EACH: u64 = 5000;
    let me = self_pid();
    for from in 0..SENDERS {
        spawn(async move {
            for n in 0..EACH {
                send(me, (from, n));
                if n % 7 == 0 {
                    yield_now().await;
                }
            }
        });
    }
    let mut expected = [0; SENDERS as usize];
    for count in 0..SENDERS * EACH {
        receive! {
            (from, n): (u64, u64) => {
                assert_eq!(n, expected[from as usize]);
                expected[from as usize] += 1;
            }
            after LIMIT => panic!("{count} of {}", SENDERS * EACH),
        }
    }
    assert!(has_none::<(u64, u64)>().await);
    // The two processes wait in turns.
    let echo = spawn(serve());
    for _ in 0..20_000 {
        sync(echo).await;
    }
}

/// RECV-7: another branch of the process's future handles signals while a receive waits. The
/// receive sees them.
#[fika::test]
async fn no_wake_up_is_lost_beside_other_calls() {
    let me = self_pid();
    let calls: [fn(); 4] = [
        || assert!(!demonitor(make_ref())),
        || assert!(!demonitor(monitor(self_pid()))),
        || assert!(!demonitor_flush(make_ref())),
        || link(spawn(serve())),
    ];
    for n in 0..1000_u64 {
        let begun = self_node().env().now();
        let waits = async {
            receive! { m: u64 => m, after LIMIT => panic!("it was not seen") }
        };
        let calls = async {
            send(me, n);
            calls[n as usize % 4]();
        };
        let (m, ()) = future::zip(waits, calls).await;
        assert_eq!(m, n);
        assert!(self_node().env().now().since(begun) < LIMIT, "seen at the end of the time only");
    }
}

/// A destructor may make references while the mailbox of its process is looked at, or dropped.
#[fika::test]
async fn destructors_can_make_references() {
    struct Makes;
    impl Drop for Makes {
        fn drop(&mut self) {
            let _ = make_ref();
        }
    }
    let me = self_pid();
    for _ in 0..100 {
        send(me, Local(Makes));
        send(me, 1_u64);
        receive! { Local(Makes): Local<Makes> => {} }
        receive! { for make_ref(), _: Local<Makes> => {}, after Duration::ZERO => {} }
        assert_eq!(next::<u64>().await, 1);
    }
    let end = end_of(async {
        for _ in 0..10 {
            send(self_pid(), Local(Makes));
        }
        let _ = make_ref();
    });
    assert_eq!(end.await, ExitReason::Normal);
}

/// SIG-4: messages from threads that are not workers arrive.
#[fika::test]
#[allow(clippy::disallowed_methods, reason = "the thread of a test")]
async fn messages_come_from_any_thread() {
    const EACH: u64 = 5000;
    let (node, me) = (self_node(), self_pid());
    let threads: Vec<_> = (0..4_u64)
        .map(|from| {
            let node = node.clone();
            std::thread::spawn(move || {
                for n in 0..EACH {
                    node.send(me, (from, n)).unwrap();
                }
            })
        })
        .collect();
    let mut expected = [0; 4];
    for _ in 0..4 * EACH {
        let (from, n): (u64, u64) = next().await;
        assert_eq!(n, expected[from as usize]);
        expected[from as usize] += 1;
    }
    spawn_blocking(move || threads.into_iter().for_each(|thread| thread.join().unwrap())).await;
}

/// RECV-8: a receive that is dropped has taken nothing.
#[fika::test]
async fn a_receive_that_is_dropped_loses_nothing() {
    const MANY: u64 = 3000;
    let me = self_pid();
    spawn(async move {
        for n in 0..MANY {
            send(me, n);
            send(me, n.to_string());
            if n % 3 == 0 {
                yield_now().await;
            }
        }
    });
    // A receive looks for texts and is given up repeatedly. Numbers are received in between.
    let mut texts = Vec::new();
    let mut numbers = Vec::new();
    let begun = self_node().env().now();
    while texts.len() < MANY as usize || numbers.len() < MANY as usize {
        assert!(self_node().env().now().since(begun) < LIMIT);
        let wants_text = async {
            receive! {
                text: String if text.parse::<u64>().is_ok() => Some(text),
                (): () => unreachable!(),
            }
        };
        let gives_up = async {
            for _ in 0..texts.len() % 3 {
                yield_now().await;
            }
            None
        };
        texts.extend(future::or(wants_text, gives_up).await);
        let _ = timeout(Duration::ZERO, async {
            receive! { (): () => {} }
        })
        .await;
        receive! { n: u64 => numbers.push(n), after Duration::ZERO => {} }
    }
    assert!(numbers.iter().copied().eq(0..MANY));
    assert!(texts.iter().map(|text| text.parse::<u64>().unwrap()).eq(0..MANY));
    assert!(has_none::<u64>().await && has_none::<String>().await);
}

/// RECV-8: a receive that is given up by a time limit has taken nothing.
#[fika::test]
async fn a_receive_cancelled_by_a_timeout_loses_nothing() {
    let me = self_pid();
    assert!(timeout(Duration::from_micros(50), next::<u64>()).await.is_err());
    let (_, monitor) = spawn_monitor(async move {
        for n in 0..300_u64 {
            send(me, n);
            if n % 3 == 0 {
                sleep(Duration::from_micros(200)).await;
            }
        }
    });
    let (mut seen, mut timeouts) = (0, 0);
    while seen < 300 {
        match timeout(Duration::from_micros(50), next::<u64>()).await {
            Ok(n) => {
                assert_eq!(n, seen);
                seen += 1;
            }
            Err(_) => timeouts += 1,
        }
        assert!(timeouts < 100_000, "{seen} of 300");
    }
    assert_eq!(down(monitor).await, ExitReason::Normal);
}

/// RECV-10: a waiting receive does not look again at a message that it has refused.
#[fika::test]
async fn each_message_is_matched_once() {
    const MANY: u64 = 2000;
    let me = self_pid();
    let looks = Arc::new(AtomicU64::new(0));
    for n in 0..MANY {
        send(me, n);
    }
    spawn(async move {
        for n in MANY..2 * MANY {
            send(me, n);
            yield_now().await;
        }
        send(me, u64::MAX);
    });
    let n = receive! {
        n: u64 if { looks.fetch_add(1, Ordering::Relaxed); n == u64::MAX } => n,
        after LIMIT => panic!("it did not come"),
    };
    assert_eq!(n, u64::MAX);
    assert_eq!(looks.load(Ordering::Relaxed), 2 * MANY + 1);
}

/// RECV-4, RECV-6: no time limit is early, and messages that do not match do not change it.
#[fika::test]
async fn no_timeout_is_early() {
    let node = self_node();
    let waits: Vec<_> = (0..200_u64)
        .map(|n| {
            let node = node.clone();
            spawn_monitor(async move {
                let time = Duration::from_micros(7 * n);
                let begun = node.env().now();
                match n % 3 {
                    0 => receive! { (): () => unreachable!(), after time => {} },
                    1 => sleep(time).await,
                    _ => assert!(timeout(time, std::future::pending::<()>()).await.is_err()),
                }
                let took = node.env().now().since(begun);
                assert!(took >= time, "{took:?} is less than {time:?}");
            })
        })
        .collect();
    for (child, _) in &waits {
        send(child, 7_u64);
    }
    for (_, monitor) in waits {
        assert_eq!(down(monitor).await, ExitReason::Normal);
    }
}

/// RECV-4: if the mailbox has a message at the timeout, the message is preferred.
#[fika::test]
async fn a_match_is_preferred_to_a_timeout() {
    for _ in 0..100 {
        let (child, monitor) = spawn_monitor(async {
            receive! { (): () => {}, after millis(1) => exit(ExitReason::Timeout) }
        });
        send(child, ());
        // The receive may find the message and the end of the time at the same moment, which is the
        // case to test.
        assert_eq!(down(monitor).await, ExitReason::Normal);
    }
}

/// A mailbox has one receive at a time: a second one is reported as a mistake.
#[fika::test]
async fn two_receives_at_once_are_refused() {
    let (first_line, second_line) = (line!() + 3, line!() + 6);
    let end = end_of(async {
        let first = async {
            receive! { n: u64 => n }
        };
        let second = async {
            receive! { n: u32 => u64::from(n) }
        };
        let _ = future::or(first, second).await;
    });
    match end.await {
        ExitReason::Panic(panic) => {
            let [first, second] = [first_line, second_line].map(|n| format!("{}:{n}:", file!()));
            let start = "two receives of one process at the same time, at ";
            let places = panic.message.strip_prefix(start).expect("it says what is wrong");
            let (one, other) = places.split_once(" and at ").expect("two places");
            assert!(one.starts_with(&first) && other.starts_with(&second), "{places}");
            assert!(panic.location.as_ref().is_some_and(|at| at.starts_with(&second)), "{panic:?}");
        }
        other => panic!("{other}"),
    }
    // Two receives one after the other are allowed, even if the first was given up.
    let end = end_of(async {
        let me = self_pid();
        let none = future::or(
            async {
                receive! { n: u64 => n }
            },
            async { 7 },
        );
        assert_eq!(none.await, 7);
        send(me, 1_u32);
        receive! { _: u32 => {} }
    });
    assert_eq!(end.await, ExitReason::Normal);
}

/// A receive belongs to the process that began it.
#[fika::test]
async fn a_receive_of_another_process_is_refused() {
    let me = self_pid();
    spawn(async move {
        let mut receive = Box::pin(async {
            receive! { n: u64 => n }
        });
        assert!(future::poll_once(&mut receive).await.is_none());
        send(
            me,
            spawn(async move {
                next::<()>().await;
                send(me, receive.await);
            }),
        );
        std::future::pending::<()>().await;
    });
    let other: Pid = next().await;
    let monitor = monitor(other);
    send(other, ());
    match down(monitor).await {
        ExitReason::Panic(panic) => assert!(panic.message.contains("is polled by")),
        other => panic!("{other}"),
    }
}

/// SIG-10: a message of a process to itself is there for its next receive.
#[fika::test]
async fn messages_to_itself_arrive_at_once() {
    let me = self_pid();
    register("me", me).unwrap();
    for n in 0..10_000_u64 {
        send(me, n);
        send("me", n + 1);
        let first = receive! { n: u64 => n, after Duration::ZERO => panic!("{n}") };
        let second = receive! { n: u64 => n, after Duration::ZERO => panic!("{n}") };
        assert_eq!((first, second), (n, n + 1));
    }
}
