//! Suspending processes (PROC-14).
#![deny(warnings)]

use crate::wait;

use fika::inspect::is_process_alive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use fika::inspect::{
    Item, Status, SuspendError, info, process_info, resume_process, suspend_process,
};
use fika::message::make_ref;
use fika::prelude::*;
use fika::process::{spawn_blocking, yield_now};

use wait::{down, end_of, has_none, next, serve, sync};

/// Counts its turns, forever.
fn counter() -> (Pid, Arc<AtomicU64>) {
    let count = Arc::new(AtomicU64::new(0));
    let counted = count.clone();
    let pid = spawn(async move {
        loop {
            counted.fetch_add(1, Ordering::SeqCst);
            yield_now().await;
        }
    });
    (pid, count)
}

/// A process makes no step between suspend and resume, thousands of times.
#[fika::test(workers = 2)]
async fn a_suspended_process_does_not_run() {
    let (pid, count) = counter();
    for round in 0..3000 {
        suspend_process(pid).await.unwrap();
        let before = count.load(Ordering::SeqCst);
        if round % 3 == 0 {
            yield_now().await;
        }
        assert_eq!(info::status(pid).await, Some(Status::Suspended));
        assert_eq!(count.load(Ordering::SeqCst), before, "round {round}");
        resume_process(pid).unwrap();
        while count.load(Ordering::SeqCst) == before {
            yield_now().await;
        }
    }
}

/// A process that is suspended in the middle of a receive stops there, and keeps the messages that
/// arrive.
#[fika::test(workers = 2)]
async fn a_suspended_receive_keeps_its_state() {
    let me = self_pid();
    let pid = spawn(async move {
        let mut expected = 0;
        loop {
            receive! {
                n: u64 => {
                    assert_eq!(n, expected);
                    expected += 1;
                    send(me, n);
                }
            }
        }
    });
    let mut sent = 0_u64;
    for round in 0..2000 {
        for _ in 0..round % 5 {
            send(pid, sent);
            sent += 1;
        }
        suspend_process(pid).await.unwrap();
        let mut taken = 0;
        while !has_none::<u64>().await {
            taken += 1;
        }
        let left = info::message_queue_len(pid).await.unwrap();
        assert_eq!(taken + left, round % 5, "round {round}");
        assert!(has_none::<u64>().await, "it ran while it was suspended");
        resume_process(pid).unwrap();
        for _ in 0..left {
            next::<u64>().await;
        }
    }
}

/// Suspends are counted, separately for each suspender.
#[fika::test(workers = 2)]
async fn each_suspend_needs_its_resume() {
    let me = self_pid();
    let pid = spawn(serve());
    let suspended = async || info::status(pid).await == Some(Status::Suspended);
    suspend_process(pid).await.unwrap();
    suspend_process(pid).await.unwrap();
    let other = spawn(async move {
        suspend_process(pid).await.unwrap();
        send(me, ());
        next::<()>().await;
        assert_eq!(resume_process(pid), Ok(()));
        assert_eq!(resume_process(pid), Err(SuspendError::NotSuspended));
        send(me, ());
        next::<()>().await;
    });
    next::<()>().await;
    let mut both = vec![me, other];
    both.sort();
    assert_eq!(info::suspended_by(pid).await, Some(both));
    assert_eq!(resume_process(pid), Ok(()));
    assert!(suspended().await);
    assert_eq!(resume_process(pid), Ok(()));
    assert!(suspended().await, "the other one has suspended it as well");
    assert_eq!(resume_process(pid), Err(SuspendError::NotSuspended));
    assert!(suspended().await);
    send(other, ());
    next::<()>().await;
    assert!(!suspended().await);
    assert_eq!(info::suspended_by(pid).await, Some(vec![]));
    sync(pid).await;
}

#[fika::test]
async fn invalid_targets_of_suspend() {
    let me = self_pid();
    let (dead, monitor) = spawn_monitor(async {});
    down(monitor).await;
    let other_node = Node::builder().workers(1).build().unwrap();
    let elsewhere = other_node.spawn(serve()).expect("room for one");
    let cases = [
        (me, SuspendError::Myself),
        (dead, SuspendError::Noproc),
        (elsewhere, SuspendError::Noproc),
    ];
    for (pid, error) in cases {
        assert_eq!(suspend_process(pid).await, Err(error));
        assert_eq!(resume_process(pid), Err(SuspendError::NotSuspended));
    }
    let dies = spawn(serve());
    suspend_process(dies).await.unwrap();
    exit_process(dies, ExitReason::Kill);
    assert!(!is_process_alive(dies).await);
    assert!(resume_process(dies).is_err());
    other_node.stop();
}

/// The end of a suspender resumes the process, whatever ends the suspender, even if it was still
/// waiting for the process to stop.
#[fika::test(workers = 2)]
async fn the_end_of_a_suspender_resumes_its_processes() {
    for round in 0..1000 {
        let (pid, count) = counter();
        let (_, suspender) = spawn_monitor(async move {
            if round % 2 == 0 {
                suspend_process(pid).await.unwrap();
                suspend_process(pid).await.unwrap();
            } else {
                // The suspender does not wait until the other process has stopped.
                let _ = futures_lite::future::poll_once(suspend_process(pid)).await;
            }
            if round % 3 == 0 {
                exit(ExitReason::Kill);
            }
        });
        down(suspender).await;
        let before = count.load(Ordering::SeqCst);
        while count.load(Ordering::SeqCst) < before + 2 {
            yield_now().await;
        }
        exit_process(pid, ExitReason::Kill);
    }
}

