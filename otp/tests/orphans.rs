//! Children that would be left behind, started twice or never ended.

extern crate fika_runtime as fika;

use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;

use fika::{
    Down, Ended, Exit, ExitReason, Local, Node, Pid, Waiting, exit, exit_process, info, monitor,
    self_pid, send, spawn, spawn_link, timeout, trap_exit, yield_now,
};
use fika_macros::{Message, receive};
use fika_otp::gen_server::{self, GenServer, Init};
use fika_otp::supervisor::{
    self, ChildSpec, ChildState, Partitions, Restart, Shutdown, SupFlags, Template,
};
use fika_otp::{Start, StartError, proc_lib, sys};
use parking_lot::Mutex;

const LIMIT: Duration = Duration::from_secs(20);

#[derive(Message)]
#[message(local)]
struct Up(u32, Pid);

#[derive(Message)]
#[message(local)]
struct Stop(ExitReason);

fn run(test: impl Future<Output = ()> + Send + 'static) {
    let node = Node::builder().workers(2).build().unwrap();
    node.block_on(async {
        trap_exit(true);
        timeout(LIMIT, test).await.expect("the test hangs");
    });
    node.stop();
}

async fn child() {
    receive! { Stop(reason) => exit(reason) }
}

/// A child that tells the running process of each start.
fn worker(n: u32) -> ChildSpec {
    let me = self_pid();
    ChildSpec::new(n, move || async move {
        let pid = spawn_link(child());
        send(me, Up(n, pid));
        pid
    })
}

async fn up(of: u32) -> Pid {
    receive! { Up(n, pid) if n == of => pid, after LIMIT => panic!("{of} was not started") }
}

async fn end_of(pid: Pid) -> ExitReason {
    let watch = monitor(pid);
    receive! {
        Down { monitor, reason, .. } if monitor == watch => reason,
        after LIMIT => panic!("{pid} does not end"),
    }
}

/// Waits for the end of a process that is or was killed.
async fn killed(pid: Pid) -> ExitReason {
    match end_of(pid).await {
        ExitReason::Noproc => ExitReason::Killed,
        reason => reason,
    }
}

/// Asks a supervisor to end as its parent does, and waits for its end.
async fn shut_down(pid: Pid) -> ExitReason {
    exit_process(pid, ExitReason::Shutdown);
    end_of(pid).await
}

/// Polls a request once, which sends it.
async fn begin<F: Future>(request: F) -> Pin<Box<F>> {
    let mut request = Box::pin(request);
    let sent = poll_fn(|context| Poll::Ready(request.as_mut().poll(context).is_pending()));
    assert!(sent.await, "it is over");
    request
}

/// SYS-4, SUP-27: a supervisor that is suspended still ends with its parent.
#[test]
fn a_suspended_supervisor_ends_with_its_parent() {
    run(async {
        let specs = [worker(1), worker(2)];
        let top =
            supervisor::start_link(Start::new(), SupFlags::one_for_one(), specs).await.unwrap();
        let children = [up(1).await, up(2).await];
        sys::suspend(&top).await.unwrap();
        assert_eq!(shut_down(top.whereis().unwrap()).await, ExitReason::Shutdown);
        for child in children {
            end_of(child).await;
        }
    });
}

/// A supervisor that ends does not let itself be suspended: it would wait for its children forever.
#[test]
fn a_supervisor_that_ends_is_not_suspended() {
    run(async {
        let me = self_pid();
        let slow = ChildSpec::new("slow", move || async move {
            spawn_link(async move {
                trap_exit(true);
                send(me, Up(6, self_pid()));
                receive! { Exit { .. } => send(me, Up(7, self_pid())) }
                child().await;
            })
        });
        let specs = [slow.shutdown(Shutdown::Infinity)];
        let top =
            supervisor::start_link(Start::new(), SupFlags::one_for_one(), specs).await.unwrap();
        let pid = top.whereis().unwrap();
        up(6).await;
        exit_process(pid, ExitReason::Shutdown);
        let slow = up(7).await;
        sys::suspend(&top).await.unwrap();
        send(slow, Stop(ExitReason::Shutdown));
        assert_eq!(end_of(pid).await, ExitReason::Shutdown);
    });
}

