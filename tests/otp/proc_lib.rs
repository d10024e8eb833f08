//! `proc_lib_SUITE`: processes that report when they are ready.

use fika::inspect::{info, set_label};
use fika::prelude::*;
use fika::proc_lib::{self, InitAck, Start, StartError};
use fika::process::{Priority, spawn_monitor_on};

use crate::support::process::OsNode;
use crate::support::{Place, until};
use crate::wait::{down, end_of, exit_from, has_none, next};

/// Acknowledges after it was told to.
async fn child(ack: InitAck<u64>, owner: Pid) {
    send(owner, self_pid());
    receive! { n: u64 => ack.ok(n) }
    receive! { reason: ExitReason => exit(reason) }
}

/// Runs the start in a process, and checks that it returns only after the acknowledgement. Returns the
/// child.
async fn assert_waits<F>(start: F) -> Pid
where
    F: Future<Output = u64> + Send + 'static,
{
    let me = self_pid();
    let starter = spawn(async move {
        trap_exit(true);
        let n = start.await;
        send(me, n);
        // It gets what comes of the child.
        loop {
            receive! {
                exit: Exit => send(me, exit),
                down: Down => send(me, down),
            }
        }
    });
    let child: Pid = next().await;
    for _ in 0..100 {
        fika::process::yield_now().await;
    }
    assert!(has_none::<u64>().await, "not before the acknowledgement");
    send(child, 7_u64);
    assert_eq!(next::<u64>().await, 7);
    assert_eq!(proc_lib::ancestors(child), Some(vec![starter]));
    child
}

/// PL-1: `start` waits for the acknowledgement.
#[fika::test(workers = 2)]
async fn sync_start_nolink() {
    let me = self_pid();
    let pid = assert_waits(async move {
        proc_lib::start(Start::new(), move |ack| child(ack, me)).await.unwrap().1
    });
    let pid = pid.await;
    let watch = monitor(pid);
    send(pid, ExitReason::Shutdown);
    assert_eq!(down(watch).await, ExitReason::Shutdown);
    assert!(has_none::<Exit>().await && has_none::<Down>().await);
}

/// PL-1: `start_link` waits for the acknowledgement.
#[fika::test(workers = 2)]
async fn sync_start_link() {
    let me = self_pid();
    let pid = assert_waits(async move {
        proc_lib::start_link(Start::new(), move |ack| child(ack, me)).await.unwrap().1
    });
    let pid = pid.await;
    send(pid, ExitReason::Shutdown);
    let exit = next::<Exit>().await;
    assert_eq!((exit.from, exit.reason), (pid, ExitReason::Shutdown));
}

/// PL-1, MON-15: `start_monitor` waits for the acknowledgement; the `Down` comes later, and no `Exit`.
#[fika::test(workers = 2)]
async fn sync_start_monitor() {
    let me = self_pid();
    let pid = assert_waits(async move {
        proc_lib::start_monitor(Start::new(), move |ack| child(ack, me)).await.unwrap().1
    });
    let pid = pid.await;
    send(pid, ExitReason::Shutdown);
    let down = next::<Down>().await;
    assert_eq!(down.reason, ExitReason::Shutdown, "also if it ends at once: the monitor is older");
    assert!(has_none::<Exit>().await);
    let ends = |ack: InitAck<()>| async move {
        ack.ok(());
        exit(ExitReason::Shutdown)
    };
    for _ in 0..100 {
        let (_, (), watch) = proc_lib::start_monitor(Start::new(), ends).await.unwrap();
        assert_eq!(crate::wait::down(watch).await, ExitReason::Shutdown);
    }
}

/// PL-4: a start that takes too long kills the child, and leaves no `Exit` and no `Down`.
#[fika::test(workers = 2)]
async fn sync_start_timeout() {
    trap_exit(true);
    let hangs = |ack: InitAck<()>| async move {
        trap_exit(true);
        let _ack = ack;
        std::future::pending::<()>().await;
    };
    let opts = || Start::name("hangs").timeout(millis(10));
    let late = [
        proc_lib::start(opts(), hangs).await.map(drop).unwrap_err(),
        proc_lib::start_link(opts(), hangs).await.map(drop).unwrap_err(),
        proc_lib::start_monitor(opts(), hangs).await.map(drop).unwrap_err(),
    ];
    assert_eq!(late, [StartError::Timeout, StartError::Timeout, StartError::Timeout]);
    assert_eq!(whereis("hangs"), None);
    assert!(has_none::<Exit>().await && has_none::<Down>().await);
}

