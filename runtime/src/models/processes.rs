//! Two threads run the processes of a node. One process ends at any moment while the other uses it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use loom::thread;

use super::{Clock, receive, take};
use crate::scheduler::Origin;
use crate::sync::model;
use crate::{
    Down, Exit, ExitReason, Local, Node, Pid, RegisterError, context, demonitor_flush,
    exit_process, link, monitor, process, register, resume_process, send, send_after,
    suspend_process, trap_exit, unlink,
};

/// Makes a node whose workers are the model's threads.
pub(super) fn node() -> Node {
    let clock = Arc::new(Clock::new(Duration::ZERO));
    Node::builder().workers(1).process_limit(8).env(clock).build_at_rest().unwrap()
}

/// Runs queued tasks until no task is left.
fn work(node: &Node) {
    let inner = node.inner();
    while let Some(task) = inner.scheduler.take_any() {
        context::enter_node(inner, || {
            if let Some(priority) = process::run(inner, inner.table.at(task), &Origin::default()) {
                inner.scheduler.inject(task, priority);
            }
        });
    }
}

/// Runs all queued tasks with two workers.
pub(super) fn run(node: &Node) {
    let other = {
        let node = node.clone();
        thread::spawn(move || work(&node))
    };
    work(node);
    other.join().unwrap();
    work(node);
}

/// Counts the runs that were seen to their end, and the violations on the way. An assertion in a
/// process would only end that process.
#[derive(Clone, Default)]
pub(super) struct Seen(Arc<(AtomicUsize, AtomicUsize)>);

impl Seen {
    fn expect(&self, holds: bool) {
        self.0.1.fetch_add(usize::from(!holds), Relaxed);
    }

    pub(super) fn end(&self) {
        self.0.0.fetch_add(1, Relaxed);
    }

    /// Checks that this many processes have ended, that there were no violations, and that nothing
    /// is left.
    pub(super) fn check(&self, ends: usize, node: &Node) {
        assert_eq!(self.0.1.load(Relaxed), 0, "a process saw what must not be");
        assert_eq!(self.0.0.load(Relaxed), ends, "a process waits for ever");
        let left = (node.process_count(), node.timer_count(), node.whereis("name"));
        assert_eq!(left, (0, 0, None), "processes, timers, a name");
    }
}

/// Runs a process that ends at once, and one that meanwhile runs `body` with it.
fn against_exit<F>(body: impl Fn(Pid, Seen) -> F + Send + Sync + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    model(move || {
        let (node, seen) = (node(), Seen::default());
        let ending = node.spawn(async {}).expect("room");
        let body = body(ending, seen.clone());
        let ends = seen.clone();
        let other = node.spawn(async move {
            body.await;
            ends.end();
        });
        run(&node);
        // All processes are idle. A process that waits for that continues.
        let _ = node.send(other.expect("room"), ());
        run(&node);
        seen.check(1, &node);
    });
}

/// LINK-3, LINK-4: a process that links itself to an ending process gets an exit signal.
#[test]
fn loom_link_against_exit() {
    against_exit(|ending, seen| async move {
        trap_exit(true);
        link(ending);
        let Exit { from, reason } = receive().await;
        seen.expect(from == ending);
        seen.expect(matches!(reason, ExitReason::Normal | ExitReason::Noproc));
        receive::<()>().await;
        seen.expect(take::<Exit>().await.is_none());
    });
}

/// LINK-8: after an unlink, no exit signal of the link arrives.
#[test]
fn loom_unlink_against_exit() {
    against_exit(|ending, seen| async move {
        trap_exit(true);
        link(ending);
        unlink(ending);
        let first = take::<Exit>().await;
        receive::<()>().await;
        seen.expect(take::<Exit>().await.is_none());
        seen.expect(first.is_none_or(|exit| exit.from == ending));
    });
}

