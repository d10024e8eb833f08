//! The requests to a supervisor.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fika::gen_server::{Start, StartError};
use fika::prelude::*;
use fika::supervisor::{
    self, ChildError, ChildSpec, ChildState, ChildType, Restart, Shutdown, SupFlags,
};

use crate::supervisor::*;
use crate::wait::has_none;

/// SUP-16 to SUP-20: every request, for a child that runs, a stopped child and an unknown child.
#[fika::test(workers = 2)]
async fn child_adm() {
    let top = top(SupFlags::one_for_one(), vec![worker("a")]).await;
    let a = up_of("a").await;
    let children = which(&top).await;
    assert_eq!(children.len(), 1);
    assert_eq!((children[0].pid(), children[0].kind), (Some(a), ChildType::Worker));
    assert_eq!(count(&top).await, [1, 1, 0, 1]);

    // A child that runs.
    let error = top.start_child(worker("a")).await.unwrap_err();
    assert!(matches!(error, ChildError::AlreadyStarted { pid, .. } if pid == a), "{error}");
    let error = top.restart_child("a").await.unwrap_err();
    assert!(matches!(error, ChildError::Running { pid, .. } if pid == a), "{error}");
    let error = top.delete_child("a").await.unwrap_err();
    assert!(matches!(error, ChildError::Running { .. }), "{error}");
    assert!(error.to_string().contains("\"a\""), "{error}");
    nobody_up().await;

    // One that does not.
    let watch = monitor(a);
    top.terminate_child("a").await.unwrap();
    assert_eq!(down(watch).await, ExitReason::Shutdown);
    top.terminate_child("a").await.unwrap();
    assert_eq!(states(&top).await, [("a".to_owned(), ChildState::Stopped)]);
    assert_eq!(count(&top).await, [1, 0, 0, 1]);
    let error = top.start_child(worker("a")).await.unwrap_err();
    assert!(matches!(error, ChildError::AlreadyPresent { .. }), "{error}");
    let again = top.restart_child("a").await.unwrap().pid().unwrap();
    assert_eq!(up_of("a").await, again);
    top.terminate_child("a").await.unwrap();
    top.delete_child("a").await.unwrap();
    assert_eq!(count(&top).await, [0; 4]);

    // One that is not known.
    for error in [
        top.terminate_child("a").await.unwrap_err(),
        top.delete_child("a").await.unwrap_err(),
        top.restart_child("a").await.unwrap_err(),
    ] {
        assert!(matches!(error, ChildError::NotFound { .. }), "{error}");
        assert!(error.to_string().contains("\"a\""), "{error}");
    }
    let started = top.start_child(worker("a")).await.unwrap();
    assert_eq!(up_of("a").await, started.pid().unwrap());
    assert_eq!(count(&top).await, [1, 1, 0, 1]);

    // None of this was a restart (SUP-17).
    assert_eq!(which(&top).await[0].restarts, 0);

    // A restart by hand that fails (SUP-18).
    let broken = Arc::new(AtomicBool::new(false));
    let is_broken = broken.clone();
    let spec = ChildSpec::new("b", move || {
        let broken = is_broken.load(Ordering::SeqCst);
        async move { if broken { Err(StartError::Timeout) } else { Ok(spawn_link(child())) } }
    });
    top.start_child(spec).await.unwrap();
    top.terminate_child("b").await.unwrap();
    broken.store(true, Ordering::SeqCst);
    let error = top.restart_child("b").await.unwrap_err();
    assert!(matches!(error, ChildError::Failed { error: StartError::Timeout, .. }), "{error}");
    assert_eq!(count(&top).await, [2, 1, 0, 2]);
    assert!(has_none::<Exit>().await);
}

/// SUP-20, SUP-21: children of a simple supervisor are counted, listed and ended by pid; requests
/// by id are refused.
#[fika::test(workers = 2)]
async fn child_adm_simple() {
    trap_exit(true);
    let flags = SupFlags::one_for_one();
    let top = supervisor::start_link_simple(Start::new(), flags, workers()).await.unwrap();
    assert_eq!(count(&top).await, [0; 4]);
    let a = top.start_child("a".to_owned()).await.unwrap().pid().unwrap();
    let b = top.start_child("b".to_owned()).await.unwrap().pid().unwrap();
    assert_eq!((up_of("a").await, up_of("b").await), (a, b));
    assert_eq!(count(&top).await, [2, 2, 0, 2]);
    let children: Vec<_> = which(&top).await.into_iter().map(|c| (c.id.clone(), c.pid())).collect();
    assert_eq!(children, [(None, Some(b)), (None, Some(a))]);

    // Requests that need an id are refused.
    let by_id = ServerRef::<Supervisor>::pid(pid_of(&top));
    for error in [
        by_id.terminate_child("a").await.unwrap_err(),
        by_id.delete_child("a").await.unwrap_err(),
        by_id.restart_child("a").await.unwrap_err(),
    ] {
        assert!(matches!(error, ChildError::Refused), "{error}");
    }

    let watch = monitor(a);
    top.terminate_child(a).await.unwrap();
    assert_eq!(down(watch).await, ExitReason::Shutdown);
    assert_eq!(count(&top).await, [1, 1, 0, 1]);
    // A dead process is accepted, and a live process that is not a child is `NotFound`.
    top.terminate_child(a).await.unwrap();
    let error = top.terminate_child(self_pid()).await.unwrap_err();
    assert!(matches!(error, ChildError::NotFound { .. }), "{error}");
    nobody_up().await;
}

