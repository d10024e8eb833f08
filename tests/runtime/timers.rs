//! Timers: when they fire, for which process, and how much time is left.
#![deny(warnings)]

use crate::wait;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fika::message::Local;
use fika::prelude::*;
use fika::process::{unregister, yield_now};
use fika::time::{
    CancelTimer, Timeout, TimerRef, cancel_timer, cancel_timer_async, cancel_timer_no_info,
    read_timer, send_at, start_timer, start_timer_at,
};

use wait::{LIMIT, down, end_of, has_none, next, serve, sync};

/// TIM-3: the reference distinguishes a late message from a new one.
#[fika::test]
async fn a_late_timeout_is_recognised_by_its_reference() {
    for _ in 0..200 {
        let old = start_timer(Duration::ZERO, self_pid(), ());
        yield_now().await;
        let late = cancel_timer(old).is_none();
        let new = start_timer(Duration::ZERO, self_pid(), ());
        receive! {
            Timeout::<()> { timer, .. } if timer == new => {}
            after LIMIT => panic!("it did not fire"),
        }
        // A late message may only be in flight to another process.
        if late {
            assert_eq!(next::<Timeout<()>>().await.timer, old);
        }
        assert!(has_none::<Timeout<()>>().await);
    }
}

/// TIM-7: a timer for a dead process is cancelled.
#[fika::test]
async fn a_timer_for_a_dead_process_is_cancelled() {
    let target = spawn(serve());
    let timer = send_after(secs(60), target, ());
    assert!(read_timer(timer).is_some());
    exit_process(target, ExitReason::Kill);
    down(monitor(target)).await;
    assert_eq!((read_timer(timer), cancel_timer(timer)), (None, None));
    // This timer is started for a process that is already dead.
    let timer = start_timer(secs(60), target, ());
    assert_eq!((read_timer(timer), cancel_timer(timer)), (None, None));
    send_after(Duration::ZERO, target, ());
}

/// PROC-9, TIM-7: when the end of a process is seen, its timers and their values are gone,
/// whichever process started them, and on any worker.
#[fika::test(workers = 3)]
async fn the_timers_of_a_process_end_with_it() {
    let node = self_node();
    for round in 0..300 {
        let payload = Arc::new(());
        let (target, monitor) = spawn_monitor(serve());
        let starters: Vec<_> = (0..6_usize)
            .map(|n| {
                let payload = payload.clone();
                let (_, monitor) = spawn_monitor(async move {
                    for _ in 0..n {
                        yield_now().await;
                    }
                    send_after(secs(3600), target, Local(payload.clone()));
                    start_timer(secs(3600), target, Local(payload));
                    if n == round % 6 {
                        exit_process(target, ExitReason::Kill);
                    }
                });
                monitor
            })
            .collect();
        assert_eq!(down(monitor).await, ExitReason::Killed);
        for monitor in starters {
            assert_eq!(down(monitor).await, ExitReason::Normal);
        }
        assert_eq!(Arc::strong_count(&payload), 1, "round {round}");
    }
    // The timers of others stay.
    let me = self_pid();
    let mine = send_after(secs(3600), me, ());
    exit_process(spawn(serve()), ExitReason::Kill);
    assert!(read_timer(mine).is_some());
    assert!(cancel_timer(mine).is_some());
    wait_for(|| node.timer_count() == 0).await;
}

/// TIM-7: a timer can be started while its process ends on another worker.
#[fika::test(workers = 2)]
async fn a_timer_started_while_its_process_ends() {
    let payload = Arc::new(());
    for round in 0..5000_u64 {
        let end = Arc::new(AtomicBool::new(false));
        let ends = end.clone();
        let (target, monitor) = spawn_monitor(async move {
            while !ends.load(Ordering::Relaxed) {
                yield_now().await;
            }
        });
        yield_now().await;
        let mut timers = Vec::new();
        for n in 0..80 {
            timers.push(send_after(secs(3600), target, Local(payload.clone())));
            if n == round % 20 {
                end.store(true, Ordering::Relaxed);
            }
        }
        assert_eq!(down(monitor).await, ExitReason::Normal);
        assert!(timers.iter().all(|timer| cancel_timer(*timer).is_none()), "round {round}");
        assert_eq!(Arc::strong_count(&payload), 1, "round {round}");
    }
}

/// Yields to other processes until the condition holds.
async fn wait_for(is_so: impl Fn() -> bool) {
    let begun = self_node().env().now();
    while !is_so() {
        assert!(self_node().env().now().since(begun) < LIMIT);
        yield_now().await;
    }
}