/// Two children of a group that end while the group is restarted are restarted once more together,
/// and never twice at once.
#[test]
fn a_group_never_has_two_lives_of_one_child() {
    run(async {
        let me = self_pid();
        let (gate, gates) = (Arc::new(AtomicU32::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (count, held) = (gate.clone(), gates.clone());
        // The third child's second start waits.
        let third = ChildSpec::new(3_u32, move || {
            let nth = count.fetch_add(1, Ordering::SeqCst);
            let (answer, waiting) = Waiting::<()>::new();
            if nth == 1 {
                held.lock().push(answer);
            } else {
                answer.give(());
            }
            async move {
                send(me, Up(30, self_pid()));
                waiting.await;
                let pid = spawn_link(child());
                send(me, Up(3, pid));
                pid
            }
        });
        let flags = SupFlags::one_for_all().intensity(10);
        let top = supervisor::start_link(Start::new(), flags, [worker(1), worker(2), third])
            .await
            .unwrap();
        let (first, _, _) = (up(1).await, up(2).await, up(3).await);
        up(30).await;
        send(first, Stop(ExitReason::Timeout));
        let (first, second) = (up(1).await, up(2).await);
        up(30).await;
        for pid in [first, second] {
            send(pid, Stop(ExitReason::Timeout));
            end_of(pid).await;
        }
        // The supervisor has seen both ends.
        top.count_children().await.unwrap();
        gates.lock().drain(..).for_each(|gate| gate.give(()));
        up(3).await;
        up(3).await;
        top.terminate_child("nobody").await.unwrap_err();
        while !top.which_children().await.unwrap().iter().all(|child| child.pid().is_some()) {
            yield_now().await;
        }
        let listed: Vec<Pid> =
            top.which_children().await.unwrap().iter().filter_map(|child| child.pid()).collect();
        let mut linked = info::links(top.whereis().unwrap()).await.unwrap();
        linked.retain(|pid| *pid != self_pid());
        linked.sort();
        let mut listed = listed;
        listed.sort();
        assert_eq!(linked, listed, "a process that is linked and no child");
        let restarts: Vec<u64> =
            top.which_children().await.unwrap().iter().map(|child| child.restarts).collect();
        assert_eq!(restarts, [2, 2, 2]);
    });
}

/// A request to restart a child that waits for its end does not start it while the supervisor ends.
#[test]
fn no_child_is_started_by_a_supervisor_that_ends() {
    run(async {
        let me = self_pid();
        let slow = ChildSpec::new("slow", move || async move {
            spawn_link(async move {
                trap_exit(true);
                send(me, Up(7, self_pid()));
                receive! { Exit { .. } => send(me, Up(8, self_pid())) }
                child().await;
            })
        });
        let specs = [slow.shutdown(Shutdown::Infinity)];
        let top =
            supervisor::start_link(Start::new(), SupFlags::one_for_one(), specs).await.unwrap();
        let (pid, slow) = (top.whereis().unwrap(), up(7).await);
        let ends = begin(top.terminate_child("slow")).await;
        up(8).await;
        let restarts = begin(top.restart_child("slow")).await;
        exit_process(pid, ExitReason::Shutdown);
        top.count_children().await.unwrap();
        send(slow, Stop(ExitReason::Shutdown));
        assert_eq!(end_of(pid).await, ExitReason::Shutdown);
        assert!(restarts.await.is_err());
        ends.await.unwrap();
        receive! { Up(n, _) => panic!("{n} was started"), after Duration::ZERO => {} }
    });
}

/// SUP-17: a child that `terminate_child` has ended does not run, whatever the others do meanwhile.
#[test]
fn a_child_that_was_terminated_does_not_run() {
    run(async {
        let me = self_pid();
        // It says that it has ended, and ends later.
        let liar = ChildSpec::new("liar", move || async move {
            let parent = self_pid();
            let pid = spawn_link(async move {
                receive! { (): () => exit_process(parent, ExitReason::Timeout) }
                send(me, Up(8, parent));
                child().await;
            });
            send(me, Up(7, pid));
            pid
        });
        let flags = SupFlags::one_for_all().intensity(10);
        let top = supervisor::start_link(Start::new(), flags, [liar, worker(2)]).await.unwrap();
        let liar = up(7).await;
        send(liar, ());
        up(8).await;
        let ends = begin(top.terminate_child("liar")).await;
        send(liar, Stop(ExitReason::Timeout));
        // The group is restarted before the request is performed.
        ends.await.unwrap();
        let children = top.which_children().await.unwrap();
        assert_eq!((children[1].child, children[1].restarts), (ChildState::Stopped, 1));
        assert!(children[0].pid().is_some());
    });
}

/// A server whose `init` never returns, although it traps exits.
struct Hangs;

impl GenServer for Hangs {
    type Args = Pid;
    type Receives = ();

    async fn init(owner: Pid) -> Init<Self> {
        trap_exit(true);
        send(owner, Up(9, self_pid()));
        pending().await
    }
}

/// A child that is still starting when its supervisor ends, and one whose starter gives up.
#[test]
fn a_start_that_is_given_up_leaves_no_process() {
    run(async {
        let me = self_pid();
        let top = supervisor::start_link_dynamic(Start::new(), SupFlags::one_for_one());
        let top = top.await.unwrap();
        let by_other = top.clone();
        spawn(async move {
            let spec = ChildSpec::server::<Hangs>("hangs", Start::new(), me);
            by_other.start_child(spec.shutdown(Shutdown::Timeout(Duration::from_millis(10)))).await
        });
        let hangs = up(9).await;
        assert_eq!(shut_down(top.whereis().unwrap()).await, ExitReason::Shutdown);
        assert_eq!(killed(hangs).await, ExitReason::Killed);

        let short = Duration::from_millis(10);
        timeout(short, gen_server::start::<Hangs>(Start::new(), me)).await.unwrap_err();
        assert_eq!(killed(up(9).await).await, ExitReason::Killed);
        timeout(short, gen_server::start_link::<Hangs>(Start::new(), me)).await.unwrap_err();
        assert_eq!(killed(up(9).await).await, ExitReason::Killed);

        let starter = spawn(gen_server::start_link::<Hangs>(Start::new(), me));
        let hangs = up(9).await;
        exit_process(starter, ExitReason::Kill);
        assert_eq!(killed(hangs).await, ExitReason::Killed);
        assert_eq!(info::links(self_pid()).await.unwrap(), []);
    });
}

/// Start functions that receive messages do so one after another, and another start that fails
/// meanwhile has its own error.
#[test]
fn several_start_functions_may_receive() {
    run(async {
        let top = supervisor::start_link_dynamic(Start::new(), SupFlags::one_for_one());
        let top = top.await.unwrap();
        let pid = top.whereis().unwrap();
        let me = self_pid();
        let receives = |n: u64| {
            ChildSpec::new("receives", move || async move {
                send(me, Up(1, self_pid()));
                let got = receive! { got: u64 if got == n => got };
                (spawn_link(child()), got)
            })
        };
        let first = begin(top.start_child(receives(1))).await;
        up(1).await;
        let second = begin(top.start_child(receives(2))).await;
        let fails = ChildSpec::new("fails", || {
            let fails = async |ack: proc_lib::InitAck<()>| {
                ack.fail(StartError::Timeout, ExitReason::Normal).await
            };
            async move { proc_lib::start_link(Start::new(), fails).await.map(|(pid, ())| pid) }
        });
        let fails = begin(top.start_child(fails)).await;
        send(pid, 1_u64);
        send(pid, 2_u64);
        assert_eq!(first.await.unwrap().info(), Some(1_u64));
        assert_eq!(second.await.unwrap().info(), Some(2_u64));
        let failed = fails.await.unwrap_err();
        assert!(failed.to_string().contains("timeout"), "{failed}");
        assert_eq!(top.count_children().await.unwrap().active, 2);
    });
}

/// A start function that returns the supervisor itself fails.
#[test]
fn a_supervisor_is_no_child_of_its_own() {
    run(async {
        let top = supervisor::start_link(Start::new(), SupFlags::one_for_one(), []).await.unwrap();
        let itself = ChildSpec::new("itself", || async { self_pid() });
        let failed = top.start_child(itself).await.unwrap_err();
        assert!(failed.to_string().contains("itself"), "{failed}");
        assert_eq!(shut_down(top.whereis().unwrap()).await, ExitReason::Shutdown);
    });
}

#[derive(Message, Debug)]
#[message(local)]
struct Private;

/// Extra information that can't leave the node fails the start, and the process ends.
#[test]
fn a_failed_start_leaves_no_process() {
    run(async {
        let top = supervisor::start_link(Start::new(), SupFlags::one_for_one(), []).await.unwrap();
        let me = self_pid();
        let spec = ChildSpec::new("private", move || async move {
            let pid = spawn_link(child());
            send(me, Up(5, pid));
            (pid, Private)
        });
        let failed = top.start_child(spec).await.unwrap_err();
        assert_eq!(killed(up(5).await).await, ExitReason::Killed, "{failed}");
        assert_eq!(top.count_children().await.unwrap().specs, 0);
    });
}

/// PL-5: a child that fails before its acknowledgement does not end a starter that doesn't trap exits.
#[test]
fn a_failed_start_does_not_end_its_starter() {
    run(async {
        for _ in 0..200 {
            let (told, outcome) = Waiting::new();
            let starter = spawn(async move {
                let fails = async |ack: proc_lib::InitAck<()>| {
                    let _ack = ack;
                    panic!("on request")
                };
                let started = proc_lib::start_link(Start::new(), fails).await;
                told.give(started.map(drop));
                Ok::<(), StartError>(())
            });
            assert_eq!(end_of_or_normal(starter).await, ExitReason::Normal);
            assert!(matches!(outcome.await, Some(Err(StartError::Failed(_)))));
        }
    });
}

async fn end_of_or_normal(pid: Pid) -> ExitReason {
    match end_of(pid).await {
        ExitReason::Noproc => ExitReason::Normal,
        reason => reason,
    }
}

/// A group of partitions is found only while it runs.
#[test]
fn a_group_that_has_ended_is_not_found() {
    run(async {
        let flags = SupFlags::one_for_one();
        let group = Partitions::start_link("group", 3, flags).await.unwrap();
        let kept = Partitions::find("group").unwrap();
        let top = group.supervisor().whereis().unwrap();
        assert_eq!(shut_down(top).await, ExitReason::Shutdown);
        assert!(Partitions::find("group").is_none());
        assert_eq!(kept.iter().count(), 3);
        // A partition finds its group, also in its `init`.
        let me = self_pid();
        let start = move |opts: Start, n: usize| async move {
            let found = Partitions::<String>::find_as("group");
            send(me, Up(u32::try_from(n).unwrap(), self_pid()));
            assert!(found.is_some());
            fika_otp::agent::Agent::start_link(opts, String::new)
                .await
                .map(|agent| agent.server().clone())
        };
        let kind = supervisor::ChildType::Worker;
        let again = Partitions::start_link_with("group", 1, kind, start).await.unwrap();
        assert!(again.get(&1).whereis().is_some());
        let taken = Partitions::start_link("group", 3, flags).await.unwrap_err();
        assert!(matches!(taken, StartError::AlreadyStarted(_)), "{taken}");
        assert!(Partitions::<String>::find_as("group").unwrap().get(&1).whereis().is_some());
        exit_process(again.supervisor().whereis().unwrap(), ExitReason::Kill);
        let ended = async {
            while Partitions::find("group").is_some() {
                yield_now().await;
            }
        };
        timeout(LIMIT, ended).await.unwrap();
    });
}

/// A value whose destructor, or whose copy, fails.
struct Explodes(&'static str, Arc<AtomicU32>);

impl Drop for Explodes {
    fn drop(&mut self) {
        self.1.fetch_add(1, Ordering::SeqCst);
        assert!(self.0 != "drop" || std::thread::panicking(), "as it should");
    }
}

#[derive(Message)]
#[message(local)]
struct Args(Local<Explodes>);

impl Clone for Args {
    fn clone(&self) -> Args {
        assert!(self.0.0.0 != "clone", "as it should");
        Args(Local(Explodes(self.0.0.0, self.0.0.1.clone())))
    }
}

/// The program's own values in a specification do not end the supervisor.
#[test]
fn a_supervisor_survives_the_values_of_its_specifications() {
    run(async {
        let drops = Arc::new(AtomicU32::new(0));
        let top = supervisor::start_link(Start::new(), SupFlags::one_for_one(), [worker(1)])
            .await
            .unwrap();
        up(1).await;
        let held = Explodes("drop", drops.clone());
        let spec = ChildSpec::new("a", move || {
            let _held = &held;
            async { spawn_link(child()) }
        });
        top.start_child(spec).await.unwrap();
        top.terminate_child("a").await.unwrap();
        top.delete_child("a").await.unwrap();
        assert_eq!(top.count_children().await.unwrap().active, 1);
        assert_eq!(drops.load(Ordering::SeqCst), 1);
        // The future of a start.
        let count = drops.clone();
        let spec = ChildSpec::new("b", move || {
            let held = Explodes("drop", count.clone());
            async move {
                let pid = spawn_link(child());
                std::mem::forget(held.1.clone());
                yield_now().await;
                let _held = held;
                pid
            }
        });
        let _ = top.start_child(spec.restart(Restart::Temporary)).await;
        assert_eq!(top.count_children().await.unwrap().specs, 1);

        let template = Template::new(|_: Args| async { spawn_link(child()) });
        let flags = SupFlags::one_for_one().intensity(10);
        let simple = supervisor::start_link_simple(Start::new(), flags, template).await.unwrap();
        for what in ["drop", "clone"] {
            let args = Args(Local(Explodes(what, drops.clone())));
            if let Ok(started) = simple.start_child(args).await {
                simple.terminate_child(started.pid().unwrap()).await.unwrap();
            }
            assert_eq!(simple.count_children().await.unwrap().specs, 0, "{what}");
        }
    });
}

/// SUP-21: a child without an id that is about to be restarted is known by its last process.
#[test]
fn a_child_that_waits_for_its_restart_is_terminated() {
    run(async {
        let pause = Duration::from_millis(300);
        let me = self_pid();
        let template = Template::new(move |n: u32| async move {
            let pid = spawn_link(child());
            send(me, Up(n, pid));
            pid
        });
        let template = template.backoff(supervisor::Backoff::exponential(pause, pause).jitter(0.0));
        let flags = SupFlags::one_for_one();
        let top = supervisor::start_link_simple(Start::new(), flags, template).await.unwrap();
        for n in 0..2 {
            top.start_child(n).await.unwrap();
            let pid = up(n).await;
            send(pid, Stop(ExitReason::Timeout));
            end_of(pid).await;
            while top.which_children().await.unwrap()[0].child != ChildState::Restarting {
                yield_now().await;
            }
            if n == 0 {
                top.terminate_child(pid).await.unwrap();
                assert_eq!(top.count_children().await.unwrap().specs, 0);
                top.terminate_child(pid).await.unwrap();
            } else {
                // Without that, it is restarted once.
                let pid = up(n).await;
                assert_eq!(top.which_children().await.unwrap()[0].pid(), Some(pid));
            }
        }
        receive! { Up(n, _) => panic!("{n} was started"), after Duration::ZERO => {} }
    });
}

/// A child that asks its supervisor for something in its `terminate` gets an error, and ends.
#[test]
fn a_supervisor_that_ends_refuses_requests() {
    run(async {
        let me = self_pid();
        let child = ChildSpec::new("a", move || async move {
            let top = fika_otp::ServerRef::<supervisor::Supervisor>::pid(self_pid());
            spawn_link(async move {
                trap_exit(true);
                send(me, Up(1, self_pid()));
                receive! { Exit { reason, .. } => {
                    let started = top.start_child(ChildSpec::new("b", pending::<Pid>)).await;
                    let ended = top.terminate_child("a").await;
                    let counted = top.count_children().await.unwrap().active;
                    send(me, Local((started.is_err(), ended.is_err(), counted)));
                    exit(reason)
                } }
            })
        });
        let specs = [child.shutdown(Shutdown::Infinity)];
        let top =
            supervisor::start_link(Start::new(), SupFlags::one_for_one(), specs).await.unwrap();
        up(1).await;
        assert_eq!(shut_down(top.whereis().unwrap()).await, ExitReason::Shutdown);
        receive! {
            Local(told): Local<(bool, bool, usize)> => assert_eq!(told, (true, true, 1)),
            after LIMIT => panic!("there is no report"),
        }
    });
}

/// Time limits of any length.
#[test]
fn time_limits_may_be_zero_or_endless() {
    run(async {
        let endless = Duration::MAX;
        let flags = SupFlags::one_for_one().period(endless).intensity(u32::MAX);
        let spec = worker(1).shutdown(Shutdown::Timeout(endless));
        let specs = [spec, worker(2).shutdown(Shutdown::Timeout(Duration::ZERO))];
        let opts = Start::new().timeout(endless).hibernate_after(endless);
        let top = supervisor::start_link(opts, flags, specs).await.unwrap();
        let (one, two) = (up(1).await, up(2).await);
        send(one, Stop(ExitReason::Timeout));
        up(1).await;
        top.terminate_child("1").await.unwrap();
        top.terminate_child("2").await.unwrap();
        Ended::of(two).await;
        let opts = Start::new().timeout(Duration::ZERO);
        let late = supervisor::start_link(opts, SupFlags::one_for_one(), []).await;
        assert!(matches!(late, Err(StartError::Timeout) | Ok(_)));
    });
}
