//! Restarts of children, and the limit of their number.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fika::gen_server::Start;
use fika::prelude::*;
use fika::supervisor::{self, ChildSpec, ChildState, Restart, Strategy, SupFlags, Template};

use crate::supervisor::*;
use crate::wait::exit_from;

/// SUP-12: a child is restarted up to the intensity, and one end more ends the supervisor.
#[fika::test(workers = 2)]
async fn multiple_restarts() {
    let flags = SupFlags::one_for_one().intensity(3).period(secs(3600));
    let top = top(flags, vec![worker("a")]).await;
    let mut pid = up_of("a").await;
    for restarts in 1..=3 {
        end(pid, ExitReason::Killed).await;
        pid = up_of("a").await;
        let children = which(&top).await;
        assert_eq!((children[0].pid(), children[0].restarts), (Some(pid), restarts));
    }
    end(pid, ExitReason::Killed).await;
    assert_eq!(exit_from(pid_of(&top)).await, ExitReason::Shutdown);
    nobody_up().await;
}

/// Starts three children, ends the one in the middle, and returns which ones have new processes.
async fn restarted_by(strategy: Strategy) -> Vec<String> {
    let specs = vec![worker("a"), worker("b"), worker("c")];
    let top = top(SupFlags::new(strategy), specs).await;
    let before = [up_of("a").await, up_of("b").await, up_of("c").await];
    let watches = before.map(monitor);
    end(before[1], error()).await;
    // The requests after the restart see it as a whole.
    let mut restarted = Vec::new();
    let expected = match strategy {
        Strategy::OneForOne => 1,
        Strategy::RestForOne => 2,
        Strategy::OneForAll => 3,
    };
    for _ in 0..expected {
        restarted.push(up().await.0);
    }
    assert_eq!(
        top.start_child(worker("a")).await.unwrap_err().to_string().get(..15),
        Some("already_started")
    );
    nobody_up().await;
    let now: Vec<_> = which(&top).await.into_iter().rev().map(|child| child.pid()).collect();
    for ((id, before), (now, watch)) in
        ["a", "b", "c"].iter().zip(before).zip(now.into_iter().zip(watches))
    {
        let is_new = restarted.iter().any(|restarted| restarted == id);
        assert_eq!(now != Some(before), is_new, "{id}");
        if is_new && *id != "b" {
            assert_eq!(down(watch).await, ExitReason::Shutdown);
        }
    }
    restarted
}

/// SUP-10: `one_for_one` restarts only the child that ended.
#[fika::test(workers = 2)]
async fn one_for_one() {
    assert_eq!(restarted_by(Strategy::OneForOne).await, ["b"]);
}

/// SUP-10: `one_for_all` ends all children and starts them again in order.
#[fika::test(workers = 2)]
async fn one_for_all() {
    assert_eq!(restarted_by(Strategy::OneForAll).await, ["a", "b", "c"]);
}

/// SUP-10: `rest_for_one` restarts the child that ended and the children started after it.
#[fika::test(workers = 2)]
async fn rest_for_one() {
    assert_eq!(restarted_by(Strategy::RestForOne).await, ["b", "c"]);
}

/// SUP-11: temporary siblings end with their group and are forgotten. Their own ends touch no sibling.
#[fika::test(workers = 2)]
async fn temporary_bystander() {
    for strategy in [Strategy::OneForOne, Strategy::RestForOne, Strategy::OneForAll] {
        let temporary = |id| worker(id).restart(Restart::Temporary);
        let specs = vec![temporary("t"), worker("a"), temporary("u"), temporary("v"), worker("b")];
        let top = top(SupFlags::new(strategy).intensity(100), specs).await;
        let [t, a, u, v, b] = [
            up_of("t").await,
            up_of("a").await,
            up_of("u").await,
            up_of("v").await,
            up_of("b").await,
        ];
        let watch = monitor(v);
        for reason in [error(), ExitReason::Killed] {
            let ended = if reason == error() { t } else { u };
            end(ended, reason).await;
            // The supervisor has handled the end when it answers.
            goes_on(&top).await;
        }
        nobody_up().await;
        let expected = [("a", a), ("v", v), ("b", b)];
        let expected = expected.map(|(id, pid)| (id.to_owned(), ChildState::Running(pid)));
        assert_eq!(states(&top).await, expected, "{strategy:?}");

        end(a, error()).await;
        let a = up_of("a").await;
        if strategy == Strategy::OneForOne {
            assert_eq!(states(&top).await[1..], expected[1..]);
            continue;
        }
        assert_eq!(down(watch).await, ExitReason::Shutdown);
        let b = up_of("b").await;
        let expected = [("a", a), ("b", b)];
        let expected = expected.map(|(id, pid)| (id.to_owned(), ChildState::Running(pid)));
        assert_eq!(states(&top).await, expected, "{strategy:?}");
        nobody_up().await;
    }
}

