//! Tests of supervisors beyond OTP's own cases.

extern crate fika_runtime as fika;

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fika::{
    Down, Exit, ExitReason, Node, Pid, Waiting, exit, exit_process, monitor, self_node, self_pid,
    send, spawn_link, timeout, trap_exit, whereis, yield_now,
};
use fika_macros::{Message, receive};
use fika_otp::supervisor::{
    self, Backoff, ChildSpec, ChildState, ChildType, Partitions, Restart, Shutdown, SupFlags,
    Supervisor,
};
use fika_otp::{ServerRef, Start, StartError};
use parking_lot::Mutex;

const LIMIT: Duration = Duration::from_secs(20);

#[derive(Message)]
#[message(local)]
struct Up(Pid);

#[derive(Message)]
#[message(local)]
struct Stop(ExitReason);

fn run(test: impl Future<Output = ()> + Send + 'static) {
    let node = Node::builder().build().unwrap();
    node.block_on(async {
        trap_exit(true);
        test.await;
    });
    node.stop();
}

async fn child() {
    receive! { Stop(reason) => exit(reason) }
}

/// A child that tells the running process of each start.
fn worker(id: &str) -> ChildSpec {
    let me = self_pid();
    ChildSpec::new(id, move || async move {
        let pid = spawn_link(child());
        send(me, Up(pid));
        pid
    })
}

async fn up() -> Pid {
    receive! { Up(pid) => pid, after LIMIT => panic!("no child was started") }
}

async fn end_of(pid: Pid) -> ExitReason {
    let watch = monitor(pid);
    receive! {
        Down { monitor, reason, .. } if monitor == watch => reason,
        after LIMIT => panic!("{pid} does not end"),
    }
}

async fn exit_of(pid: Pid) -> ExitReason {
    receive! {
        Exit { from, reason } if from == pid => reason,
        after LIMIT => panic!("{pid} does not end"),
    }
}

/// One slow start does not delay the others, and its result comes in the end.
#[test]
fn dynamic_starts_do_not_queue() {
    run(async {
        let flags = SupFlags::one_for_one();
        let top = supervisor::start_link_dynamic(Start::new(), flags).await.unwrap();
        let (answer, ready) = Waiting::new();
        let (ready, started) = (Arc::new(Mutex::new(Some(ready))), Waiting::new());
        let slow = ChildSpec::new("slow", move || {
            let ready = ready.lock().take();
            async move {
                ready.expect("it is started once").await;
                spawn_link(child())
            }
        });
        let (by_other, done) = (top.clone(), started.0);
        spawn_link(async move {
            let started = by_other.start_child(slow).await.unwrap();
            done.give(started.pid().unwrap());
        });
        while top.count_children().await.unwrap().specs == 0 {
            yield_now().await;
        }
        for n in 1..=100_usize {
            let started = timeout(LIMIT, top.start_child(worker("w"))).await.unwrap().unwrap();
            assert_eq!(up().await, started.pid().unwrap());
            assert_eq!(top.count_children().await.unwrap().active, n);
        }
        answer.give(());
        assert!(started.1.await.is_some());
        assert_eq!(top.count_children().await.unwrap().active, 101);
    });
}

/// A start function may receive messages. The supervisor's own wait meanwhile.
#[test]
fn a_start_function_may_receive() {
    run(async {
        let me = self_pid();
        let spec = ChildSpec::new("waits", move || async move {
            let parent = self_pid();
            let pid = spawn_link(async move {
                send(me, Up(self_pid()));
                receive! { Stop(_) => {} }
                send(parent, 7_u64);
                child().await;
            });
            let ready = receive! { n: u64 => n };
            (pid, ready)
        });
        let top = supervisor::start_link(Start::new(), SupFlags::one_for_one(), []).await.unwrap();
        let (by_other, (done, started)) = (top.clone(), Waiting::new());
        spawn_link(async move { done.give(by_other.start_child(spec).await.unwrap()) });
        let pid = up().await;
        let asked = top.clone();
        let (counted, count) = Waiting::new();
        spawn_link(async move { counted.give(asked.count_children().await.unwrap().active) });
        send(pid, Stop(ExitReason::Normal));
        let started = started.await.unwrap();
        assert_eq!((started.pid(), started.info::<u64>()), (Some(pid), Some(7)));
        assert!(count.await.is_some());
    });
}

