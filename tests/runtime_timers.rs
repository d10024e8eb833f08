//! Timers: when they fire, for whom, and what is left of them.
#![deny(warnings)]

#[allow(dead_code, reason = "other test binaries use the rest")]
#[path = "otp/wait.rs"]
mod wait;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fika::prelude::*;
use fika::{TimerRef, read_timer};

use wait::{LIMIT, down, end_of, has_none, next, serve, sync};

/// TIM-3: the reference tells a late message from a new one.
#[fika::test]
async fn a_late_timeout_is_told_by_its_reference() {
    for _ in 0..200 {
        let old = start_timer(Duration::ZERO, self_pid(), ());
        yield_now().await;
        let late = cancel_timer(old).is_none();
        let new = start_timer(Duration::ZERO, self_pid(), ());
        receive! {
            Timeout::<()> { timer, .. } if timer == new => {}
            after LIMIT => panic!("it did not fire"),
        }
        // A late one may still be on its way only to another process.
        if late {
            assert_eq!(next::<Timeout<()>>().await.timer, old);
        }
        assert!(has_none::<Timeout<()>>().await);
    }
}

/// TIM-7.
#[fika::test]
async fn a_timer_for_the_dead_is_cancelled() {
    let target = spawn(serve());
    let timer = send_after(secs(60), target, ());
    assert!(read_timer(timer).is_some());
    exit_process(target, ExitReason::Kill);
    down(monitor(target)).await;
    assert_eq!((read_timer(timer), cancel_timer(timer)), (None, None));
    // Started for one that is dead already.
    let timer = start_timer(secs(60), target, ());
    assert_eq!((read_timer(timer), cancel_timer(timer)), (None, None));
    send_after(Duration::ZERO, target, ());
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
    // Nobody has it then: the message is dropped, and nothing else happens.
    unregister("name").unwrap();
    let timer = send_after(millis(1), "name", 7_u64);
    assert!(read_timer(timer).is_some() || cancel_timer(timer).is_none());
    send_after(millis(3), me, ());
    next::<()>().await;
    register("name", me).unwrap();
    assert!(has_none::<u64>().await);
}

/// TIM-9.
#[fika::test]
async fn a_timer_outlives_who_started_it() {
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

/// TIM-10.
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
                // Each on whichever worker it comes to.
                yield_now().await;
                let n = n * 7 % 40;
                send_after((first + millis(n)).since(self_node().env().now()), me, n);
                send(me, ());
            });
        }
        for _ in 0..40 {
            next::<()>().await;
        }
        // If the last one was started when the first was due, there is no order to expect.
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
    // Their references are not those of later ones.
    let later = send_after(secs(60), me, ());
    assert!(timers.iter().all(|timer| read_timer(*timer).is_none()));
    assert!(cancel_timer(later).is_some());
}

/// TIM-8, RECV-7: no timer is forgotten, though the workers go to sleep and wake up all the
/// time, and others look after timers meanwhile.
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
        // One that is forgotten is late for ever; a machine that is overloaded is not.
        assert!(late < secs(5), "round {round}: {late:?} late");
    }
    stop.store(true, Ordering::Relaxed);
}

/// TIM-6.
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
