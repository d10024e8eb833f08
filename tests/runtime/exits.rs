//! Exit signals and their effects.
#![deny(warnings)]

use crate::wait;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fika::message::make_ref;
use fika::prelude::*;
use fika::process::{spawn_blocking, yield_now};

use wait::{LIMIT, down, exit_from, has_none, next, serve, sync};

fn text(text: &str) -> ExitReason {
    ExitReason::term(text.to_owned())
}

/// EXIT-1: an exit signal to a dead process does nothing.
#[fika::test]
async fn an_exit_signal_to_a_dead_process_does_nothing() {
    let dead = spawn(async {});
    down(monitor(dead)).await;
    for reason in [ExitReason::Normal, ExitReason::Shutdown, ExitReason::Kill, text("x")] {
        exit_process(dead, reason);
    }
    let alive = spawn(serve());
    sync(alive).await;
}

/// EXIT-4, EXIT-10: a process that traps exits gets an exit signal with the reason normal as a
/// message.
#[fika::test]
async fn a_trapping_process_gets_a_normal_exit_as_a_message() {
    let me = self_pid();
    let child = spawn(async move {
        trap_exit(true);
        send(me, ());
        let exit = next::<Exit>().await;
        send(me, (exit.from, exit.reason));
    });
    next::<()>().await;
    exit_process(child, ExitReason::Normal);
    assert_eq!(next::<(Pid, ExitReason)>().await, (me, ExitReason::Normal));
}

/// EXIT-7, EXIT-8: the signal `kill` can't be trapped, and a process that exits with `kill` by
/// itself gives its links an ordinary reason.
#[fika::test]
async fn kill_from_another_process_and_from_itself() {
    trap_exit(true);
    let me = self_pid();
    // Another process sends `kill` to one that traps exits: `kill` can't be trapped.
    let child = spawn_link(async move {
        trap_exit(true);
        send(me, ());
        serve().await;
    });
    next::<()>().await;
    exit_process(child, ExitReason::Kill);
    assert_eq!(exit_from(child).await, ExitReason::Killed);
    // The process itself exits with `kill`: an ordinary reason for the linked processes, which may
    // trap it.
    let child = spawn_link(async { exit(ExitReason::Kill) });
    assert_eq!(exit_from(child).await, ExitReason::Kill);
    let (middle, monitor) = spawn_monitor(serve());
    spawn(async move {
        link(middle);
        exit(ExitReason::Kill);
    });
    assert_eq!(down(monitor).await, ExitReason::Kill);
}

/// EXIT-11: the flag at the time of receipt decides.
#[fika::test]
async fn the_trap_exit_flag_at_receipt_counts() {
    let me = self_pid();
    for (at_sending, at_receipt) in [(true, false), (false, true), (true, true), (false, false)] {
        let go = Arc::new(std::sync::Mutex::new(false));
        let may_go = go.clone();
        let (child, monitor) = spawn_monitor(async move {
            trap_exit(at_sending);
            send(me, ());
            // The process runs until the signal has been sent, and only receives it after that.
            while !*may_go.lock().unwrap() {
                std::hint::spin_loop();
            }
            trap_exit(at_receipt);
            assert_eq!(exit_from(me).await, text("x"));
            // Messages stay in the mailbox when the flag is cleared.
            send(me, ());
            next::<()>().await;
            trap_exit(false);
            assert_eq!(exit_from(me).await, text("queued"));
        });
        next::<()>().await;
        exit_process(child, text("x"));
        *go.lock().unwrap() = true;
        if at_receipt {
            next::<()>().await;
            exit_process(child, text("queued"));
            send(child, ());
            assert_eq!(down(monitor).await, ExitReason::Normal);
        } else {
            assert_eq!(down(monitor).await, text("x"));
        }
    }
}

/// EXIT-17, TIM-11: a process that is killed while it waits neither times out nor leaves its timer
/// behind.
#[fika::test]
async fn a_process_killed_while_waiting_leaves_no_timer() {
    let (node, me) = (self_node(), self_pid());
    for round in 0..300 {
        let time = if round % 2 == 0 { secs(3600) } else { millis(1) };
        let (child, monitor) = spawn_monitor(async move {
            send(me, ());
            match round % 3 {
                0 => receive! { _: u64 => {}, after time => {} },
                1 => sleep(time).await,
                _ => drop(timeout(time, std::future::pending::<()>()).await),
            }
            exit(text("timed out"));
        });
        next::<()>().await;
        exit_process(child, ExitReason::Kill);
        let reason = down(monitor).await;
        assert!(reason == ExitReason::Killed || (time == millis(1) && reason == text("timed out")));
    }
    let begun = node.env().now();
    while node.timer_count() > 0 {
        assert!(node.env().now().since(begun) < LIMIT, "{} timers are left", node.timer_count());
        yield_now().await;
    }
}

/// Waits for the flag, without a suspension point.
fn until(flag: &AtomicBool) {
    while !flag.load(Ordering::SeqCst) {
        std::hint::spin_loop();
    }
}

/// PROC-7: a process that receives a fatal signal in the middle of a poll does nothing after its
/// next suspension point, even if another branch of its future could continue.
#[fika::test(workers = 2)]
async fn a_killed_process_stops_at_its_next_suspension_point() {
    let me = self_pid();
    for round in 0..300 {
        let (begun, go) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (begins, gone) = (begun.clone(), go.clone());
        let (child, monitor) = spawn_monitor(async move {
            trap_exit(true);
            send(self_pid(), 1_u64);
            receive! { _: u64 => {} }
            send(self_pid(), 2_u64);
            begins.store(true, Ordering::SeqCst);
            until(&gone);
            match round % 6 {
                // The suspension point itself receives the signal, ...
                0 => drop(timeout(Duration::ZERO, next::<String>()).await),
                1 => receive! { _: String => {}, after Duration::ZERO => {} },
                // ... while another branch continues, ...
                2 => {
                    let other = async {
                        send(me, "another branch".to_owned());
                        spawn(async move { send(me, "a child of it".to_owned()) });
                    };
                    futures_lite::future::zip(next::<String>(), other).await;
                }
                // ... or by a call before it.
                3 => {
                    let _ = make_ref();
                    receive! { _: u64 => {} }
                }
                4 => {
                    let _ = make_ref();
                    sleep(Duration::ZERO).await;
                }
                _ => {
                    let blocking = spawn_blocking(|| ());
                    let _ = make_ref();
                    blocking.await;
                }
            }
            send(me, "it went on".to_owned());
            // Without the await, the process might be notified later.
            std::future::pending::<()>().await;
        });
        while !begun.load(Ordering::SeqCst) {
            yield_now().await;
        }
        exit_process(child, ExitReason::Kill);
        go.store(true, Ordering::SeqCst);
        assert_eq!(down(monitor).await, ExitReason::Killed);
        receive! {
            text: String => panic!("{text} in round {round}"),
            after Duration::ZERO => {}
        }
    }
    // By now, any message of a child would have arrived.
    sleep(millis(2)).await;
    assert!(has_none::<String>().await);
}