/// Ends a child once too often, and checks that all end, and the supervisor with `shutdown`.
async fn escalates(flags: SupFlags) {
    let specs = vec![worker("a"), worker("b"), worker("c")];
    let top = top(flags.intensity(0), specs).await;
    let pids = [up_of("a").await, up_of("b").await, up_of("c").await];
    let watches = pids.map(monitor);
    send(pids[1], Stop(error()));
    assert_eq!(exit_from(pid_of(&top)).await, ExitReason::Shutdown);
    let expected = [ExitReason::Shutdown, error(), ExitReason::Shutdown];
    for (watch, expected) in watches.into_iter().zip(expected) {
        assert_eq!(down(watch).await, expected);
    }
    nobody_up().await;
}

/// SUP-6, SUP-12, SUP-15: with intensity 0, the first failure ends the supervisor with `shutdown`.
#[fika::test(workers = 2)]
async fn one_for_one_escalation() {
    escalates(SupFlags::one_for_one()).await;
}

/// SUP-12: with intensity 0, the first failure ends all children and the supervisor.
#[fika::test(workers = 2)]
async fn rest_for_one_escalation() {
    escalates(SupFlags::rest_for_one()).await;
}

/// SUP-21, SUP-22: a child of a simple supervisor is restarted with its own argument.
#[fika::test(workers = 2)]
async fn simple_one_for_one() {
    trap_exit(true);
    let flags = SupFlags::one_for_one();
    let top = supervisor::start_link_simple(Start::new(), flags, workers()).await.unwrap();
    let a = top.start_child("a".to_owned()).await.unwrap().pid().unwrap();
    let b = top.start_child("b".to_owned()).await.unwrap().pid().unwrap();
    assert_eq!((up_of("a").await, up_of("b").await), (a, b));
    end(a, error()).await;
    // The restart has the same argument.
    let again = up_of("a").await;
    let pids: Vec<_> = which(&top).await.into_iter().map(|child| child.pid()).collect();
    assert_eq!(pids, [Some(b), Some(again)]);
}

/// SUP-12, SUP-21: the intensity of a simple supervisor counts the restarts of all its children.
#[fika::test(workers = 2)]
async fn simple_one_for_one_escalation() {
    trap_exit(true);
    let flags = SupFlags::one_for_one().intensity(1);
    let top = supervisor::start_link_simple(Start::new(), flags, workers()).await.unwrap();
    for id in ["a", "b"] {
        top.start_child(id.to_owned()).await.unwrap();
    }
    let (a, b) = (up_of("a").await, up_of("b").await);
    let watch = monitor(b);
    end(a, error()).await;
    end(up_of("a").await, error()).await;
    assert_eq!(exit_from(pid_of(&top)).await, ExitReason::Shutdown);
    assert_eq!(down(watch).await, ExitReason::Shutdown);
}

/// Ends a child with this reason. `true` if it is restarted, `false` if it only stays as a
/// specification, and `None` if it is forgotten.
async fn after(restart: Restart, reason: ExitReason) -> Option<bool> {
    let top = top(SupFlags::one_for_one(), vec![worker("a").restart(restart)]).await;
    let child = up_of("a").await;
    end(child, reason).await;
    match *states(&top).await {
        [] => None,
        [(_, ChildState::Stopped)] => Some(false),
        [..] => {
            up_of("a").await;
            assert_eq!(count(&top).await, [1, 1, 0, 1]);
            Some(true)
        }
    }
}

/// SUP-9: a permanent child is restarted after a normal end.
#[fika::test(workers = 2)]
async fn permanent_normal() {
    assert_eq!(after(Restart::Permanent, ExitReason::Normal).await, Some(true));
}

/// SUP-9: a transient child stays stopped after a normal end or a shutdown.
#[fika::test(workers = 2)]
async fn transient_normal() {
    assert_eq!(after(Restart::Transient, ExitReason::Normal).await, Some(false));
    assert_eq!(after(Restart::Transient, ExitReason::Shutdown).await, Some(false));
    assert_eq!(after(Restart::Transient, shutdown_with()).await, Some(false));
}

