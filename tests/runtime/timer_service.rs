//! The timer service, where OTP has no case: intervals, the events that end them, and invalid
//! arguments.
#![deny(warnings)]

use crate::wait;

use std::collections::BTreeSet;

use fika::inspect::{is_process_alive, processes, resume_process, suspend_process};
use fika::message::Local;
use fika::prelude::*;
use fika::process::{SpawnOpts, SpawnReply, spawn_blocking, spawn_request, yield_now};
use fika::time::{TimerRef, cancel_timer};
use fika::timer::{self, TRef};

use wait::{LIMIT, down, has_none, next, serve};

const LONG: Duration = secs(3600);
const EVERY: Duration = millis(20);

/// Returns a timer, and the process that waits for its time.
fn with_process(start: impl FnOnce() -> TRef) -> (TRef, Pid) {
    let before: BTreeSet<Pid> = processes().into_iter().collect();
    let timer = start();
    let new: Vec<Pid> = processes().into_iter().filter(|pid| !before.contains(pid)).collect();
    assert_eq!(new.len(), 1, "nothing else is spawned");
    (timer, new[0])
}

/// Checks that a timer's process ends, and that nothing is left of it.
async fn is_over(pid: Pid) {
    let reason = down(monitor(pid)).await;
    assert!(
        matches!(reason, ExitReason::Normal | ExitReason::Killed | ExitReason::Noproc),
        "{reason}"
    );
}

/// TMOD-3: an interval ends with its destination.
#[fika::test]
async fn an_interval_ends_with_its_destination() {
    let me = self_pid();
    let (target, end) = spawn_monitor(async move {
        register("ticked", self_pid()).unwrap();
        send(me, ());
        next::<u64>().await;
    });
    next::<()>().await;
    let (timer, process) =
        with_process(|| timer::send_interval(millis(1), "ticked", 7_u64).unwrap());
    assert_eq!(down(end).await, ExitReason::Normal);
    register("ticked", self_pid()).unwrap();
    is_over(process).await;
    assert!(has_none::<u64>().await, "it was for {target}");
    timer::cancel(timer).await.unwrap();
}

/// TMOD-4: a late run does not delay the next ones.
#[fika::test]
async fn late_runs_do_not_delay_the_next_ones() {
    let me = self_pid();
    let begun = self_node().env().now();
    let send_one = move || async move { send(me, 7_u64) };
    let starts: [&dyn Fn() -> TRef; 3] = [
        &|| timer::send_interval(EVERY, me, 7_u64).unwrap(),
        &|| timer::apply_interval(EVERY, send_one).unwrap(),
        &|| timer::apply_repeatedly(EVERY, send_one).unwrap(),
    ];
    let timers = starts.map(with_process);
    for (_, process) in timers {
        suspend_process(process).await.unwrap();
    }
    const MISSED: u32 = 50;
    sleep(EVERY * MISSED).await;
    for (_, process) in timers {
        resume_process(process).unwrap();
    }
    for _ in 0..MISSED * 3 {
        next::<u64>().await;
    }
    let time = self_node().env().now().since(begun);
    assert!(time >= EVERY * MISSED, "early: {time:?}");
    assert!(time < EVERY * MISSED * 7 / 4, "all that was missed comes late again: {time:?}");
    for (timer, process) in timers {
        timer::cancel(timer).await.unwrap();
        is_over(process).await;
    }
}

/// TMOD-4: `apply_repeatedly` waits for the previous run, and `apply_interval` does not.
#[fika::test]
async fn runs_are_sequential_or_overlap() {
    let me = self_pid();
    let run = move || async move {
        send(me, self_pid());
        next::<()>().await;
    };
    let (timer, process) = with_process(|| timer::apply_repeatedly(millis(1), run).unwrap());
    let first: Pid = next().await;
    sleep(millis(20)).await;
    assert!(has_none::<Pid>().await, "{first} has not ended");
    exit_process(first, ExitReason::Kill);
    let second: Pid = next().await;
    send(second, ());
    let third: Pid = next().await;
    timer::cancel(timer).await.unwrap();
    is_over(process).await;
    assert!(is_process_alive(third).await, "what has begun goes on");

    let timer = timer::apply_interval(millis(1), run).unwrap();
    let overlap: Vec<Pid> = [next().await, next().await, next().await].into();
    timer::cancel(timer).await.unwrap();
    for pid in overlap {
        assert!(is_process_alive(pid).await, "what has begun goes on");
    }
}

/// A timer that acts for the process that started it ends with that process. Other timers do not.
#[fika::test]
async fn timers_of_a_process_that_has_ended() {
    let me = self_pid();
    let (starter, end) = spawn_monitor(async move {
        let nothing = || async {};
        let (_, interval) = with_process(|| timer::apply_interval(LONG, nothing).unwrap());
        let (_, repeated) = with_process(|| timer::apply_repeatedly(LONG, nothing).unwrap());
        let (timer, once) = with_process(|| timer::apply_after(LONG, nothing()).unwrap());
        send(me, (interval, repeated));
        send(me, Local((timer, once)));
        serve().await;
    });
    let (interval, repeated): (Pid, Pid) = next().await;
    let Local((timer, once)) = next::<Local<(TRef, Pid)>>().await;
    exit_process(starter, ExitReason::Kill);
    assert_eq!(down(end).await, ExitReason::Killed);
    is_over(interval).await;
    is_over(repeated).await;
    assert!(is_process_alive(once).await);
    timer::cancel(timer).await.unwrap();
    is_over(once).await;
}