/// TIM-5: the result of `cancel_timer_async` comes as a message.
#[fika::test]
async fn cancel_timer_async_sends_the_result() {
    let me = self_pid();
    let timer = send_after(secs(60), me, ());
    cancel_timer_async(timer);
    let CancelTimer { timer: cancelled, left } = next().await;
    assert_eq!(cancelled, timer);
    assert!(left.is_some_and(|left| left > secs(40) && left <= secs(60) + millis(1)), "{left:?}");
    assert_eq!(read_timer(timer), None);
    // A second cancel has no effect.
    cancel_timer_async(timer);
    assert_eq!(next::<CancelTimer>().await, CancelTimer { timer, left: None });

    let quiet = send_after(secs(60), me, ());
    cancel_timer_no_info(quiet);
    cancel_timer_no_info(timer);
    assert_eq!(read_timer(quiet), None);
    assert!(has_none::<CancelTimer>().await);
    assert_eq!(self_node().timer_count(), 0);
}

/// TIM-6, TIM-8: a timer can fire at a time of the node's clock. A time in the past fires at once.
#[fika::test]
async fn an_absolute_time() {
    let node = self_node();
    let me = self_pid();
    let due = node.env().now() + millis(20);
    send_at(due + millis(20), me, 2_u64);
    let timer = start_timer_at(due, me, 1_u64);
    assert!(read_timer(timer).is_some_and(|left| left <= millis(21)));
    assert_eq!(next::<Timeout<u64>>().await, Timeout { timer, message: 1 });
    assert!(node.env().now() >= due);
    assert_eq!(next::<u64>().await, 2);
    assert!(node.env().now() >= due + millis(20));
    for past in [fika::node::Time::default(), node.env().now()] {
        send_at(past, me, 3_u64);
        assert_eq!(next::<u64>().await, 3);
    }
    send_at(node.env().now(), "nobody", ());
}

/// TIM-6: a time that is too long gives an error that says so. A very long time does not.
#[fika::test]
async fn too_long_times_are_an_error() {
    const YEAR: u64 = 366 * 86_400;
    for time in [Duration::MAX, secs(101 * YEAR)] {
        let starts: [fn(Duration) -> TimerRef; 4] = [
            |time| send_after(time, self_pid(), ()),
            |time| start_timer(time, self_pid(), ()),
            |time| send_at(self_node().env().now() + time, self_pid(), ()),
            |time| start_timer_at(self_node().env().now() + time, "me", ()),
        ];
        for start in starts {
            let end = end_of(async move {
                start(time);
            });
            match end.await {
                ExitReason::Badarg(why) => assert!(why.contains("100 years"), "{why}"),
                other => panic!("{other}"),
            }
        }
    }
    let timer = send_after(secs(100 * YEAR), self_pid(), ());
    let left = cancel_timer(timer).expect("it has not fired");
    assert!(left > secs(100 * YEAR - 60), "{left:?}");
}

/// TIM-7, REG-8: the name is looked up when the timer fires.
#[fika::test]
async fn a_name_is_resolved_when_the_timer_fires() {
    let me = self_pid();
    let first = spawn(serve());
    register("name", first).unwrap();
    let here = self_node().name();
    for n in 0..20_u64 {
        if n % 2 == 0 {
            send_after(millis(5), "name", n);
        } else {
            send_after(millis(5), ("name", &here), n);
        }
    }
    unregister("name").unwrap();
    register("name", me).unwrap();
    let mut seen: Vec<u64> = Vec::new();
    for _ in 0..20 {
        seen.push(next().await);
    }
    seen.sort();
    assert!(seen.into_iter().eq(0..20));
    // No process has the name then: the message is dropped, and nothing else happens.
    unregister("name").unwrap();
    let timer = send_after(millis(1), "name", 7_u64);
    assert!(read_timer(timer).is_some() || cancel_timer(timer).is_none());
    send_after(millis(3), me, ());
    next::<()>().await;
    register("name", me).unwrap();
    assert!(has_none::<u64>().await);
}

/// TIM-9: a timer outlives the process that started it.
#[fika::test]
async fn a_timer_outlives_the_process_that_started_it() {
    let me = self_pid();
    let (_, monitor) = spawn_monitor(async move {
        send_after(millis(10), me, "still".to_owned());
        start_timer(millis(10), me, 7_u64);
        exit(ExitReason::Kill);
    });
    assert_eq!(down(monitor).await, ExitReason::Kill);
    assert_eq!(next::<String>().await, "still");
    assert_eq!(next::<Timeout<u64>>().await.message, 7);
}

