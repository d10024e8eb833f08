//! `timer_bif_SUITE`: timers that send messages.

use std::sync::Arc;

use fika::message::{Local, Reference, make_ref};
use fika::prelude::*;
use fika::process::{spawn_blocking, yield_now};
use fika::time::{ReadTimer, Timeout, TimerRef, cancel_timer, read_timer as left_of, start_timer};

use crate::wait::{LIMIT, down, end_of, has_none, next, serve};

const LONG: Duration = secs(3600);

/// Returns a timer of another node, which this node does not know.
async fn foreign_timer() -> TimerRef {
    spawn_blocking(|| {
        let node = Node::builder().workers(1).build().unwrap();
        let timer = node.block_on(async { send_after(LONG, self_pid(), ()) });
        node.stop();
        timer
    })
    .await
}

/// TIM-1, TIM-2, TIM-4: `start_timer` delivers a `Timeout` with the returned reference, or nothing
/// if the timer is cancelled.
#[fika::test]
async fn start_timer_1() {
    let begun = self_node().env().now();
    let timer = start_timer(millis(10), self_pid(), 7_u64);
    assert!(left_of(timer).expect("it has not fired") <= millis(11));
    let Timeout { timer: fired, message } = next::<Timeout<u64>>().await;
    assert_eq!((fired, message), (timer, 7));
    assert!(self_node().env().now().since(begun) >= millis(10));
    assert_eq!((left_of(timer), cancel_timer(timer)), (None, None));

    let timer = start_timer(LONG, self_pid(), 7_u64);
    let left = cancel_timer(timer).expect("it has not fired");
    assert!(left > LONG - LIMIT && left <= LONG + millis(1), "{left:?}");
    assert_eq!((left_of(timer), cancel_timer(timer)), (None, None));
    assert!(has_none::<Timeout<u64>>().await);
}

/// TIM-1: `send_after` delivers the message itself, and not before the time.
#[fika::test]
async fn send_after_1() {
    for time in [Duration::ZERO, millis(1), millis(20)] {
        let begun = self_node().env().now();
        send_after(time, self_pid(), "at its time".to_owned());
        assert_eq!(next::<String>().await, "at its time");
        assert!(self_node().env().now().since(begun) >= time);
    }
}

/// TIM-8: timers that are due at clearly different times fire in that order.
#[fika::test]
async fn send_after_2() {
    for _ in 0..5 {
        let begun = self_node().env().now();
        for n in [5_u64, 1, 4, 2, 6, 3] {
            // After a delay in between, the rest are still due at their own times.
            let left = (begun + millis(10 * n)).since(self_node().env().now());
            send_after(left, self_pid(), n);
        }
        let in_time = self_node().env().now() < begun + millis(10);
        for n in 1..=6 {
            let fired = next::<u64>().await;
            assert!(fired == n || !in_time, "{fired} fired before {n}");
        }
    }
}

/// TIM-2: cancelling a timer again, or another node's timer, returns `None` and changes nothing.
#[fika::test]
async fn cancel_timer_1() {
    let timer = send_after(LONG, self_pid(), ());
    assert!(cancel_timer(timer).is_some());
    let later = send_after(LONG, self_pid(), ());
    for unknown in [timer, foreign_timer().await] {
        assert_eq!(cancel_timer(unknown), None);
    }
    assert!(cancel_timer(later).is_some(), "the others took nothing of it");
}