/// SUP-9: the real reason counts, also if the child ends before its start function returns.
#[test]
fn a_child_may_end_before_its_start_returns() {
    run(async {
        let early = || async {
            let pid = spawn_link(async { exit(ExitReason::Shutdown) });
            fika::Ended::of(pid).await;
            // The supervisor takes the exit signal before this returns.
            yield_now().await;
            pid
        };
        let spec = ChildSpec::new("early", early).restart(Restart::Transient);
        let top =
            supervisor::start_link(Start::new(), SupFlags::one_for_one(), [spec]).await.unwrap();
        let children = top.which_children().await.unwrap();
        // It ended with `shutdown`, so it is not restarted.
        assert_eq!(children[0].child, ChildState::Stopped);
        assert_eq!(children[0].restarts, 0);
    });
}

/// An exit signal that a child sends while it lives is not its end.
#[test]
fn a_child_that_only_says_so_has_not_ended() {
    run(async {
        let me = self_pid();
        let spec = ChildSpec::new("liar", move || async move {
            let parent = self_pid();
            spawn_link(async move {
                exit_process(parent, ExitReason::Timeout);
                send(me, Up(self_pid()));
                child().await;
            })
        });
        let top =
            supervisor::start_link(Start::new(), SupFlags::one_for_one(), [spec]).await.unwrap();
        let pid = up().await;
        assert_eq!(top.which_children().await.unwrap()[0].pid(), Some(pid));
        receive! { Up(_) => panic!("it was started again"), after Duration::ZERO => {} }
        send(pid, Stop(ExitReason::Timeout));
        assert_ne!(up().await, pid);
        assert_eq!(top.which_children().await.unwrap()[0].restarts, 1);
    });
}

/// If the supervisor is killed while it ends its children, no child is left.
#[test]
fn no_orphan_is_left() {
    run(async {
        let me = self_pid();
        // Ends for its parent's second signal only.
        let slow = |id: &str| {
            ChildSpec::new(id, move || async move {
                spawn_link(async move {
                    trap_exit(true);
                    send(me, Up(self_pid()));
                    receive! { Exit { .. } => send(me, ()) }
                    receive! { Exit { reason, .. } => exit(reason) }
                })
            })
            .shutdown(Shutdown::Infinity)
        };
        let flags = SupFlags::one_for_one();
        let top =
            supervisor::start_link(Start::new(), flags, [worker("a"), slow("b"), worker("c")]);
        let pid = top.await.unwrap().whereis().unwrap();
        let children = [up().await, up().await, up().await];
        exit_process(pid, ExitReason::Shutdown);
        receive! { (): () => {}, after LIMIT => panic!("b is not asked to end") }
        exit_process(pid, ExitReason::Kill);
        assert_eq!(exit_of(pid).await, ExitReason::Killed);
        for child in children {
            end_of(child).await;
        }
    });
}

/// A supervisor that ends does not wait longer for a start than for the end of that child.
#[test]
fn a_hanging_start_does_not_keep_a_supervisor() {
    run(async {
        let flags = SupFlags::one_for_one();
        let top = supervisor::start_link(Start::new(), flags, [worker("a")]).await.unwrap();
        let (a, pid) = (up().await, top.whereis().unwrap());
        let hangs = ChildSpec::new("hangs", pending::<Pid>)
            .shutdown(Shutdown::Timeout(Duration::from_millis(10)));
        let by_other = top.clone();
        spawn_link(async move { by_other.start_child(hangs).await.map(drop) });
        while top.count_children().await.unwrap().specs < 2 {
            yield_now().await;
        }
        exit_process(pid, ExitReason::Shutdown);
        assert_eq!(exit_of(pid).await, ExitReason::Shutdown);
        end_of(a).await;
    });
}

