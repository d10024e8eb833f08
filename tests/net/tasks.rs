//! Tasks on other nodes.
#![deny(warnings)]

use crate::support;

use fika::gen_server::Start;
use fika::message::Bytes;
use fika::prelude::*;
use fika::process::SpawnError;
use fika::task::{Task, TaskSupervisor};
use futures_lite::future::poll_once;

use support::unknown::Unknown;
use support::{LIMIT, Place, down, until_in_process};

#[remote]
async fn double(n: u64) -> u64 {
    2 * n
}

/// A value with pids of both nodes.
#[message]
#[derive(PartialEq, Debug)]
struct Met {
    task: Pid,
    owner: Pid,
    node: String,
}

#[remote]
async fn introduce(owner: Pid) -> Met {
    Met { task: self_pid(), owner, node: self_node().name().as_str().to_owned() }
}

#[remote]
async fn parse(text: String) -> Result<u64, std::num::ParseIntError> {
    text.parse()
}

#[remote]
async fn panics() -> u64 {
    panic!("a mistake")
}

#[remote]
async fn exits() {
    exit(ExitReason::Timeout)
}

#[remote]
async fn large(bytes: usize) -> Bytes {
    vec![7; bytes].into()
}

/// Tells its pid, and waits until it gets a number.
#[remote]
async fn waits(to: Pid) -> u64 {
    send(to, self_pid());
    receive! { n: u64 => n }
}

/// A value whose type is not a message.
struct Unsent;

impl fika::process::Ignored for Unsent {}

#[remote]
async fn unsent() -> Unsent {
    Unsent
}

/// A value comes back from the other node, with its pids. A function that returns a `Result`
/// returns its value, or ends the task.
#[test]
fn the_value_comes_back() {
    let place = Place::new();
    let _program = place.os("b").start();
    let here = place.node("a");
    here.block_on(async move {
        let b = place.name("b");
        assert_eq!(Task::spawn_on(&b, double(21)).await.unwrap().await, Ok(42));
        let task = Task::spawn_on(&b, introduce(self_pid())).await.unwrap();
        let there = task.pid();
        assert_ne!(there.node(), self_pid().node());
        let met = Met { task: there, owner: self_pid(), node: b.clone() };
        assert_eq!(task.await, Ok(met));

        assert_eq!(Task::spawn_on(&b, parse("7".into())).await.unwrap().await, Ok(7));
        let error = Task::spawn_on(&b, parse("x".into())).await.unwrap().await.unwrap_err();
        assert!(error.to_string().contains("invalid digit"), "{error}");

        let bytes = Task::spawn_on(&b, large(4 << 20)).await.unwrap().await.unwrap();
        assert_eq!((bytes.len(), bytes[0]), (4 << 20, 7));

        // Many at the same time.
        let mut tasks = Vec::new();
        for n in 0..100 {
            tasks.push(Task::spawn_on(&b, double(n)).await.unwrap());
        }
        for (n, task) in tasks.into_iter().enumerate().rev() {
            assert_eq!(task.within(LIMIT).await, Ok(2 * n as u64));
        }
        // Nothing has come to the mailbox.
        receive! { message => panic!("{message:?}"), after Duration::ZERO => {} }
    });
}

