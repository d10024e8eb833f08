//! How supervisors end their children, and themselves.

use std::sync::{Arc, Mutex};

use fika::gen_server::Start;
use fika::inspect::is_process_alive;
use fika::prelude::*;
use fika::process::unlink;
use fika::supervisor::{self, ChildSpec, Shutdown, SupFlags, Template};
use fika::sys;

use crate::supervisor::*;
use crate::wait::{exit_from, has_none};

/// Ends a supervisor as its parent would.
async fn shut_down(top: &ServerRef<Supervisor>) -> ExitReason {
    let pid = pid_of(top);
    exit_process(pid, ExitReason::Shutdown);
    exit_from(pid).await
}

/// SUP-6, SUP-7: all are waited for, in reverse order.
#[fika::test(workers = 2)]
async fn sup_stop_infinity() {
    let (me, started) = (self_pid(), Arc::new(Mutex::new(Vec::<Pid>::new())));
    let slow = |id: &'static str| {
        let started = started.clone();
        let start = move || {
            let (started, seen) = (started.clone(), started.clone());
            async move {
                let pid = spawn_link(async move {
                    trap_exit(true);
                    announce(me, id, self_pid());
                    receive! { Exit { .. } => {} }
                    let pids = seen.lock().unwrap().clone();
                    for later in pids.into_iter().skip_while(|pid| *pid != self_pid()).skip(1) {
                        assert!(!is_process_alive(later).await, "{later} was started after {id}");
                    }
                    send(me, id.to_owned());
                    receive! { Stop(reason) => exit(reason) }
                });
                started.lock().unwrap().push(pid);
                pid
            }
        };
        ChildSpec::new(id, start).shutdown(Shutdown::Infinity)
    };
    let top = top(SupFlags::one_for_one(), vec![slow("a"), slow("b"), slow("c")]).await;
    for _ in 0..3 {
        up().await;
    }
    let children = started.lock().unwrap().clone();
    let pid = pid_of(&top);
    exit_process(pid, ExitReason::Shutdown);
    for (left, id) in [(3, "c"), (2, "b"), (1, "a")] {
        assert_eq!(crate::wait::next::<String>().await, id);
        assert_eq!(count(&top).await[1], left);
        assert!(has_none::<Exit>().await);
        end(children[left - 1], ExitReason::Shutdown).await;
    }
    assert_eq!(exit_from(pid).await, ExitReason::Shutdown);
}

/// SUP-7: a child that does not end within its shutdown time is killed.
#[fika::test(workers = 2)]
async fn sup_stop_timeout() {
    let timeout = Shutdown::Timeout(millis(20));
    let specs = vec![worker("polite").shutdown(timeout), stubborn_worker("rude").shutdown(timeout)];
    let top = top(SupFlags::one_for_one(), specs).await;
    let watches = [monitor(up_of("polite").await), monitor(up_of("rude").await)];
    assert_eq!(shut_down(&top).await, ExitReason::Shutdown);
    assert_eq!(down(watches[0]).await, ExitReason::Shutdown);
    assert_eq!(down(watches[1]).await, ExitReason::Killed);
}

/// SUP-7: a child with `BrutalKill` is killed without waiting.
#[fika::test(workers = 2)]
async fn sup_stop_brutal_kill() {
    let specs = vec![worker("a"), stubborn_worker("b").shutdown(Shutdown::BrutalKill)];
    let top = top(SupFlags::one_for_one(), specs).await;
    let watches = [monitor(up_of("a").await), monitor(up_of("b").await)];
    assert_eq!(shut_down(&top).await, ExitReason::Shutdown);
    assert_eq!(down(watches[0]).await, ExitReason::Shutdown);
    assert_eq!(down(watches[1]).await, ExitReason::Killed);
}

/// SUP-23: a simple supervisor kills all its children with `BrutalKill`.
#[fika::test(workers = 2)]
async fn sup_stop_brutal_kill_dynamic() {
    trap_exit(true);
    let me = self_pid();
    let template = Template::new(move |()| async move { spawn_link(stubborn(me, "s")) });
    let template = template.shutdown(Shutdown::BrutalKill);
    let flags = SupFlags::one_for_one();
    let top = supervisor::start_link_simple(Start::new(), flags, template).await.unwrap();
    let mut watches = Vec::new();
    for _ in 0..100 {
        top.start_child(()).await.unwrap();
        watches.push(monitor(up_of("s").await));
    }
    exit_process(pid_of(&top), ExitReason::Shutdown);
    assert_eq!(exit_from(pid_of(&top)).await, ExitReason::Shutdown);
    for watch in watches {
        assert_eq!(down(watch).await, ExitReason::Killed);
    }
}