/// Checks that each bad destination ends the process that starts a timer for it.
async fn destinations(start: fn(fika::message::Dest<'_>) -> TimerRef) {
    let other = Node::builder().workers(1).build().unwrap();
    let elsewhere = other.spawn(serve()).expect("room for one");
    let before = self_node().timer_count();
    let bad: [fika::message::Dest<'static>; 3] =
        [elsewhere.into(), ("name", "other@127.0.0.1").into(), ("name", "no node").into()];
    for dest in bad {
        let shown = dest.to_string();
        let reason = end_of(async move { start(dest) }).await;
        assert!(matches!(reason, ExitReason::Badarg(_)), "{shown}: {reason}");
    }
    // The timeouts of the waits above may still be ending.
    assert!(self_node().timer_count() <= before + 1);
    // An unused name is looked up when the timer fires, and is not an error then.
    let here = self_node().name();
    let reason = end_of(async move {
        let _ = start("nobody".into());
        start(("nobody", here.as_str()).into())
    });
    assert_eq!(reason.await, ExitReason::Normal);
    other.stop();
}

/// TIM-6: `start_timer` to an invalid destination is `badarg`.
#[fika::test]
async fn start_timer_e() {
    destinations(|dest| start_timer(Duration::ZERO, dest, ())).await;
}

/// TIM-6: `send_after` to an invalid destination is `badarg`.
#[fika::test]
async fn send_after_e() {
    destinations(|dest| send_after(Duration::ZERO, dest, ())).await;
}

/// Checks that a timer of this time counts down, and can be cancelled.
async fn counts_down(time: Duration, start: impl Fn(Duration) -> TimerRef) {
    let timer = start(time);
    let left = left_of(timer).expect("it has not fired");
    assert!(left > time - LIMIT && left <= time + millis(1), "{left:?} of {time:?}");
    sleep(millis(3)).await;
    let later = left_of(timer).expect("it has not fired");
    assert!(later + millis(3) <= left, "{left:?}, and 3 ms later {later:?}");
    let at_last = cancel_timer(timer).expect("it has not fired");
    assert!(at_last <= later);
    assert_eq!(cancel_timer(timer), None);
}

const BIG: [u64; 6] = [(1 << 31) - 1, 1 << 31, (1 << 31) + 1, (1 << 32) - 1, 1 << 32, 1 << 36];

/// TIM-12: `start_timer` counts down times of 2^31 ms and more.
#[fika::test]
async fn start_timer_big() {
    for ms in BIG {
        counts_down(millis(ms), |time| start_timer(time, self_pid(), ())).await;
    }
    assert!(has_none::<Timeout<()>>().await);
}

/// TIM-12: `send_after` counts down times of 2^31 ms and more.
#[fika::test]
async fn send_after_big() {
    for ms in BIG {
        counts_down(millis(ms), |time| send_after(time, self_pid(), ())).await;
    }
    assert!(has_none::<()>().await);
}

/// TIM-4: reading a timer that has fired, or another node's timer, returns `None`.
#[fika::test]
async fn read_timer_trivial() {
    assert_eq!(left_of(foreign_timer().await), None);
    let timer = send_after(Duration::ZERO, self_pid(), ());
    next::<()>().await;
    assert_eq!(left_of(timer), None);
}

/// TIM-4, TIM-2: any process of the node may read and cancel a timer.
#[fika::test]
async fn read_timer() {
    let time = secs(100);
    let timer = send_after(time, self_pid(), ());
    let mut last = time + millis(1);
    for _ in 0..20 {
        let left = left_of(timer).expect("it has not fired");
        assert!(left <= last && left > time - LIMIT);
        last = left;
        sleep(millis(1)).await;
    }
    let end = end_of(async move {
        let left = left_of(timer).expect("it has not fired");
        assert!(left <= last);
        let at_last = cancel_timer(timer).expect("it has not fired");
        assert!(at_last <= left && at_last > left - LIMIT);
    });
    assert_eq!(end.await, ExitReason::Normal);
    assert_eq!((left_of(timer), cancel_timer(timer)), (None, None));
}

/// TIM-4: the answer to an asynchronous request is a message, which arrives once, and only at the
/// requesting process.
#[fika::test]
async fn read_timer_async() {
    let timer = send_after(LONG, self_pid(), ());
    fika::time::read_timer_async(timer);
    let ReadTimer { timer: asked, left } = next().await;
    assert_eq!(asked, timer);
    assert!(left.is_some_and(|left| left > LONG - LIMIT && left <= LONG + millis(1)), "{left:?}");
    let end = end_of(async move {
        fika::time::read_timer_async(timer);
        assert!(next::<ReadTimer>().await.left <= left);
        assert!(has_none::<ReadTimer>().await);
    });
    assert_eq!(end.await, ExitReason::Normal);
    // The timer continues.
    assert!(cancel_timer(timer).is_some());
    for gone in [timer, foreign_timer().await] {
        fika::time::read_timer_async(gone);
        assert_eq!(next::<ReadTimer>().await, ReadTimer { timer: gone, left: None });
    }
    assert!(has_none::<ReadTimer>().await && has_none::<()>().await);
}

/// TIM-1: payloads of all kinds arrive at a receiver that waits and at one that runs.
#[fika::test]
async fn evil_timers() {
    let shared = Arc::new(());
    for round in 0..50 {
        let me = self_pid();
        let local = shared.clone();
        start_timer(Duration::ZERO, me, ());
        start_timer(millis(1), me, vec![vec![0_u8; 10_000]; 10]);
        start_timer(Duration::ZERO, me, (me, make_ref()));
        start_timer(millis(1), me, Local(local));
        start_timer(Duration::ZERO, me, ExitReason::term("x".repeat(1000)));
        send_after(
            millis(1),
            me,
            Down {
                monitor: make_ref(),
                object: fika::process::Object::Pid(me),
                reason: ExitReason::Normal,
            },
        );
        if round % 2 == 0 {
            // The receiver runs all the time, and looks into its mailbox in between.
            while has_none::<Down>().await {
                yield_now().await;
            }
        } else {
            next::<Down>().await;
        }
        next::<Timeout<()>>().await;
        assert_eq!(next::<Timeout<Vec<Vec<u8>>>>().await.message.len(), 10);
        assert_eq!(next::<Timeout<(Pid, Reference)>>().await.message.0, me);
        next::<Timeout<Local<Arc<()>>>>().await;
        next::<Timeout<ExitReason>>().await;
    }
    assert_eq!(Arc::strong_count(&shared), 1);
}

const MANY: usize = 20_000;

/// TIM-8, PROC-12: timers that are due at the same time all fire, once each, and other processes
/// run meanwhile.
#[fika::test]
async fn same_time_yielding() {
    let node = self_node();
    let due = node.env().now() + millis(60);
    let me = self_pid();
    for n in 0..MANY {
        send_after(due.since(node.env().now()), me, n as u64);
    }
    let other = spawn(serve());
    let mut seen = vec![false; MANY];
    for count in 0..MANY {
        receive! {
            n: u64 => assert!(!std::mem::replace(&mut seen[n as usize], true), "{n} fired twice"),
            after LIMIT => panic!("only {count} fired"),
        }
        if count % 1000 == 0 {
            crate::wait::sync(other).await;
        }
    }
    assert!(has_none::<u64>().await);
}

/// TIM-2, TIM-4: each timer is either cancelled or delivered, never both and never neither.
#[fika::test]
async fn same_time_yielding_with_cancel_other() {
    let node = self_node();
    let me = self_pid();
    let due = node.env().now() + millis(60);
    let timers: Vec<_> =
        (0..MANY).map(|n| start_timer(due.since(node.env().now()), me, n as u64)).collect();
    let to_cancel = timers.clone();
    let (_, monitor) = spawn_monitor(async move {
        // The cancelling begins just before the timers are due, which is the case to test.
        sleep(due.since(self_node().env().now()).saturating_sub(millis(1))).await;
        let mut cancelled = Vec::new();
        for (n, timer) in to_cancel.iter().enumerate() {
            if fika::time::cancel_timer(*timer).is_some() {
                assert_eq!(left_of(*timer), None);
                cancelled.push(n as u64);
            }
            if n % 100 == 0 {
                yield_now().await;
            }
        }
        send(me, cancelled);
    });
    assert_eq!(down(monitor).await, ExitReason::Normal);
    let cancelled: Vec<u64> = next().await;
    let mut seen = vec![false; MANY];
    for n in &cancelled {
        seen[*n as usize] = true;
    }
    for _ in cancelled.len()..MANY {
        let Timeout { timer, message: n } = next::<Timeout<u64>>().await;
        assert_eq!(timer, timers[n as usize]);
        assert!(!std::mem::replace(&mut seen[n as usize], true), "{n} came twice");
    }
    assert!(has_none::<Timeout<u64>>().await);
}
