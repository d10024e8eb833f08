//! Waiting in a destructor of a process that has ended, or that a panic or an `exit` unwinds: the
//! process ends.
#![deny(warnings)]

use crate::wait;

use std::pin::Pin;

use fika::inspect::{Item, Status, is_process_alive, process_info, suspend_process};
use fika::message::{
    Local, MailboxLimit, Reference, WhenFull, mailbox_limit, make_ref, send_timeout, send_wait,
};
use fika::net::{Ping as PingAnswer, ping};
use fika::prelude::*;
use fika::process::{spawn_blocking, yield_now};
use fika::timer;
use futures_lite::future;

use wait::{LIMIT, end_of, next, serve};

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

fn task(future: impl Future<Output = ()> + Send + 'static) -> Task {
    Box::pin(future)
}

/// Waits for its task when it is dropped.
struct Waits(Option<Task>);

impl Drop for Waits {
    fn drop(&mut self) {
        future::block_on(self.0.take().expect("it is dropped once"));
    }
}

/// The ways in which a process ends.
#[derive(Clone, Copy, Debug)]
enum End {
    /// A message that is left in the mailbox waits for the task.
    Returns,
    Killed,
    /// The process is killed in the middle of a receive.
    KilledInReceive,
    Exits,
    Panics,
}

/// Returns the reason of a process whose destructor waits for this task, if the process ends in
/// time.
async fn end_with(end: End, task: Task) -> ExitReason {
    let (ready, starter) = (make_ref(), self_pid());
    let body = async move {
        let waits = Waits(Some(task));
        send(starter, ready);
        match end {
            End::Returns => return send(self_pid(), Local(waits)),
            End::Killed => std::future::pending::<()>().await,
            End::KilledInReceive => receive! { _: i8 => {} },
            End::Exits => exit(ExitReason::Shutdown),
            End::Panics => panic!("on request"),
        }
        drop(waits);
    };
    let (pid, monitor) = spawn_monitor(body);
    assert_eq!(next::<Reference>().await, ready);
    if let End::Killed | End::KilledInReceive = end {
        exit_process(pid, ExitReason::Kill);
    }
    wait::down(monitor).await
}

fn long_sleep() -> Task {
    task(sleep(secs(3600)))
}

fn receive_with_limit() -> Task {
    task(async {
        receive! { _: i8 => panic!("there is none"), after secs(3600) => {} }
    })
}

fn receive_without_limit() -> Task {
    task(async {
        receive! { _: i8 => {} }
    })
}

/// Returns all waits that can end with a result when they are cut short.
fn waits(pid: Pid, full: Pid) -> Vec<(&'static str, Task)> {
    vec![
        ("sleep", long_sleep()),
        ("receive! with a limit", receive_with_limit()),
        ("timeout", {
            task(async {
                assert!(timeout(secs(3600), std::future::pending::<()>()).await.is_err());
            })
        }),
        ("yield_now", task(yield_now())),
        ("run_until_stopped", task(self_node().run_until_stopped())),
        ("send_timeout", {
            task(async move { drop(send_timeout(full, 1_u64, secs(3600)).await) })
        }),
        ("info::links", task(async move { drop(fika::inspect::info::links(pid).await) })),
        ("hibernate", task(fika::process::hibernate())),
        ("send_wait", task(async move { drop(send_wait(full, 1_u64).await) })),
        ("process_info", task(async move { drop(process_info(pid, &[Item::Status]).await) })),
        (
            "is_process_alive",
            task(async move {
                let _ = is_process_alive(pid).await;
            }),
        ),
        (
            "suspend_process",
            task(async move {
                let _ = suspend_process(pid).await;
            }),
        ),
        ("ping", task(async { assert_eq!(ping("b@127.0.0.1").await, PingAnswer::Pang) })),
        ("timer::cancel", {
            task(async {
                let timer = timer::apply_after(secs(3600), async {});
                if let Ok(timer) = timer {
                    let _ = timer::cancel(timer).await;
                }
            })
        }),
    ]
}

/// Returns a process whose mailbox is full, and stays so.
async fn full() -> Pid {
    let me = self_pid();
    let pid = spawn(async move {
        mailbox_limit(MailboxLimit::messages(1).when_full(WhenFull::Wait));
        send(me, ());
        std::future::pending::<()>().await;
    });
    next::<()>().await;
    send(pid, 1_u64);
    pid
}

async fn destructors_end() {
    let (pid, full) = (spawn(serve()), full().await);
    for end in [End::Returns, End::Killed, End::KilledInReceive, End::Exits, End::Panics] {
        for (name, task) in waits(pid, full) {
            assert_end(end, task, name).await;
        }
    }
    assert_ne!(fika::inspect::info::status(pid).await, Some(Status::Suspended));
    // A wait that has no value to end with is left, as by a panic.
    for end in [End::Returns, End::Killed, End::KilledInReceive] {
        let call = task(async { spawn_blocking(|| {}).await });
        for (name, task) in [("receive!", receive_without_limit()), ("spawn_blocking", call)] {
            assert_end(end, task, name).await;
        }
    }
    // A wait during unwinding can't be left, but the call can be made in place.
    for end in [End::Exits, End::Panics] {
        let call = task(async { assert_eq!(spawn_blocking(|| 7).await, 7) });
        assert_end(end, call, "spawn_blocking").await;
    }
}