/// TIM-10: a timer of zero fires after the call.
#[fika::test]
async fn time_zero_fires_after_the_call() {
    for _ in 0..1000 {
        let timer = start_timer(Duration::ZERO, self_pid(), 1_u64);
        let fired = next::<Timeout<u64>>().await;
        assert_eq!(fired.timer, timer);
    }
}

/// TIM-8: timers of many processes fire in the order of their times.
#[fika::test(workers = 4)]
async fn timers_of_all_processes_fire_in_order() {
    let me = self_pid();
    let node = self_node();
    let mut rounds_in_time = 0;
    let begun = node.env().now();
    while rounds_in_time < 10 {
        assert!(node.env().now().since(begun) < LIMIT, "{rounds_in_time} rounds in time");
        let first = node.env().now() + millis(20);
        for n in 0..40_u64 {
            spawn(async move {
                // Each process runs on any worker.
                yield_now().await;
                let n = n * 7 % 40;
                send_after((first + millis(n)).since(self_node().env().now()), me, n);
                send(me, ());
            });
        }
        for _ in 0..40 {
            next::<()>().await;
        }
        // If the last timer was started after the first was due, no order is expected.
        let in_time = node.env().now() < first;
        for n in 0..40 {
            let fired = next::<u64>().await;
            assert!(fired == n || !in_time, "{fired} fired before {n}");
        }
        rounds_in_time += u32::from(in_time);
    }
}

/// TIM-11: very many timers, set and cancelled, leave nothing behind.
#[fika::test]
async fn a_hundred_thousand_timers_leave_nothing_behind() {
    let node = self_node();
    let me = self_pid();
    let timers: Vec<TimerRef> =
        (0..100_000_u64)
            .map(|n| {
                if n % 2 == 0 {
                    send_after(secs(60), me, n)
                } else {
                    start_timer(secs(3600), me, n)
                }
            })
            .collect();
    assert_eq!(node.timer_count(), 100_000);
    for timer in timers.iter().rev() {
        assert!(cancel_timer(*timer).is_some());
    }
    assert_eq!(node.timer_count(), 0);
    // Their references differ from those of later timers.
    let later = send_after(secs(60), me, ());
    assert!(timers.iter().all(|timer| read_timer(*timer).is_none()));
    assert!(cancel_timer(later).is_some());
}

/// TIM-8, RECV-7: no timer is forgotten, though the workers sleep and wake up all the time, and
/// other workers fire timers meanwhile.
#[fika::test(workers = 3)]
async fn no_timer_is_forgotten() {
    let stop = Arc::new(AtomicBool::new(false));
    // A pair that keeps a worker busy, with short pauses.
    for _ in 0..2 {
        let stop = stop.clone();
        let peer = spawn(serve());
        spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                for _ in 0..100 {
                    sync(peer).await;
                }
                sleep(Duration::from_micros(100)).await;
            }
        });
    }
    let node = self_node();
    for round in 0..3000_u64 {
        let time = Duration::from_micros(round % 17 * 37);
        let begun = node.env().now();
        receive! { (): () => unreachable!(), after time => {} }
        let late = node.env().now().since(begun) - time;
        // A forgotten timer is late forever. A timer on an overloaded machine is not.
        assert!(late < secs(5), "round {round}: {late:?} late");
    }
    stop.store(true, Ordering::Relaxed);
}

/// TIM-6: a timer for a process of another node is `badarg`.
#[fika::test]
async fn a_timer_sends_to_its_own_node_only() {
    let other = Node::builder().workers(1).build().unwrap();
    let elsewhere = other.spawn(serve()).expect("room for one");
    let end = end_of(async move {
        send_after(secs(1), elsewhere, ());
    });
    assert!(matches!(end.await, ExitReason::Badarg(_)));
    other.stop();
}

/// SIG-11: timers that are due at the same moment fire once each, in any order.
#[fika::test]
async fn timers_due_at_the_same_moment_fire_once_each() {
    let at = self_node().env().now() + millis(20);
    for n in 0..500_u64 {
        send_at(at, self_pid(), n);
    }
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < 500 {
        let n = receive! { n: u64 => n };
        assert!(seen.insert(n), "{n} twice");
    }
    receive! {
        n: u64 => panic!("{n} again"),
        after millis(0) => {}
    }
}