/// A suspended process ends by a fatal signal, over its link or by `exit_process`. Processes that
/// wait for it to stop are notified that it has ended.
#[fika::test(workers = 2)]
async fn a_suspended_process_can_be_ended() {
    for round in 0..1000 {
        let peer = spawn(serve());
        let (pid, monitor) = spawn_monitor(async move {
            link(peer);
            serve().await;
        });
        sync(pid).await;
        suspend_process(pid).await.unwrap();
        let victim = if round % 2 == 0 { peer } else { pid };
        exit_process(victim, ExitReason::Shutdown);
        assert_eq!(down(monitor).await, ExitReason::Shutdown);
        assert!(resume_process(pid).is_err());
    }
    for _ in 0..1000 {
        // The suspend or the end of the process may come first.
        let (pid, monitor) = spawn_monitor(async { yield_now().await });
        match suspend_process(pid).await {
            Ok(()) => resume_process(pid).unwrap(),
            Err(error) => assert_eq!(error, SuspendError::Noproc),
        }
        assert_eq!(down(monitor).await, ExitReason::Normal);
    }
}

/// Events that wake a suspended process are not lost: timers, other futures, and its own yields.
#[fika::test(workers = 2)]
async fn a_wake_up_while_suspended_is_not_lost() {
    for _ in 0..200 {
        let (finish, finished) = std::sync::mpsc::channel::<()>();
        let (pid, monitor) = spawn_monitor(async move {
            spawn_blocking(move || finished.recv().unwrap()).await;
            sleep(millis(1)).await;
        });
        suspend_process(pid).await.unwrap();
        finish.send(()).unwrap();
        // The timer may have been started or not. The process must end in both cases.
        resume_process(pid).unwrap();
        let again = suspend_process(pid).await;
        sleep(millis(1)).await;
        if again.is_ok() {
            let _ = resume_process(pid);
        }
        assert_eq!(down(monitor).await, ExitReason::Normal);
    }
    // This process has never run.
    let me = self_pid();
    for _ in 0..200 {
        let pid = spawn(async move { send(me, ()) });
        let stopped = suspend_process(pid).await.is_ok();
        if stopped && info::status(pid).await.is_some() {
            resume_process(pid).unwrap();
        }
        next::<()>().await;
    }
}

/// Each of two processes that suspend each other can be queried, and no query lets it run.
#[fika::test]
async fn two_processes_that_suspend_each_other_can_be_resumed() {
    let suspends = || async {
        let other = next::<Pid>().await;
        let _ = suspend_process(other).await;
        std::future::pending::<()>().await;
    };
    let (a, b) = (spawn(suspends()), spawn(suspends()));
    send(a, b);
    send(b, a);
    for pid in [a, b] {
        let infos = process_info(pid, &[Item::Status, Item::MessageQueueLen]).await;
        assert!(infos.is_some());
    }
    exit_process(a, ExitReason::Kill);
    assert_eq!(down(monitor(a)).await, ExitReason::Noproc);
    assert_ne!(info::status(b).await, Some(Status::Suspended));
}

/// The record of a suspended process that has ended is gone.
#[fika::test]
async fn ended_processes_leave_no_suspend_records() {
    let before = info::memory(self_pid()).await.unwrap();
    for _ in 0..100 {
        let (pid, monitor) = spawn_monitor(serve());
        suspend_process(pid).await.unwrap();
        exit_process(pid, ExitReason::Kill);
        down(monitor).await;
    }
    assert_eq!(end_of(async {}).await, ExitReason::Normal);
    let after = info::memory(self_pid()).await.unwrap();
    assert!(after < before + 2000, "{before} bytes before, {after} after");
}

/// A process that is suspended in the middle of a turn stops at its next suspension point, even if
/// it would not have to wait there, and continues from it.
#[fika::test(workers = 3)]
async fn a_suspended_process_stops_at_its_next_suspension_point() {
    for round in 0..300 {
        let flags: Arc<[AtomicBool; 3]> = Arc::default();
        let seen = flags.clone();
        let (pid, monitor) = spawn_monitor(async move {
            send(self_pid(), 1_u64);
            let [begun, go, _] = &*seen;
            begun.store(true, Ordering::SeqCst);
            while !go.load(Ordering::SeqCst) {
                std::hint::spin_loop();
            }
            match round % 4 {
                0 => assert!(timeout(Duration::ZERO, next::<String>()).await.is_err()),
                1 => receive! { _: String => {}, after Duration::ZERO => {} },
                2 => {
                    let _ = make_ref();
                    receive! { _: u64 => {} }
                }
                _ => {
                    let _ = make_ref();
                    sleep(Duration::ZERO).await;
                }
            }
            seen[2].store(true, Ordering::SeqCst);
        });
        let [begun, go, went_on] = &*flags;
        while !begun.load(Ordering::SeqCst) {
            yield_now().await;
        }
        let asked = async { go.store(true, Ordering::SeqCst) };
        // The signal is in flight before the process may continue.
        let (suspended, ()) = futures_lite::future::zip(suspend_process(pid), asked).await;
        assert_eq!(suspended, Ok(()), "round {round}");
        yield_now().await;
        assert!(!went_on.load(Ordering::SeqCst), "round {round}");
        resume_process(pid).unwrap();
        assert_eq!(down(monitor).await, ExitReason::Normal);
    }
}