/// SUP-9: a temporary child is removed after a normal end.
#[fika::test(workers = 2)]
async fn temporary_normal() {
    assert_eq!(after(Restart::Temporary, ExitReason::Normal).await, None);
}

/// SUP-9: a permanent child is restarted after a shutdown.
#[fika::test(workers = 2)]
async fn permanent_shutdown() {
    assert_eq!(after(Restart::Permanent, ExitReason::Shutdown).await, Some(true));
    assert_eq!(after(Restart::Permanent, shutdown_with()).await, Some(true));
}

/// SUP-9: a temporary child is removed after a shutdown.
#[fika::test(workers = 2)]
async fn temporary_shutdown() {
    assert_eq!(after(Restart::Temporary, ExitReason::Shutdown).await, None);
    assert_eq!(after(Restart::Temporary, shutdown_with()).await, None);
}

/// SUP-9: a permanent child is restarted after an error or a kill.
#[fika::test(workers = 2)]
async fn permanent_abnormal() {
    assert_eq!(after(Restart::Permanent, error()).await, Some(true));
    assert_eq!(after(Restart::Permanent, ExitReason::Killed).await, Some(true));
}

/// SUP-9: a transient child is restarted after an error.
#[fika::test(workers = 2)]
async fn transient_abnormal() {
    assert_eq!(after(Restart::Transient, error()).await, Some(true));
}

/// SUP-9: a temporary child is removed after an error.
#[fika::test(workers = 2)]
async fn temporary_abnormal() {
    assert_eq!(after(Restart::Temporary, error()).await, None);
}

/// SUP-13, SUP-14: while a child fails to restart for ever, requests and exits are served.
#[fika::test(workers = 2)]
async fn hanging_restart_loop_rest_for_one() {
    let (me, broken) = (self_pid(), Arc::new(AtomicBool::new(false)));
    let is_broken = broken.clone();
    let fragile = ChildSpec::new("b", move || {
        let broken = is_broken.load(Ordering::SeqCst);
        async move { if broken { Err(error()) } else { Ok(announce(me, "b", spawn_link(child()))) } }
    });
    let flags = SupFlags::rest_for_one().intensity(u32::MAX);
    let top = top(flags, vec![worker("a"), fragile, worker("c")]).await;
    let (a, b, c) = (up_of("a").await, up_of("b").await, up_of("c").await);
    let watch = monitor(c);
    broken.store(true, Ordering::SeqCst);
    end(b, error()).await;
    assert_eq!(down(watch).await, ExitReason::Shutdown);
    assert_eq!(count(&top).await, [3, 1, 0, 3]);
    top.terminate_child("a").await.unwrap();
    top.restart_child("a").await.unwrap();
    let a_again = up_of("a").await;
    assert_ne!(a, a_again);
    // An exit is served, too: the child before the broken one ends, and is restarted.
    end(a_again, error()).await;
    up_of("a").await;
    broken.store(false, Ordering::SeqCst);
    up_of("b").await;
    up_of("c").await;
    assert_eq!(count(&top).await, [3, 3, 0, 3]);
}

/// SUP-13, SUP-22: while a child of a simple supervisor fails to restart, the supervisor serves
/// requests and exits.
#[fika::test(workers = 2)]
async fn hanging_restart_loop_simple() {
    trap_exit(true);
    let (me, broken) = (self_pid(), Arc::new(AtomicBool::new(false)));
    let is_broken = broken.clone();
    let template = Template::new(move |id: String| {
        let broken = id == "fragile" && is_broken.load(Ordering::SeqCst);
        async move { if broken { Err(error()) } else { Ok(announce(me, &id, spawn_link(child()))) } }
    });
    let flags = SupFlags::one_for_one().intensity(u32::MAX);
    let top = supervisor::start_link_simple(Start::new(), flags, template).await.unwrap();
    for id in ["a", "fragile"] {
        top.start_child(id.to_owned()).await.unwrap();
    }
    let (a, fragile) = (up_of("a").await, up_of("fragile").await);
    broken.store(true, Ordering::SeqCst);
    end(fragile, error()).await;
    assert_eq!(count(&top).await, [2, 1, 0, 2]);
    end(a, error()).await;
    let a = up_of("a").await;
    top.start_child("b".to_owned()).await.unwrap();
    up_of("b").await;
    top.terminate_child(a).await.unwrap();
    assert_eq!(count(&top).await, [2, 1, 0, 2]);
    broken.store(false, Ordering::SeqCst);
    up_of("fragile").await;
    assert_eq!(count(&top).await, [2, 2, 0, 2]);
}