/// The restarts of a child with a backoff wait longer and longer, without using up the intensity.
#[test]
fn a_backoff_delays_restarts() {
    run(async {
        let pause = Duration::from_millis(20);
        let backoff = Backoff::exponential(pause, 4 * pause).jitter(0.0);
        let starts = Arc::new(Mutex::new(Vec::new()));
        let (me, times) = (self_pid(), starts.clone());
        let fails = Arc::new(AtomicU32::new(0));
        let failures = fails.clone();
        let spec = ChildSpec::new("a", move || {
            times.lock().push(self_node().env().now());
            let left = |left: u32| left.checked_sub(1);
            let fails = failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, left).is_ok();
            async move {
                if fails {
                    return Err(StartError::Timeout);
                }
                let pid = spawn_link(child());
                send(me, Up(pid));
                Ok(pid)
            }
        });
        let flags = SupFlags::one_for_one().intensity(4);
        let specs = [spec.backoff(backoff), worker("b")];
        let top = supervisor::start_link(Start::new(), flags, specs).await.unwrap();
        let (a, _) = (up().await, up().await);
        fails.store(3, Ordering::SeqCst);
        send(a, Stop(ExitReason::Timeout));
        end_of(a).await;
        let children = top.which_children().await.unwrap();
        assert_eq!(children[1].child, ChildState::Restarting);
        assert!(children[0].pid().is_some());
        up().await;
        let starts = starts.lock().clone();
        assert_eq!(starts.len(), 5);
        let pauses: Vec<_> = starts.windows(2).skip(1).map(|pair| pair[1].since(pair[0])).collect();
        for (seen, least) in pauses.iter().zip([2, 4, 4]) {
            assert!(*seen >= least * pause, "{pauses:?}");
        }
        assert_eq!(top.which_children().await.unwrap()[1].restarts, 4);
    });
}

/// The processes of a group have their keys, also after a restart.
#[test]
fn partitions_are_found_by_their_keys() {
    run(async {
        let flags = SupFlags::one_for_one();
        let group = Partitions::start_link("group", 4, flags).await.unwrap();
        let pids: Vec<Pid> = group.iter().map(|one| one.whereis().unwrap()).collect();
        let used: std::collections::BTreeSet<Pid> =
            (0..100_u32).map(|key| group.get(&key).whereis().unwrap()).collect();
        assert_eq!(used.len(), 4, "every partition has keys");
        for key in 0..8_u32 {
            group.get(&key).start_child(worker("w")).await.unwrap();
            up().await;
        }
        let mut active = 0;
        for partition in group.iter() {
            active += partition.count_children().await.unwrap().active;
        }
        assert_eq!(active, 8);

        let (key, killed) = (7_u32, group.get(&7_u32).whereis().unwrap());
        exit_process(killed, ExitReason::Kill);
        end_of(killed).await;
        let found = Partitions::find("group").unwrap();
        let restarted = async {
            while found.get(&key).whereis() == Some(killed) {
                yield_now().await;
            }
        };
        timeout(LIMIT, restarted).await.unwrap();
        assert_eq!(found.get(&key).count_children().await.unwrap().active, 0);
        let others = pids.iter().filter(|pid| **pid != killed);
        assert!(others.clone().all(|pid| group.iter().any(|one| one.whereis() == Some(*pid))));
        assert_eq!(group.supervisor().count_children().await.unwrap().supervisors, 4);
        assert!(Partitions::find("nobody").is_none());
    });
}