/// LINK-4: both ends of a link end, whichever is killed while it is made.
#[test]
fn loom_link_against_kill() {
    model(|| {
        let (node, seen) = (node(), Seen::default());
        let peer = node.spawn(async { receive::<u8>().await }).expect("room");
        node.spawn(async move {
            link(peer);
            receive::<u8>().await;
        });
        let ends = seen.clone();
        node.spawn(async move {
            exit_process(peer, ExitReason::Kill);
            ends.end();
        });
        run(&node);
        seen.check(1, &node);
    });
}

/// MON-1, MON-3: one `Down` for each monitor.
#[test]
fn loom_monitor_against_exit() {
    against_exit(|ending, seen| async move {
        let reference = monitor(ending);
        let down: Down = receive().await;
        seen.expect(down.monitor == reference);
        seen.expect(matches!(down.reason, ExitReason::Normal | ExitReason::Noproc));
        receive::<()>().await;
        seen.expect(take::<Down>().await.is_none());
    });
}

/// MON-10: after a demonitor with flush, no `Down` is there, and none arrives.
#[test]
fn loom_demonitor_against_exit() {
    against_exit(|ending, seen| async move {
        let reference = monitor(ending);
        demonitor_flush(reference);
        seen.expect(take::<Down>().await.is_none());
        receive::<()>().await;
        seen.expect(take::<Down>().await.is_none());
    });
}

/// REG-2: no dead process keeps a name.
#[test]
fn loom_register_against_exit() {
    against_exit(|ending, seen| async move {
        seen.expect(matches!(register("name", ending), Ok(()) | Err(RegisterError::Noproc)));
        receive::<()>().await;
    });
}

/// TIM-7: no timer of a dead process is left.
#[test]
fn loom_start_timer_against_exit() {
    against_exit(|ending, _| async move {
        send_after(Duration::from_secs(60), ending, ());
        receive::<()>().await;
    });
}

/// PROC-9: a message to an ending process is dropped, once.
#[test]
fn loom_send_against_exit() {
    against_exit(|ending, seen| async move {
        let value = Arc::new(());
        send(ending, Local(value.clone()));
        receive::<()>().await;
        seen.expect(Arc::strong_count(&value) == 1);
    });
}

/// A process that suspends an ending one gets its answer.
#[test]
fn loom_suspend_against_exit() {
    against_exit(|ending, _| async move {
        if suspend_process(ending).await.is_ok() {
            let _ = resume_process(ending);
        }
        receive::<()>().await;
    });
}

/// A node stops while one of its processes spawns another. Both processes and the worker's thread
/// end.
#[test]
fn loom_stop_against_spawn() {
    model(|| {
        let node = node();
        node.spawn(async {
            crate::spawn(async { receive::<u8>().await });
            receive::<u8>().await;
        });
        node.start_workers(1);
        assert!(node.stop());
        assert_eq!(node.process_count(), 0);
    });
}

/// Two threads stop a node whose workers have ended. One of them drops the process that is left.
#[test]
fn loom_stop_against_stop() {
    model(|| {
        let (node, value) = (node(), Arc::new(()));
        let held = value.clone();
        node.spawn(async move {
            let _held = held;
            receive::<u8>().await;
        });
        node.start_workers(1);
        let other = {
            let node = node.clone();
            thread::spawn(move || node.stop())
        };
        assert!(node.stop());
        assert!(other.join().unwrap());
        assert_eq!((node.process_count(), Arc::strong_count(&value)), (0, 1));
    });
}

/// A thread spawns a process while another thread stops the node: the process ends, or is never
/// made.
#[test]
fn loom_stop_against_spawn_from_outside() {
    model(|| {
        let (node, value) = (node(), Arc::new(()));
        let held = value.clone();
        node.start_workers(1);
        let other = {
            let node = node.clone();
            thread::spawn(move || {
                node.spawn(async move {
                    let _held = held;
                    receive::<u8>().await;
                })
            })
        };
        assert!(node.stop());
        other.join().unwrap();
        assert_eq!((node.process_count(), Arc::strong_count(&value)), (0, 1));
    });
}