/// The reasons for which a task has no value, each as the result of the task.
#[test]
fn a_task_that_fails_says_why() {
    let place = Place::new();
    let program = place.os("b").start();
    let here = place.node("a");
    here.block_on(async move {
        let b = place.name("b");
        let failed = Task::spawn_on(&b, panics()).await.unwrap().await.unwrap_err();
        assert!(failed.to_string().contains("a mistake"), "{failed}");
        // The report names the function, not the code that runs it.
        program.await_log("fika::panics", 1);
        let failed = Task::spawn_on(&b, exits()).await.unwrap().await;
        assert_eq!(failed, Err(ExitReason::Timeout));
        let task = Task::spawn_on(&b, waits(self_pid())).await.unwrap();
        exit_process(next!(Pid), ExitReason::Kill);
        assert_eq!(task.await, Err(ExitReason::Killed));

        // A function that the other node does not have, and a node that can't be reached.
        let unknown = Task::<()>::spawn_on(&b, Unknown).await;
        assert_eq!(unknown.unwrap_err(), SpawnError::Notsup);
        program.await_log("test::no_such_function", 1);
        let nowhere = Task::spawn_on(place.name("nobody"), double(1)).await;
        assert_eq!(nowhere.unwrap_err(), SpawnError::Noconnection);
        // The function of this node is found before anything is sent.
        let unknown = Task::<()>::spawn_on(place.name("a"), Unknown).await.unwrap().await;
        assert!(unknown.unwrap_err().to_string().contains("no_such_function"));
    });
}

#[test]
fn a_lost_node_ends_the_wait() {
    let place = Place::new();
    let mut program = place.os("b").start();
    let here = place.node("a");
    here.block_on(async move {
        let b = place.name("b");
        let mut task = Task::spawn_on(&b, waits(self_pid())).await.unwrap();
        assert_eq!(next!(Pid), task.pid());
        assert_eq!(task.yield_for(Duration::from_millis(1)).await, None);
        program.kill();
        assert_eq!(task.within(LIMIT).await, Err(ExitReason::Noconnection));
    });
}

/// A task ends with its handle, and with its owner's node.
#[test]
fn a_task_ends_with_its_handle() {
    let place = Place::new();
    let (here, there) = (place.node("a"), place.node("b"));
    let (a, on_b) = (Node::clone(&here), Node::clone(&there));
    let base = here.block_on(async move {
        let b = place.name("b");
        // The nodes are connected then.
        assert_eq!(Task::spawn_on(&b, double(1)).await.unwrap().await, Ok(2));
        let (waiters, base) = (a.process_count(), on_b.process_count());
        let start = async || {
            let task = Task::spawn_on(&b, waits(self_pid())).await.unwrap();
            assert_eq!(next!(Pid), task.pid());
            task
        };
        // Dropped.
        let task = start().await;
        let ended = monitor(task.pid());
        drop(task);
        assert_eq!(down(ended).await, ExitReason::Killed);
        // Out of time.
        let task = start().await;
        let ended = monitor(task.pid());
        assert_eq!(task.within(Duration::from_millis(1)).await, Err(ExitReason::Timeout));
        assert_eq!(down(ended).await, ExitReason::Killed);
        // Shut down: without a value, and with one that comes in time.
        let task = start().await;
        let ended = monitor(task.pid());
        assert_eq!(task.shutdown(LIMIT).await, None);
        assert_eq!(down(ended).await, ExitReason::Shutdown);
        let mut task = start().await;
        send(task.pid(), 7_u64);
        let ended = monitor(task.pid());
        assert_eq!(down(ended).await, ExitReason::Normal);
        assert_eq!(task.yield_for(LIMIT).await, Some(Ok(7)));
        let task = start().await;
        send(task.pid(), 8_u64);
        let ended = monitor(task.pid());
        assert_eq!(down(ended).await, ExitReason::Normal);
        assert_eq!(task.shutdown(LIMIT).await, Some(Ok(8)));
        // The owner ends, with a handle and with a detached task.
        for detached in [false, true] {
            let (me, b) = (self_pid(), b.clone());
            let owner = spawn(async move {
                let task = Task::spawn_on(&b, waits(me)).await.unwrap();
                if detached {
                    task.detach();
                }
                receive! { () => {} }
            });
            let task = next!(Pid);
            let ended = monitor(task);
            send(owner, ());
            let reason = down(ended).await;
            assert!([ExitReason::Shutdown, ExitReason::Killed].contains(&reason), "{reason}");
        }
        // A detached task goes on, and its value is dropped.
        let task = start().await;
        let pid = task.pid();
        task.detach();
        let ended = monitor(pid);
        // If something had ended with the handle, the task would have ended meanwhile.
        for n in 0..20 {
            assert_eq!(Task::spawn_on(place.name("b"), double(n)).await.unwrap().await, Ok(2 * n));
        }
        send(pid, 9_u64);
        assert_eq!(down(ended).await, ExitReason::Normal);
        // Neither a waiter nor a task is left.
        until_in_process("the waiters have ended", || a.process_count() <= waiters).await;
        until_in_process("the tasks have ended", || on_b.process_count() <= base).await;

        // One that runs while its owner's node stops.
        let me = self_pid();
        spawn(async move {
            let _task = Task::spawn_on(&b, waits(me)).await.unwrap();
            std::future::pending::<()>().await;
        });
        next!(Pid);
        assert!(on_b.process_count() > base);
        base
    });
    here.stop();
    support::until("the task has ended", || there.process_count() <= base);
}