/// PL-2, PL-5: a child that ends before it acknowledges does not hang its starter, whatever the
/// reason. The starter gets no `Exit`, and does not end because of it.
#[fika::test(workers = 2)]
async fn init_dont_hang() {
    trap_exit(true);
    let reasons =
        [ExitReason::Normal, ExitReason::Shutdown, ExitReason::term(7_u64), ExitReason::Kill];
    for reason in reasons {
        let dies = {
            let reason = reason.clone();
            move |ack: InitAck<()>| async move {
                let _ack = ack;
                // `exit(kill)` of the process itself has the reason `kill`.
                exit(reason)
            }
        };
        let expected = StartError::Failed(reason);
        let failed = proc_lib::start(Start::name("dies"), dies.clone()).await;
        assert_eq!(failed.unwrap_err(), expected);
        let failed = proc_lib::start_link(Start::name("dies"), dies.clone()).await;
        assert_eq!(failed.unwrap_err(), expected);
        let failed = proc_lib::start_monitor(Start::name("dies"), dies).await;
        assert_eq!(failed.map(drop).unwrap_err(), expected);
        assert_eq!(whereis("dies"), None);
    }
    let returns = |ack: InitAck<()>| async move { drop(ack) };
    let failed = proc_lib::start_link(Start::new(), returns).await.unwrap_err();
    assert_eq!(failed, StartError::Failed(ExitReason::Normal));
    let panics = |ack: InitAck<()>| async move {
        let _ack = ack;
        panic!("as asked")
    };
    let failed = proc_lib::start_link::<(), _, _>(Start::new(), panics).await.unwrap_err();
    assert!(matches!(failed, StartError::Failed(ExitReason::Panic(_))), "{failed}");
    // It drops the acknowledgement, and ends later.
    let forgets = |ack: InitAck<()>| async move {
        drop(ack);
        fika::process::yield_now().await;
        exit(ExitReason::Shutdown)
    };
    let failed = proc_lib::start_link(Start::new(), forgets).await.unwrap_err();
    assert_eq!(failed, StartError::Failed(ExitReason::Shutdown));
    let forgets = |ack: InitAck<()>| async move {
        drop(ack);
        std::future::pending::<()>().await;
    };
    let opts = Start::new().timeout(millis(10));
    let failed = proc_lib::start_link(opts, forgets).await.unwrap_err();
    assert_eq!(failed, StartError::Timeout);
    let killed = |ack: InitAck<()>| async move {
        let _ack = ack;
        exit_process(self_pid(), ExitReason::Kill);
        std::future::pending::<()>().await;
    };
    let failed = proc_lib::start_link(Start::new(), killed).await.unwrap_err();
    assert_eq!(failed, StartError::Failed(ExitReason::Killed));

    // PL-3: `init_fail` returns any error, when the child has ended and its name is free.
    for _ in 0..100 {
        let fails = |ack: InitAck<()>| async move {
            proc_lib::init_fail(ack, StartError::Ignored, ExitReason::Shutdown).await
        };
        let failed = proc_lib::start_link(Start::name("fails"), fails).await.unwrap_err();
        assert_eq!((failed, whereis("fails")), (StartError::Ignored, None));
    }
    assert!(has_none::<Exit>().await && has_none::<Down>().await);
    let survivor = end_of(async move {
        proc_lib::start_link::<(), _, _>(Start::new(), panics).await.unwrap_err();
    });
    assert_eq!(survivor.await, ExitReason::Normal, "a starter that does not trap exits");
}

/// PL-6, INFO-4: the options of a process, and the function that it was started with.
#[fika::test(workers = 2)]
async fn spawn_opt() {
    let opts = Start::name("with options").priority(Priority::High);
    let (pid, ()) = proc_lib::start(opts, initial).await.unwrap();
    assert_eq!(info::priority(pid).await, Some(Priority::High));
    assert_eq!(whereis("with options"), Some(pid));
    let function = proc_lib::initial_call(pid).unwrap();
    assert!(function.ends_with("proc_lib::initial"), "{function}");
    // Not one of this module's.
    let plain = spawn(std::future::pending::<()>());
    assert_eq!((proc_lib::initial_call(plain), proc_lib::ancestors(plain)), (None, None));
    // Ancestors of a child of a child.
    let me = self_pid();
    let nested = move |ack: InitAck<()>| async move {
        let (inner, ()) = proc_lib::start_link(Start::new(), initial).await.unwrap();
        ack.ok(());
        send(me, inner);
        std::future::pending::<()>().await;
    };
    let (outer, ()) = proc_lib::start(Start::new(), nested).await.unwrap();
    let inner: Pid = next().await;
    assert_eq!(proc_lib::ancestors(inner), Some(vec![outer, me]));
    let watch = monitor(outer);
    exit_process(outer, ExitReason::Kill);
    down(watch).await;
    until_gone(inner).await;
}