/// The tree below a supervisor, as data and as text.
#[test]
fn a_tree_is_shown() {
    run(async {
        let inner = || {
            let leaf = ChildSpec::new("leaf", || async { spawn_link(child()) });
            supervisor::start_link(Start::name("inner"), SupFlags::one_for_one(), [leaf])
        };
        let specs = [worker("a"), ChildSpec::supervisor("pool", inner), worker("b")];
        let flags = SupFlags::one_for_one();
        let top = supervisor::start_link(Start::name("top"), flags, specs).await.unwrap();
        let (a, b) = (up().await, up().await);
        send(a, Stop(ExitReason::Timeout));
        let a = up().await;
        top.terminate_child("b").await.unwrap();
        end_of(b).await;
        let tree = supervisor::tree(&top).await.unwrap();
        let children = tree.children.as_ref().unwrap();
        assert_eq!(
            children.iter().map(|child| child.kind).collect::<Vec<_>>(),
            [ChildType::Worker, ChildType::Supervisor, ChildType::Worker,]
        );
        let leaf = &children[1].children.as_ref().unwrap()[0];
        let ChildState::Running(leaf) = leaf.state else { panic!("{leaf:?}") };
        let (pid, inner) = (whereis("top").unwrap(), whereis("inner").unwrap());
        let expected = format!(
            "top {pid}\n  a {a}, restarted once\n  pool inner {inner}\n    leaf {leaf}\n  b stopped"
        );
        assert_eq!(tree.to_string(), expected);
    });
}

/// A group whose last child waits for the test when it is restarted for the first time.
async fn slow_group() -> (ServerRef<Supervisor>, [Pid; 2], fika::Answer<()>) {
    let (me, (open, gate)) = (self_pid(), Waiting::new());
    let mut gates = vec![Some(gate), None];
    let slow = ChildSpec::new("c", move || {
        let gate = gates.pop().flatten();
        async move {
            if let Some(gate) = gate {
                gate.await;
            }
            let pid = spawn_link(child());
            send(me, Up(pid));
            pid
        }
    });
    let flags = SupFlags::one_for_all().intensity(10);
    let specs = [worker("a"), worker("b"), slow];
    let top = supervisor::start_link(Start::new(), flags, specs).await.unwrap();
    let (a, _, _) = (up().await, up().await, up().await);
    send(a, Stop(ExitReason::Timeout));
    let pids = [up().await, up().await];
    (top, pids, open)
}

async fn end(pid: Pid) {
    let watch = monitor(pid);
    send(pid, Stop(ExitReason::Timeout));
    receive! {
        Down { monitor, .. } if monitor == watch => {},
        after LIMIT => panic!("{pid} does not end"),
    }
}

/// SUP-10, SUP-12: if several children of a group end while the group is restarted, one more restart
/// replaces all of them.
#[test]
fn ends_during_the_restart_of_a_group_restart_it_once() {
    run(async {
        let (top, [a, b], open) = slow_group().await;
        end(b).await;
        end(a).await;
        open.give(());
        up().await;
        let pids = [up().await, up().await, up().await];
        let _ = top.delete_child("nobody").await;
        let children = top.which_children().await.unwrap();
        let listed: Vec<_> = children.iter().rev().filter_map(|child| child.pid()).collect();
        assert_eq!(listed, pids);
        assert!(children.iter().all(|child| child.restarts == 2), "{children:?}");
        receive! { Up(pid) => panic!("{pid} is one too many"), after Duration::ZERO => {} }
    });
}

/// SUP-17: a child that ends after a request to terminate it is not restarted, also if the request
/// waits for the restart of a group.
#[test]
fn a_request_to_terminate_a_child_comes_before_its_end() {
    run(async {
        let (top, [a, _], open) = slow_group().await;
        let (done, terminated) = Waiting::new();
        let (by_other, me) = (top.clone(), self_pid());
        spawn_link(async move {
            let mut terminated = std::pin::pin!(by_other.terminate_child("a"));
            let sent = std::future::poll_fn(|context| {
                std::task::Poll::Ready(terminated.as_mut().poll(context).is_pending())
            });
            assert!(sent.await);
            send(me, ());
            done.give(terminated.await.is_ok());
        });
        // The request has been sent, and comes before the child's end.
        receive! { (): () => {}, after LIMIT => panic!("no request") }
        end(a).await;
        open.give(());
        assert_eq!(terminated.await, Some(true));
        up().await;
        let _ = top.delete_child("nobody").await;
        let children = top.which_children().await.unwrap();
        assert_eq!(children[2].child, ChildState::Stopped);
        assert!(children.iter().all(|child| child.restarts == 1), "{children:?}");
        receive! { Up(pid) => panic!("{pid} is one too many"), after Duration::ZERO => {} }
    });
}