/// A start that is given up leaves no task behind.
#[test]
fn a_start_that_is_dropped_leaves_no_task() {
    let place = Place::new();
    let (here, there) = (place.node("a"), place.node("b"));
    let on_b = Node::clone(&there);
    here.block_on(async move {
        let b = place.name("b");
        assert_eq!(Task::spawn_on(&b, double(1)).await.unwrap().await, Ok(2));
        let base = on_b.process_count();
        for _ in 0..20 {
            // The request is sent when the start is polled.
            let mut started = Box::pin(Task::spawn_on(&b, waits(self_pid())));
            assert!(poll_once(&mut started).await.is_none());
        }
        // The other node has had all requests when it has answered this one.
        assert_eq!(Task::spawn_on(&b, double(1)).await.unwrap().await, Ok(2));
        until_in_process("the tasks have ended", || on_b.process_count() <= base).await;
    });
}

#[test]
fn the_value_must_be_a_message() {
    let place = Place::new();
    let (here, _there) = (place.node("a"), place.node("b"));
    here.block_on(async move {
        let call = fika::process::RemoteCall::new(&unsent()).unwrap();
        assert_eq!(call.name(), "fika::unsent");
        let error = call.run().await.unwrap_err();
        assert!(error.to_string().contains("`fika::unsent` is not a message"), "{error}");
    });
}

/// Starts a supervisor of tasks, tells its pid, and ends it when it gets a reason.
#[remote]
async fn supervises(to: Pid) {
    trap_exit(true);
    let tasks = TaskSupervisor::start_link(Start::name("tasks")).await.unwrap();
    send(to, tasks.pid());
    receive! {
        support::EndWith(reason) => exit(reason),
        n: u64 => {
            let children = tasks.children().await.unwrap();
            send(to, (children, n));
            receive! { support::EndWith(reason) => exit(reason) }
        }
    }
}

/// A task belongs to the supervisor on its node, too.
#[test]
fn a_task_runs_under_a_supervisor_of_another_node() {
    let place = Place::new();
    let _program = place.os("b").start();
    let here = place.node("a");
    here.block_on(async move {
        let b = place.name("b");
        let missing = TaskSupervisor::spawn_on(("tasks", &b[..]), double(1)).await.unwrap();
        assert_eq!(missing.await, Err(ExitReason::Noproc));
        let parent = spawn_on(&b, supervises(self_pid())).await;
        let supervisor = next!(Pid);
        let task = TaskSupervisor::spawn_on(("tasks", &b[..]), double(4)).await.unwrap();
        assert_eq!(task.await, Ok(8));

        let task = TaskSupervisor::spawn_on(supervisor, waits(self_pid())).await.unwrap();
        assert_eq!(next!(Pid), task.pid());
        send(parent, 1_u64);
        let (children, _) = next!((Vec<Pid>, u64));
        assert_eq!(children, [task.pid()]);
        send(parent, support::EndWith(ExitReason::Shutdown));
        assert_eq!(task.within(LIMIT).await, Err(ExitReason::Killed));
    });
}