/// Waits until nothing is known of a process that ends with its parent.
async fn until_gone(pid: Pid) {
    crate::support::until_in_process("it is gone", || proc_lib::ancestors(pid).is_none()).await;
}

async fn initial(ack: InitAck<()>) {
    ack.ok(());
    std::future::pending::<()>().await;
}

/// A child that fails in the way that a message names.
async fn crashing(ack: InitAck<()>) -> Result<(), String> {
    ack.ok(());
    let order = receive! {
        order: String => order,
        reason: ExitReason => exit(reason),
    };
    match order.as_str() {
        "panic" => panic!("it panics as asked"),
        "return" => Err("it returns an error as asked".to_owned()),
        _ => {
            fika::process::hibernate().await;
            receive! { _: String => panic!("it panics after it hibernated") }
        }
    }
}

/// Starts a child that is linked to a neighbour, and waits for the ends of both.
#[remote(name = "test::proc_lib_parent")]
async fn parent_there(owner: Pid) {
    trap_exit(true);
    let (neighbour, ()) =
        proc_lib::start_link(Start::name("the neighbour"), initial).await.unwrap();
    let child = move |ack| async move {
        link(neighbour);
        set_label("labelled 17");
        crashing(ack).await
    };
    let (pid, ()) = proc_lib::start_link(Start::name("the child"), child).await.unwrap();
    send(owner, pid);
    exit_from(pid).await;
    exit_from(neighbour).await;
}

fn report_of(there: &OsNode, pid: Pid) -> Option<String> {
    let mention = format!("pid={pid} ");
    let is_meant = |line: &&str| line.contains(&mention) && line.contains("ended by an error");
    there.log().lines().find(is_meant).map(str::to_owned)
}

/// Lets a child on that node end as ordered. Returns its parent, its pid and its reason.
async fn end_on(there: &OsNode, order: impl Message) -> (Pid, Pid, ExitReason) {
    let (parent, watch) = spawn_monitor_on(&there.name, parent_there(self_pid())).await;
    let pid: Pid = next().await;
    let ended = monitor(pid);
    send(pid, order);
    let reason = down(ended).await;
    assert_eq!(down(watch).await, ExitReason::Normal);
    (parent, pid, reason)
}

/// PL-6, PROC-13: the report of a crash has the reason, the name, the label, the function, ancestors,
/// links and neighbours. There is none for `normal` and `shutdown`.
#[test]
fn crash() {
    let place = Place::new();
    let there = place.os("there").start();
    place.node("here").block_on(async move {
        for (order, part) in
            [("panic", "it panics as asked"), ("return", "it returns an error as asked")]
        {
            let (parent, pid, reason) = end_on(&there, order.to_owned()).await;
            assert!(reason.to_string().contains(part), "{reason}");
            until("it is reported", || report_of(&there, pid).is_some());
            let report = report_of(&there, pid).unwrap();
            let ancestors = format!("ancestors=[{parent}]");
            for part in
                [part, "the child", "labelled 17", "proc_lib", &ancestors, "(the neighbour)"]
            {
                assert!(report.contains(part), "{part}: {report}");
            }
            assert_eq!(there.logged("a panic ended a process"), 0, "once is enough");
        }
        let orderly =
            [ExitReason::Shutdown, ExitReason::ShutdownWith(fika::message::Term::new(&1_u64))];
        for ends in orderly {
            let (_, pid, reason) = end_on(&there, ends.clone()).await;
            assert_eq!((reason, report_of(&there, pid)), (ends, None));
        }
    });
}

/// INFO-2, PL-6: a process that has hibernated is reported as any other.
#[test]
fn hibernate() {
    let place = Place::new();
    let there = place.os("there").start();
    place.node("here").block_on(async move {
        let (parent, watch) = spawn_monitor_on(&there.name, parent_there(self_pid())).await;
        let pid: Pid = next().await;
        let ended = monitor(pid);
        send(pid, "hibernate".to_owned());
        send(pid, "wake".to_owned());
        assert!(down(ended).await.to_string().contains("it panics after it hibernated"));
        down(watch).await;
        until("it is reported", || report_of(&there, pid).is_some());
        let report = report_of(&there, pid).unwrap();
        for part in ["the child", "labelled 17", &parent.to_string()] {
            assert!(report.contains(part), "{part}: {report}");
        }
    });
}
