//! `timer_SUITE`: actions after a time, once or repeatedly.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fika::message::Reference;
use fika::prelude::*;
use fika::process::{spawn_blocking, yield_now};
use fika::timer::{self, TimerError};

use crate::wait::{LIMIT, down, end_of, has_none, next, serve};

const LONG: Duration = secs(3600);

fn now() -> fika::node::Time {
    self_node().env().now()
}

/// Starts a process and waits until it has this name.
async fn named(name: &'static str) -> (Pid, Reference) {
    let me = self_pid();
    let child = spawn_monitor(async move {
        register(name, self_pid()).unwrap();
        send(me, ());
        serve().await;
    });
    next::<()>().await;
    child
}

/// TMOD-1: `apply_after` runs its future in a new process, after the time.
#[fika::test]
async fn apply_after() {
    let (me, begun) = (self_pid(), now());
    timer::apply_after(millis(20), async move { send(me, self_pid()) }).unwrap();
    assert!(next::<Pid>().await != me, "it runs in a process of its own");
    assert!(now().since(begun) >= millis(20));
    // The action runs although the process that started it has ended.
    let starter = async move {
        timer::apply_after(millis(1), async move { send(me, 7_u64) }).unwrap();
    };
    assert_eq!(end_of(starter).await, ExitReason::Normal);
    assert_eq!(next::<u64>().await, 7);
}

/// TMOD-1, TIM-10: a timer of zero fires at once, and its message comes after earlier messages.
#[fika::test]
async fn send_after1() {
    send(self_pid(), 1_u64);
    timer::send_after(Duration::ZERO, self_pid(), 2_u64).unwrap();
    assert_eq!((next::<u64>().await, next::<u64>().await), (1, 2));
    let me = self_pid();
    timer::apply_after(Duration::ZERO, async move { send(me, 3_u64) }).unwrap();
    assert_eq!(next::<u64>().await, 3);
}

/// TMOD-1: `send_after` sends to a pid after the time.
#[fika::test]
async fn send_after2() {
    let begun = now();
    timer::send_after(millis(20), self_pid(), 7_u64).unwrap();
    assert!(has_none::<u64>().await || now().since(begun) >= millis(20));
    timer::send_after(millis(20), self_pid(), 8_u64).unwrap();
    assert_eq!((next::<u64>().await, next::<u64>().await), (7, 8));
    assert!(now().since(begun) >= millis(20));
}

/// TMOD-1, TIM-7: the name of a timer's target is looked up when the timer fires.
#[fika::test]
async fn send_after3() {
    timer::send_after(millis(20), "later", 7_u64).unwrap();
    register("later", self_pid()).unwrap();
    assert_eq!(next::<u64>().await, 7);
    timer::send_after(millis(1), ("later", self_node().name().as_str()), 8_u64).unwrap();
    assert_eq!(next::<u64>().await, 8);
    timer::send_after(millis(1), "nobody", 9_u64).unwrap();
    timer::send_after(millis(5), "later", 10_u64).unwrap();
    assert_eq!(next::<u64>().await, 10);
}

/// TMOD-1: `exit_after` sends its reason to a pid after the time.
#[fika::test]
async fn exit_after1() {
    let (begun, reason) = (now(), ExitReason::term("foo".to_owned()));
    let (target, monitor) = spawn_monitor(serve());
    timer::exit_after(millis(20), target, reason.clone()).unwrap();
    assert_eq!(down(monitor).await, reason);
    assert!(now().since(begun) >= millis(20));
    let (_, monitor) = spawn_monitor(async {
        trap_exit(true);
        timer::exit_after(millis(1), self_pid(), ExitReason::Shutdown).unwrap();
        assert_eq!(next::<Exit>().await.reason, ExitReason::Shutdown);
    });
    assert_eq!(down(monitor).await, ExitReason::Normal);
}

/// TMOD-1: `exit_after` sends its reason to a name or an alias after the time.
#[fika::test]
async fn exit_after2() {
    let (_, monitor) = named("exits").await;
    timer::exit_after(millis(20), "exits", ExitReason::Shutdown).unwrap();
    assert_eq!(down(monitor).await, ExitReason::Shutdown);
    // No process has the name any more.
    timer::exit_after(Duration::ZERO, "exits", ExitReason::Kill).unwrap();
    let (_, monitor) = spawn_monitor(async move {
        let alias = fika::message::alias();
        timer::exit_after(millis(1), alias, ExitReason::Shutdown).unwrap();
        serve().await;
    });
    assert_eq!(down(monitor).await, ExitReason::Shutdown);
}

/// TMOD-1, EXIT-7: `kill_after` kills a process that traps exits, by pid or by name.
#[fika::test]
async fn kill_after1() {
    let (target, monitor) = spawn_monitor(async {
        trap_exit(true);
        serve().await;
    });
    timer::kill_after(millis(20), target).unwrap();
    assert_eq!(down(monitor).await, ExitReason::Killed);
    let (_, monitor) = named("kills").await;
    timer::kill_after(millis(1), "kills").unwrap();
    assert_eq!(down(monitor).await, ExitReason::Killed);
}

/// Receives ten ticks, none of them early, then cancels the timer, and receives no more.
async fn ticks_until_cancelled(begun: fika::node::Time, every: Duration, timer: timer::TRef) {
    for n in 1..=10_u32 {
        assert_eq!(next::<u64>().await, 7);
        assert!(now().since(begun) >= every * n, "tick {n} is early");
    }
    timer::cancel(timer).await.unwrap();
    // Everything that was sent before the cancel has arrived by now.
    while !has_none::<u64>().await {}
    sleep(every * 5).await;
    assert!(has_none::<u64>().await);
}