/// SUP-20: only live children count as active, also while a child is restarted again and again.
#[fika::test(workers = 2)]
async fn count_children() {
    let broken = Arc::new(AtomicBool::new(false));
    let is_broken = broken.clone();
    let me = self_pid();
    let fragile = ChildSpec::new("fragile", move || {
        let broken = is_broken.load(Ordering::SeqCst);
        async move {
            if broken {
                send(me, ());
                return Err(error());
            }
            Ok(announce(me, "fragile", spawn_link(child())))
        }
    });
    let flags = SupFlags::one_for_one().intensity(u32::MAX);
    let temporary = worker("t").restart(Restart::Temporary);
    let transient = worker("n").restart(Restart::Transient);
    let top = top(flags, vec![fragile, temporary, transient]).await;
    let (fragile, t, n) = (up_of("fragile").await, up_of("t").await, up_of("n").await);
    assert_eq!(count(&top).await, [3, 3, 0, 3]);
    end(n, ExitReason::Normal).await;
    assert_eq!(count(&top).await, [3, 2, 0, 3]);
    end(t, error()).await;
    assert_eq!(count(&top).await, [2, 1, 0, 2]);
    // While it is restarted again and again, it does not run.
    broken.store(true, Ordering::SeqCst);
    end(fragile, error()).await;
    crate::wait::next::<()>().await;
    assert_eq!(count(&top).await, [2, 0, 0, 2]);
    broken.store(false, Ordering::SeqCst);
    up_of("fragile").await;
    assert_eq!(count(&top).await, [2, 1, 0, 2]);
}

/// SUP-20: supervisors and workers are counted separately.
#[fika::test(workers = 2)]
async fn count_children_supervisor() {
    let inner = || supervisor::start_link(Start::new(), SupFlags::one_for_one(), []);
    let specs = vec![worker("a"), ChildSpec::supervisor("s", inner), worker("b")];
    let top = top(SupFlags::one_for_one(), specs).await;
    assert_eq!(count(&top).await, [3, 3, 1, 2]);
    top.terminate_child("s").await.unwrap();
    assert_eq!(count(&top).await, [3, 2, 1, 2]);
    top.delete_child("s").await.unwrap();
    assert_eq!(count(&top).await, [2, 2, 0, 2]);
    let kinds: Vec<_> = which(&top).await.into_iter().map(|child| child.kind).collect();
    assert_eq!(kinds, [ChildType::Worker; 2]);
}

/// SUP-20: with pids, restarting and stopped.
#[fika::test(workers = 2)]
async fn which_children() {
    let (me, broken) = (self_pid(), Arc::new(AtomicBool::new(false)));
    let is_broken = broken.clone();
    let fragile = ChildSpec::new("fragile", move || {
        let broken = is_broken.load(Ordering::SeqCst);
        async move {
            if broken {
                send(me, ());
                return Err(error());
            }
            Ok(announce(me, "fragile", spawn_link(child())))
        }
    });
    let flags = SupFlags::one_for_one().intensity(u32::MAX);
    let top = top(flags, vec![worker("a"), fragile, worker("c")]).await;
    let (a, fragile) = (up_of("a").await, up_of("fragile").await);
    let c = up_of("c").await;
    let named = |states: [ChildState; 3]| {
        let [a, b, c] = states;
        [("a".to_owned(), a), ("fragile".to_owned(), b), ("c".to_owned(), c)]
    };
    let runs = ChildState::Running;
    assert_eq!(states(&top).await, named([runs(a), runs(fragile), runs(c)]));
    top.terminate_child("c").await.unwrap();
    broken.store(true, Ordering::SeqCst);
    end(fragile, error()).await;
    crate::wait::next::<()>().await;
    let expected = named([runs(a), ChildState::Restarting, ChildState::Stopped]);
    assert_eq!(states(&top).await, expected);
    let error = top.restart_child("fragile").await;
    // Either it waits to be restarted, or its restart failed just then.
    assert!(matches!(error, Err(ChildError::Restarting { .. })), "{error:?}");
    let error = top.delete_child("fragile").await;
    assert!(matches!(error, Err(ChildError::Restarting { .. })), "{error:?}");
    top.terminate_child("fragile").await.unwrap();
    let expected = named([runs(a), ChildState::Stopped, ChildState::Stopped]);
    assert_eq!(states(&top).await, expected);
}