/// TMOD-5: cancelling other timers leaves an interval alone.
#[fika::test]
async fn cancelling_other_timers_leaves_an_interval() {
    let interval = timer::send_interval(millis(1), self_pid(), 7_u64).unwrap();
    for _ in 0..50 {
        let once = timer::send_after(LONG, self_pid(), 8_u64).unwrap();
        timer::cancel(once).await.unwrap();
        let once = timer::exit_after(LONG, self_pid(), ExitReason::Kill).unwrap();
        timer::cancel(once).await.unwrap();
        timer::cancel(once).await.unwrap();
        assert_eq!(next::<u64>().await, 7);
    }
    timer::cancel(interval).await.unwrap();
}

/// A cancel whose future is dropped leaves no message, and the timer still ends.
#[fika::test]
async fn dropping_a_cancel_leaves_no_message() {
    for _ in 0..200 {
        let (timer, process) = with_process(|| timer::apply_after(LONG, async {}).unwrap());
        let _ = timeout(Duration::ZERO, timer::cancel(timer)).await;
        is_over(process).await;
        assert!(has_none::<Down>().await);
    }
}

/// A timer for a pid ends with its process.
#[fika::test]
async fn an_exit_timer_ends_with_its_target() {
    let target = spawn(serve());
    let (_, process) =
        with_process(|| timer::exit_after(LONG, target, ExitReason::Shutdown).unwrap());
    exit_process(target, ExitReason::Kill);
    is_over(process).await;
}

#[fika::test]
async fn bad_arguments_are_refused() {
    let me = self_pid();
    let foreign = spawn_blocking(|| {
        let node = Node::builder().workers(1).build().unwrap();
        let pid = node.block_on(async { self_pid() });
        node.stop();
        pid
    })
    .await;
    let (long, nothing) = (Duration::from_secs(1 << 33), || async {});
    let refused = [
        timer::send_after(long, me, ()),
        timer::send_after(LONG, foreign, ()),
        timer::send_after(LONG, ("me", "b@127.0.0.1"), ()),
        timer::apply_after(long, async {}),
        timer::exit_after(long, me, ExitReason::Kill),
        timer::kill_after(LONG, foreign),
        timer::send_interval(Duration::ZERO, me, ()),
        timer::send_interval(LONG, foreign, ()),
        timer::send_interval(LONG, "nobody", ()),
        timer::send_interval(LONG, fika::message::alias(), ()),
        timer::apply_interval(Duration::ZERO, nothing),
        timer::apply_interval(long, nothing),
        timer::apply_repeatedly(Duration::ZERO, nothing),
    ];
    for (n, refused) in refused.into_iter().enumerate() {
        let error = refused.expect_err(&format!("case {n}"));
        assert!(error.to_string().starts_with("badarg: "), "case {n}: {error}");
    }
    let timer: TimerRef = send_after(LONG, me, ());
    assert_eq!(timer.node(), me.node());
    assert!(timeout(LIMIT, async { cancel_timer(timer) }).await.unwrap().is_some());
}

/// PROC-10: if there is no room for a run, it is left out. Later runs are made again.
#[test]
fn intervals_on_a_node_that_is_full() {
    // The limit allows for this process, the two timers, and a run.
    let node = Node::builder().workers(2).process_limit(4).build().unwrap();
    node.block_on(async {
        let me = self_pid();
        let sends = move |n: u64| move || async move { send(me, n) };
        let each = timer::apply_interval(millis(1), sends(1)).unwrap();
        let one = timer::apply_repeatedly(millis(1), sends(2)).unwrap();
        let runs_again = async || {
            let mut seen = BTreeSet::new();
            while seen.len() < 2 {
                seen.insert(next::<u64>().await);
            }
        };
        for _ in 0..5 {
            runs_again().await;
            // This process gets the room as soon as no run is in progress.
            let opts = || SpawnOpts::new().monitor();
            let (filling, end) = loop {
                let asked = spawn_request(opts(), async { next::<()>().await });
                let reply = receive! { reply: SpawnReply if reply.reference == asked => reply };
                match reply.result {
                    Ok(pid) => break (pid, asked),
                    Err(_) => yield_now().await,
                }
            };
            // Many runs of both timers are left out.
            sleep(millis(20)).await;
            exit_process(filling, ExitReason::Kill);
            assert_eq!(down(end).await, ExitReason::Killed);
            while !has_none::<u64>().await {
                next::<u64>().await;
            }
            runs_again().await;
        }
        timer::cancel(each).await.unwrap();
        timer::cancel(one).await.unwrap();
    });
    assert!(node.stop());
}