/// TMOD-1, TMOD-2: `send_interval` sends to a pid until it is cancelled.
#[fika::test]
async fn send_interval1() {
    let begun = now();
    let timer = timer::send_interval(millis(5), self_pid(), 7_u64).unwrap();
    ticks_until_cancelled(begun, millis(5), timer).await;
}

/// TMOD-1: `send_interval` sends to a name until it is cancelled.
#[fika::test]
async fn send_interval3() {
    register("ticks", self_pid()).unwrap();
    let begun = now();
    let timer = timer::send_interval(millis(5), "ticks", 7_u64).unwrap();
    ticks_until_cancelled(begun, millis(5), timer).await;
}

/// TMOD-2: a cancelled timer of any kind does nothing, and can be cancelled again.
#[fika::test]
async fn cancel1() {
    let me = self_pid();
    let (target, monitor) = spawn_monitor(serve());
    let begun = now();
    let timers = [
        timer::send_after(millis(30), me, 1_u64),
        timer::apply_after(millis(30), async move { send(me, 2_u64) }),
        timer::exit_after(millis(30), target, ExitReason::Shutdown),
        timer::kill_after(millis(30), target),
        timer::send_interval(millis(30), me, 3_u64),
        timer::apply_interval(millis(30), move || async move { send(me, 4_u64) }),
        timer::apply_repeatedly(millis(30), move || async move { send(me, 5_u64) }),
    ];
    for timer in &timers {
        timer::cancel(timer.unwrap()).await.unwrap();
    }
    let in_time = now().since(begun) < millis(30);
    sleep(millis(60)).await;
    assert!(!in_time || has_none::<u64>().await);
    for timer in timers {
        timer::cancel(timer.unwrap()).await.expect("it is a timer, though it is no more");
    }
    if in_time {
        exit_process(target, ExitReason::term("still there".to_owned()));
        assert_eq!(down(monitor).await, ExitReason::term("still there".to_owned()));
    }
    let fired = timer::send_after(Duration::ZERO, me, 'x').unwrap();
    assert_eq!(next::<char>().await, 'x');
    timer::cancel(fired).await.expect("a timer that has fired can be cancelled");
}

/// TMOD-2: another node's timers can't be cancelled. A value that is not a timer does not compile.
#[fika::test]
async fn cancel2() {
    let foreign = spawn_blocking(|| {
        let node = Node::builder().workers(1).build().unwrap();
        let timers = node.block_on(async {
            let send = timer::send_after(LONG, self_pid(), ()).unwrap();
            [send, timer::apply_after(LONG, async {}).unwrap()]
        });
        node.stop();
        timers
    })
    .await;
    let own = timer::send_after(millis(1), self_pid(), 7_u64).unwrap();
    for timer in foreign {
        let error: TimerError = timer::cancel(timer).await.unwrap_err();
        assert!(error.to_string().starts_with("badarg: "), "{error}");
    }
    assert_eq!(next::<u64>().await, 7);
    timer::cancel(own).await.unwrap();
}

/// RECV-6: `tc` returns how long a future took, and its result, a value or an error.
#[fika::test]
async fn tc() {
    let (time, value) = timer::tc(async {
        timer::sleep(millis(20)).await;
        7
    })
    .await;
    assert!(time >= millis(20) && time < LIMIT && value == 7, "{time:?}");
    let (_, failed) = timer::tc(async { "x".parse::<u64>() }).await;
    assert!(failed.is_err());
    let exits = async { timer::tc(async { exit(ExitReason::term("out".to_owned())) }).await };
    assert_eq!(end_of(exits).await, ExitReason::term("out".to_owned()));
    let panics = async { timer::tc(async { panic!("out") }).await };
    assert!(matches!(end_of(panics).await, ExitReason::Panic(_)));
}

/// TIM-8, TMOD-4: while the workers are busy, all of many timers fire, and no timer is early.
#[fika::test(workers = 2)]
async fn timer_perf() {
    const TIMERS: u64 = 2000;
    const TICKS: u32 = 20;
    let (me, busy) = (self_pid(), Arc::new(AtomicUsize::new(0)));
    for _ in 0..2 {
        let busy = busy.clone();
        spawn(async move {
            while busy.fetch_add(1, Ordering::Relaxed) < usize::MAX / 2 {
                yield_now().await;
            }
        });
    }
    let begun = now();
    for n in 0..TIMERS {
        let due = millis(n * 7919 % 200);
        timer::send_after(due, me, (now() + due).since(begun)).unwrap();
        timer::apply_after(due, async move { send(me, due) }).unwrap();
    }
    for _ in 0..TIMERS * 2 {
        let due = next::<Duration>().await;
        let late = now().since(begun).checked_sub(due).expect("it is not early");
        assert!(late < LIMIT, "late by {late:?}");
    }
    let children = (0..50).map(|_| {
        spawn_monitor(async {
            let begun = now();
            let timer = timer::send_interval(millis(5), self_pid(), 7_u64).unwrap();
            for n in 1..=TICKS {
                next::<u64>().await;
                assert!(now().since(begun) >= millis(5) * n, "tick {n} is early");
            }
            timer::cancel(timer).await.unwrap();
        })
    });
    for (_, monitor) in children.collect::<Vec<_>>() {
        assert_eq!(down(monitor).await, ExitReason::Normal);
    }
    busy.store(usize::MAX / 2, Ordering::Relaxed);
}
