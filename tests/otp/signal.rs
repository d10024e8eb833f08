//! `signal_SUITE`: the order of signals, and signals to a process that is in foreign code.

use std::sync::mpsc;

use fika::prelude::*;

use crate::wait::{LIMIT, down, exit_from, has_none, next, serve, sync};

fn text(text: &str) -> ExitReason {
    ExitReason::term(text.to_owned())
}

/// PROC-12: all kinds of signals while the receiver waits for a blocking call.
#[fika::test]
async fn contended_signal_handling() {
    const SENDERS: u64 = 8;
    const EACH: u64 = 500;
    let (finish, finished) = mpsc::channel::<()>();
    let me = self_pid();
    let (target, target_down) = spawn_monitor(async move {
        trap_exit(true);
        send(me, ());
        spawn_blocking(move || finished.recv().unwrap()).await;
        let (mut messages, mut exits) = (0, 0);
        while messages < SENDERS * EACH || exits < SENDERS * EACH {
            receive! {
                _: u64 => messages += 1,
                Exit { .. } => exits += 1,
                after LIMIT => panic!("{messages} messages and {exits} exits"),
            }
        }
        exit(text("all came"));
    });
    next::<()>().await;
    let senders: Vec<_> = (0..SENDERS)
        .map(|_| {
            spawn_monitor(async move {
                trap_exit(true);
                for n in 0..EACH {
                    send(target, n);
                    link(target);
                    let watch = monitor(target);
                    exit_process(target, ExitReason::Shutdown);
                    assert!(demonitor(watch));
                    unlink(target);
                }
                assert!(has_none::<Down>().await);
            })
        })
        .collect();
    for (_, monitor) in senders {
        assert_eq!(down(monitor).await, ExitReason::Normal);
    }
    assert!(has_none::<Down>().await);
    finish.send(()).unwrap();
    assert_eq!(down(target_down).await, text("all came"));
}

/// PROC-12: processes that go in and out of blocking calls are signalled all the while.
#[fika::test]
async fn dirty_schedule() {
    const EACH: u64 = 300;
    let me = self_pid();
    let targets: Vec<_> = (0..6_u64)
        .map(|n| {
            spawn_monitor(async move {
                trap_exit(true);
                send(me, ());
                let mut sum = 0;
                for _ in 0..EACH {
                    sum += spawn_blocking(move || n).await;
                    receive! { m: u64 => sum += m, after Duration::ZERO => {} }
                }
                // What came during the calls is all there.
                loop {
                    receive! {
                        m: u64 => sum += m,
                        Exit { from, .. } if from == me => break,
                        after LIMIT => panic!("no Exit"),
                    }
                }
                receive! { _: Local<()> => panic!("sent after the exit"), after Duration::ZERO => {} }
                exit(ExitReason::term(sum));
            })
        })
        .collect();
    for _ in &targets {
        next::<()>().await;
    }
    for m in 0..EACH {
        for (target, _) in &targets {
            send(target, m);
            link(*target);
            unlink(*target);
        }
        yield_now().await;
    }
    for (target, _) in &targets {
        exit_process(*target, ExitReason::Shutdown);
    }
    for (n, (_, monitor)) in (0..).zip(targets) {
        let sum = EACH * n + EACH * (EACH - 1) / 2;
        assert_eq!(down(monitor).await, ExitReason::term(sum));
    }
    assert!(has_none::<Exit>().await);
}

/// MON-14, SIG-1: many senders at the same time, and each one's Down is its last.
#[fika::test]
async fn monitor_order() {
    const SENDERS: usize = 50;
    const EACH: u64 = 200;
    for _ in 0..10 {
        let me = self_pid();
        let children: Vec<_> = (0..SENDERS)
            .map(|_| {
                spawn_monitor(async move {
                    for n in 0..EACH {
                        send(me, (self_pid(), n));
                        if n % 64 == 0 {
                            yield_now().await;
                        }
                    }
                })
            })
            .collect();
        let mut expected: std::collections::HashMap<_, _> =
            children.iter().map(|(child, _)| (*child, 0)).collect();
        let mut left = SENDERS;
        while left > 0 {
            receive! {
                (from, n): (Pid, u64) => {
                    let next = expected.get_mut(&from).unwrap();
                    assert_eq!(*next, n);
                    *next += 1;
                }
                Down { object: fika::Object::Pid(child), .. } => {
                    assert_eq!(expected[&child], EACH, "the Down overtook messages");
                    left -= 1;
                }
                after LIMIT => panic!("{left} are missing"),
            }
        }
    }
}

/// EXIT-16, SIG-1: for one sender, what was sent before a fatal signal is there when the
/// signal takes effect, and what was sent after it never is.
#[fika::test]
async fn xm_sig_order() {
    for round in 0..3000_u64 {
        let before = round % 7;
        let me = self_pid();
        let target = spawn(async move {
            trap_exit(round % 2 == 0);
            send(me, ());
            let mut seen = 0;
            loop {
                receive! {
                    from: Pid => send(from, seen),
                    n: u64 => {
                        assert_eq!(n, seen);
                        seen += 1;
                        send(me, n);
                    }
                    Exit { reason, .. } => {
                        assert_eq!(seen, before);
                        exit(reason);
                    }
                }
            }
        });
        let watch = monitor(target);
        next::<()>().await;
        for n in 0..before {
            send(target, n);
        }
        exit_process(target, text("x"));
        send(target, u64::MAX);
        assert_eq!(down(watch).await, text("x"), "round {round}");
        // A message that was before the signal may have been processed, in order.
        let mut last = None;
        loop {
            receive! {
                n: u64 => {
                    assert_eq!(n, last.map_or(0, |last| last + 1));
                    last = Some(n);
                }
                after Duration::ZERO => break,
            }
        }
        if round % 2 == 0 {
            assert_eq!(last, before.checked_sub(1));
        }
    }
    let alive = spawn(serve());
    sync(alive).await;
    trap_exit(true);
    link(alive);
    exit_process(alive, ExitReason::Kill);
    assert_eq!(exit_from(alive).await, ExitReason::Killed);
}