/// SUP-20, SUP-21: a child whose restart fails is listed as restarting.
#[fika::test(workers = 2)]
async fn which_children_simple_one_for_one() {
    trap_exit(true);
    let (me, broken) = (self_pid(), Arc::new(AtomicBool::new(false)));
    let is_broken = broken.clone();
    let template = Template::new(move |id: String| {
        let broken = is_broken.load(Ordering::SeqCst);
        async move {
            if broken {
                send(me, ());
                return Err(error());
            }
            Ok(announce(me, &id, spawn_link(child())))
        }
    });
    let flags = SupFlags::one_for_one().intensity(u32::MAX);
    let top = supervisor::start_link_simple(Start::new(), flags, template).await.unwrap();
    let a = top.start_child("a".to_owned()).await.unwrap().pid().unwrap();
    let b = top.start_child("b".to_owned()).await.unwrap().pid().unwrap();
    broken.store(true, Ordering::SeqCst);
    end(a, error()).await;
    crate::wait::next::<()>().await;
    let states: Vec<_> = which(&top).await.into_iter().map(|child| child.child).collect();
    assert_eq!(states, [ChildState::Running(b), ChildState::Restarting]);
}

/// Counts the values that live.
struct Counted(Arc<()>);

impl Clone for Counted {
    fn clone(&self) -> Counted {
        Counted(self.0.clone())
    }
}

/// SUP-9: the memory check counts what the start functions hold.
#[fika::test(workers = 2)]
async fn do_not_save_start_parameters_for_temporary_children() {
    let top = top(SupFlags::one_for_one(), vec![]).await;
    let large = Counted(Arc::new(()));
    for (n, restart) in [Restart::Temporary, Restart::Permanent].into_iter().enumerate() {
        for i in 0..10 {
            let held = large.clone();
            let start = move || {
                let _used = &held;
                async { spawn_link(child()) }
            };
            top.start_child(ChildSpec::new(10 * n + i, start).restart(restart)).await.unwrap();
        }
        // The supervisor may answer before it has dropped the function.
        assert_eq!(count(&top).await[0], 10 * (n + 1));
        assert_eq!(Arc::strong_count(&large.0), 1 + 10 * n);
    }
}

/// SUP-9, SUP-19: the specification of a temporary child is removed when the child ends, for any
/// reason.
#[fika::test(workers = 2)]
async fn do_not_save_child_specs_for_temporary_children() {
    let flags = SupFlags::one_for_one();
    let temporary = || worker("t").restart(Restart::Temporary);
    let top = top(flags, vec![temporary()]).await;
    let mut pid = up_of("t").await;
    for reason in [ExitReason::Normal, error(), ExitReason::Killed] {
        end(pid, reason).await;
        assert_eq!(count(&top).await, [0; 4]);
        let gone = top.delete_child("t").await;
        assert!(matches!(gone, Err(ChildError::NotFound { .. })));
        pid = top.start_child(temporary()).await.unwrap().pid().unwrap();
        assert_eq!(up_of("t").await, pid);
    }
    top.terminate_child("t").await.unwrap();
    assert_eq!(count(&top).await, [0; 4]);
}

/// Requests are answered while a child's end takes its time, and a request about that child waits.
#[fika::test(workers = 2)]
async fn answers_while_a_child_ends() {
    let slow = stubborn_worker("slow").shutdown(Shutdown::Infinity);
    let sup = top(SupFlags::one_for_one(), vec![worker("a"), slow]).await;
    let (_, slow) = (up_of("a").await, up_of("slow").await);
    let (me, by_other) = (self_pid(), sup.clone());
    spawn_link(async move {
        by_other.terminate_child("slow").await.unwrap();
        send(me, "terminated".to_owned());
    });
    while which(&sup).await[0].child == ChildState::Stopped {}
    let (me, by_other) = (self_pid(), sup.clone());
    sup.start_child(worker("b")).await.unwrap();
    sup.terminate_child("a").await.unwrap();
    spawn_link(async move {
        by_other.delete_child("slow").await.unwrap();
        send(me, "deleted".to_owned());
    });
    assert_eq!(count(&sup).await[0], 3);
    assert!(has_none::<String>().await);
    end(slow, ExitReason::Shutdown).await;
    let mut done = [crate::wait::next::<String>().await, crate::wait::next::<String>().await];
    done.sort();
    assert_eq!(done, ["deleted", "terminated"]);
    assert_eq!(count(&sup).await, [2, 1, 0, 2]);
}