/// SUP-29: `sys::terminate` ends the children of a supervisor, and then it with the given reason.
#[fika::test(workers = 2)]
async fn sup_stop_manual() {
    let top = top(SupFlags::one_for_one(), vec![worker("a")]).await;
    let watch = monitor(up_of("a").await);
    sys::terminate(&top, error()).await.unwrap();
    assert_eq!(exit_from(pid_of(&top)).await, error());
    assert_eq!(down(watch).await, ExitReason::Shutdown);
}

/// SUP-29, PL-7: the caller gives up, and the end goes on.
#[fika::test(workers = 2)]
async fn sup_stop_manual_timeout() {
    let spec = stubborn_worker("a").shutdown(Shutdown::Infinity);
    let top = top(SupFlags::one_for_one(), vec![spec]).await;
    let child = up_of("a").await;
    let watch = monitor(pid_of(&top));
    sys::terminate(&top, ExitReason::Normal).await.unwrap();
    let waited = receive! { Down { .. } => true, after millis(20) => false };
    assert!(!waited, "the child does not end");
    end(child, ExitReason::Shutdown).await;
    assert_eq!(down(watch).await, ExitReason::Normal);
}

/// SUP-29, GS-20: an idle supervisor hibernates, and wakes for a request and the end of a child.
#[fika::test(workers = 2)]
async fn auto_hibernate() {
    trap_exit(true);
    let opts = Start::new().hibernate_after(millis(10));
    let top = supervisor::start_link(opts, SupFlags::one_for_one(), [worker("a")]).await.unwrap();
    let child = up_of("a").await;
    sleep(millis(30)).await;
    // It wakes up for a request, and for the end of a child.
    assert_eq!(count(&top).await, [1, 1, 0, 1]);
    sleep(millis(30)).await;
    end(child, error()).await;
    up_of("a").await;
    assert_eq!(count(&top).await, [1, 1, 0, 1]);
}

/// SUP-8: a child that has unlinked itself from its supervisor can be terminated.
#[fika::test(workers = 2)]
async fn child_unlink() {
    let me = self_pid();
    let spec = ChildSpec::new("a", move || async move {
        let parent = self_pid();
        let child = spawn_link(async move {
            unlink(parent);
            send(me, ());
            child().await;
        });
        announce(me, "a", child)
    });
    let top = top(SupFlags::one_for_one(), vec![spec.shutdown(Shutdown::Infinity)]).await;
    let child = up_of("a").await;
    crate::wait::next::<()>().await;
    let watch = monitor(child);
    assert!(top.terminate_child("a").await.is_ok());
    assert_eq!(down(watch).await, ExitReason::Shutdown);
    // A child that has unlinked itself and is dead already can be terminated, too.
    let dead = top.restart_child("a").await.unwrap().pid().unwrap();
    crate::wait::next::<()>().await;
    end(dead, error()).await;
    assert!(top.terminate_child("a").await.is_ok());
    assert_eq!(count(&top).await, [1, 0, 0, 1]);
}

/// SUP-15, without an application: a tree that gives up ends the tree above it in order.
#[fika::test(workers = 2)]
async fn faulty_application_shutdown() {
    let me = self_pid();
    let inner = move || {
        let start = move || async move { announce(me, "faulty", spawn_link(child())) };
        let flags = SupFlags::one_for_one().intensity(1);
        supervisor::start_link(Start::new(), flags, [ChildSpec::new("faulty", start)])
    };
    let flags = SupFlags::one_for_one().intensity(0);
    let specs = vec![worker("first"), ChildSpec::supervisor("inner", inner), worker("last")];
    let top = top(flags, specs).await;
    let first = monitor(up_of("first").await);
    let faulty = up_of("faulty").await;
    let last = monitor(up_of("last").await);
    end(faulty, error()).await;
    end(up_of("faulty").await, error()).await;
    assert_eq!(exit_from(pid_of(&top)).await, ExitReason::Shutdown);
    assert_eq!(down(last).await, ExitReason::Shutdown);
    assert_eq!(down(first).await, ExitReason::Shutdown);
    nobody_up().await;
}