async fn assert_end(end: End, task: Task, name: &str) {
    let expected = match end {
        End::Returns => "normal",
        End::Killed | End::KilledInReceive => "killed",
        End::Exits => "shutdown",
        End::Panics => "panic: on request at tests/runtime/waiting.rs",
    };
    let reason = end_with(end, task).await.to_string();
    assert!(reason.starts_with(expected), "{name}, {end:?}: {reason}");
}

#[fika::test(workers = 2)]
async fn a_destructor_of_an_ended_process_does_not_wait() {
    destructors_end().await;
}

/// A destructor in a simulation does not wait either: nothing else would run meanwhile, and no time
/// would pass.
#[fika::test(sim)]
async fn a_destructor_in_a_simulation_does_not_wait() {
    destructors_end().await;
}

/// The destructor waits for a call that had begun before, since that call will end.
#[fika::test(workers = 2)]
async fn a_destructor_during_unwinding_waits_for_a_running_call() {
    for end in [End::Exits, End::Panics] {
        let (tx, rx) = std::sync::mpsc::channel();
        let call = spawn_blocking(move || rx.recv());
        let process = task(async move {
            tx.send(7).unwrap();
            assert_eq!(call.await, Ok(7));
        });
        assert_end(end, process, "a call").await;
    }
}

/// A `receive!` without a limit has no result for this case, and can't be left during unwinding.
/// Its thread is lost, but all others see the process end, and the rest of the node continues.
#[test]
fn an_endless_receive_during_unwinding_loses_only_its_thread() {
    let node = Node::builder().workers(2).build().unwrap();
    node.block_on(async {
        for (end, reason) in [(End::Exits, "shutdown"), (End::Panics, "panic: on request at ")] {
            let (started, starter) = (make_ref(), self_pid());
            let body = async move {
                trap_exit(true);
                register("waits", self_pid()).unwrap();
                let _waits = Waits(Some(receive_without_limit()));
                send(starter, started);
                receive! { (): () => {} }
                match end {
                    End::Exits => exit(ExitReason::Shutdown),
                    _ => panic!("on request"),
                }
            };
            let (pid, ends) = spawn_monitor(body);
            assert_eq!(next::<Reference>().await, started);
            send(pid, ());
            let down = wait::down(ends).await.to_string();
            assert!(down.starts_with(reason), "{down}");
            assert_eq!(whereis("waits"), None);
            assert!(!is_process_alive(pid).await);
            assert_eq!(wait::down(monitor(pid)).await, ExitReason::Noproc);
        }
    });
}

/// Panics when it is dropped.
struct Panics;

impl Drop for Panics {
    fn drop(&mut self) {
        panic!("a destructor");
    }
}

/// A process has ended, one of its destructors panics, and another one waits: the first reason
/// counts, unless it was orderly. Then it is the panic.
#[test]
fn the_exit_reason_survives_a_waiting_destructor() {
    type Values = Option<(Panics, Waits)>;
    let values = || Some((Panics, Waits(Some(receive_without_limit()))));
    let local = || (values(), None::<Local<Values>>);
    let message = || (None, Some(Local(values())));
    let panicked = "panic: a destructor at ";
    let cases = [
        (local(), ExitReason::Kill, "killed"),
        (local(), ExitReason::Shutdown, panicked),
        (message(), ExitReason::Kill, "killed"),
    ];
    let node = Node::builder().workers(2).build().unwrap();
    node.block_on(async {
        for ((local, message), reason, expected) in cases {
            let (pid, ends) = spawn_monitor(async move {
                let _local = local;
                receive! { (): () => {} }
            });
            message.into_iter().for_each(|message| send(pid, message));
            until_looked_at(pid).await;
            exit_process(pid, reason);
            let down = wait::down(ends).await.to_string();
            assert!(down.starts_with(expected), "{down}");
            assert_eq!(wait::down(monitor(pid)).await, ExitReason::Noproc);
        }
    });
}

/// Waits until a process waits for a message.
async fn until_looked_at(pid: Pid) {
    while fika::inspect::info::status(pid).await != Some(Status::Waiting) {
        yield_now().await;
    }
}

/// A destructor needs no budget: the turn's budget is used up, and nothing gives it another one.
#[fika::test(workers = 3)]
async fn a_destructor_during_unwinding_needs_no_budget() {
    let end = end_of(async {
        let _waits = Waits(Some(task(sleep(millis(1)))));
        fika::inspect::bump_reductions(10_000);
        exit(ExitReason::Shutdown)
    });
    assert_eq!(timeout(LIMIT, end).await, Ok(ExitReason::Shutdown));
}
