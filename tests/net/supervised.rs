//! Supervisors and their children on several nodes, also when the program of a node is killed.
#![deny(warnings)]

use crate::support;

use fika::gen_server::{self, GenServer, Init, ServerRef, Start, StartError};
use fika::prelude::*;
use fika::process::{spawn_link_on, try_spawn_on};
use fika::supervisor::{self, Backoff, ChildSpec, Restart, SupFlags, Supervisor, Template};

use support::process::OsNode;
use support::{Answer, EndWith, Place, answerer, assert_answers, down, exit_of};

/// Asks a supervisor of another node, and ends its child.
#[remote]
async fn asks(top: Pid, to: Pid) {
    let top = ServerRef::<Supervisor>::pid(top);
    let children = top.which_children().await.unwrap();
    assert_eq!(top.count_children().await.unwrap().active, 1);
    let error = top.delete_child("there").await.unwrap_err();
    assert!(error.to_string().contains("\"there\""), "{error}");
    top.terminate_child("there").await.unwrap();
    send(to, children[0].pid().unwrap());
}

/// A child on another node is restarted there, ended there, and its node's loss counts as its end.
/// The supervisor can be asked from there, too.
#[test]
fn a_child_runs_on_another_node() {
    let place = Place::new();
    let program = place.os("b").start();
    let here = place.node("a");
    here.block_on(async move {
        trap_exit(true);
        let (me, b) = (self_pid(), place.name("b"));
        let at = b.clone();
        let spec = ChildSpec::new("there", move || {
            let b = at.clone();
            async move {
                let pid = spawn_link_on(b, answerer()).await;
                send(me, pid);
                pid
            }
        });
        let flags = SupFlags::one_for_one().intensity(3);
        let top = supervisor::start_link(Start::new(), flags, [spec]).await.unwrap();
        let pid = top.whereis().unwrap();
        let first = next!(Pid);
        assert_ne!(first.node(), pid.node());
        send(first, EndWith(ExitReason::Timeout));
        let second = next!(Pid);
        assert_ne!(first, second);
        assert_answers(second, 1).await;

        let watch = monitor(second);
        spawn_on(&b, asks(pid, me)).await;
        assert_eq!(down(watch).await, ExitReason::Shutdown);
        assert_eq!(next!(Pid), second);
        let third = top.restart_child("there").await.unwrap().pid().unwrap();
        assert_eq!(next!(Pid), third);
        assert_answers(third, 2).await;

        // Without its node, the child can't be restarted.
        drop(program);
        assert_eq!(exit_of(pid).await, ExitReason::Shutdown);
    });
}

/// Starts a child of a supervisor on another node.
#[remote]
async fn starts(top: Pid, to: Pid) {
    let top = ServerRef::<supervisor::SimpleSupervisor<String>>::pid(top);
    let started = top.start_child("from afar".to_owned()).await.unwrap();
    send(to, (started.pid().unwrap(), started.info::<u64>().unwrap()));
}

/// The arguments of a template go to the supervisor's node.
#[test]
fn a_child_is_started_from_another_node() {
    let place = Place::new();
    let _program = place.os("b").start();
    let here = place.node("a");
    here.block_on(async move {
        trap_exit(true);
        let template =
            Template::new(
                |args: String| async move { (spawn_link(answerer()), args.len() as u64) },
            );
        let template = template.restart(Restart::Temporary);
        let flags = SupFlags::one_for_one();
        let top = supervisor::start_link_simple(Start::new(), flags, template).await.unwrap();
        spawn_on(place.name("b"), starts(top.whereis().unwrap(), self_pid())).await;
        let (child, info) = next!((Pid, u64));
        assert_eq!((child.node(), info), (self_pid().node(), 9));
        assert_answers(child, 1).await;
        assert_eq!(top.count_children().await.unwrap().active, 1);
    });
}

/// Supervises a process that runs on the first of these nodes that can be reached, and reports each
/// of its processes.
#[remote(name = "test::supervises")]
async fn supervises(nodes: Vec<String>, backoff: bool, to: Pid) {
    let start = move || {
        let nodes = nodes.clone();
        async move {
            let mut failure = None;
            for node in &nodes {
                match try_spawn_on(node, answerer()).await {
                    Ok(pid) => {
                        send(to, pid);
                        return Ok(pid);
                    }
                    Err(error) => failure = Some(error),
                }
            }
            Err(failure.expect("there are nodes"))
        }
    };
    let (mut spec, mut flags) = (ChildSpec::new("there", start), SupFlags::one_for_one());
    if backoff {
        spec = spec.backoff(Backoff::exponential(millis(10), millis(100)));
        flags = flags.intensity(u32::MAX);
    }
    let top = supervisor::start_link(Start::name("top"), flags, [spec]).await.expect("it starts");
    exit_of(top.whereis().expect("it runs")).await;
}

fn top_on(node: &OsNode) -> ServerRef<Supervisor> {
    ServerRef::at(("top", node.name.clone()))
}

/// Checks that the supervisor of this node has one child, with this process and so many restarts.
async fn assert_runs(node: &OsNode, child: Pid, restarts: u64) {
    let children = top_on(node).which_children().await.unwrap();
    assert_eq!(children.len(), 1);
    assert_eq!((children[0].pid(), children[0].restarts), (Some(child), restarts));
}

/// SUP-9, LINK-12: after SIGKILL of the program with the child, the child is restarted on another
/// node. After SIGKILL of the program with the supervisor, the child ends.
#[test]
fn programs_are_killed() {
    let place = Place::new();
    let [mut a, mut b, c] = ["a", "b", "c"].map(|name| place.os(name).start());
    place.node("here").block_on(async move {
        let nodes = vec![b.name.clone(), c.name.clone()];
        let supervises = spawn_on(&a.name, supervises(nodes, false, self_pid())).await;
        let first = next!(Pid);
        assert_answers(first, 1).await;
        assert_runs(&a, first, 0).await;
        let watch = monitor(first);
        b.kill();
        assert_eq!(down(watch).await, ExitReason::Noconnection);
        let second = next!(Pid);
        assert_eq!(second.node(), spawn_on(&c.name, answerer()).await.node());
        assert_answers(second, 2).await;
        assert_runs(&a, second, 1).await;

        let watches = [supervises, second].map(monitor);
        // The answers come after the monitors have arrived.
        assert_answers(second, 3).await;
        assert_runs(&a, second, 1).await;
        a.kill();
        for watch in watches {
            assert_eq!(down(watch).await, ExitReason::Noconnection);
        }
        // The child has ended, and its node still runs.
        assert_eq!(down(monitor(second)).await, ExitReason::Noproc);
        assert_answers(spawn_on(&c.name, answerer()).await, 4).await;
    });
}

/// A child with a backoff waits for its node: it runs again on the new program of that name.
#[test]
fn a_child_comes_back_with_its_node() {
    let place = Place::new();
    let [a, mut b] = ["a", "b"].map(|name| place.os(name).start());
    place.node("here").block_on(async move {
        spawn_on(&a.name, supervises(vec![b.name.clone()], true, self_pid())).await;
        let first = next!(Pid);
        assert_runs(&a, first, 0).await;
        b.kill();
        // It fails to start for as long as its node is gone.
        let restarts = || async { top_on(&a).which_children().await.unwrap()[0].restarts };
        let failed = async {
            while restarts().await < 3 {
                sleep(millis(5)).await;
            }
        };
        timeout(support::LIMIT, failed).await.expect("it tries again and again");
        let _b = place.os("b").start();
        let second = next!(Pid);
        assert_ne!(first, second);
        assert_answers(second, 1).await;
        assert_eq!(top_on(&a).which_children().await.unwrap()[0].pid(), Some(second));
    });
}

/// A server that traps exits, and reports its end.
struct Traps(Pid);

impl GenServer for Traps {
    type Args = Pid;
    type Receives = ();

    async fn init(owner: Pid) -> Init<Self> {
        trap_exit(true);
        Init::ok(Traps(owner))
    }

    async fn terminate(&mut self, reason: &ExitReason) {
        send(self.0, (self_pid(), reason.clone()));
    }
}

/// A branch of a tree, whose root is on another node: a supervisor with a server that traps exits, and
/// a process that needs a kill.
#[remote(name = "test::branch")]
async fn branch(to: Pid) {
    let stubborn = ChildSpec::new("stubborn", move || async move {
        fika::process::spawn_link(async move {
            trap_exit(true);
            send(to, Answer { from: self_pid(), n: 2 });
            std::future::pending::<()>().await;
        })
    });
    let stubborn = stubborn.shutdown(supervisor::Shutdown::Timeout(millis(10)));
    let server = ChildSpec::new("server", move || async move {
        let server = gen_server::start_link::<Traps>(Start::new(), to).await?;
        send(to, Answer { from: server.whereis().expect("it runs"), n: 1 });
        Ok::<_, StartError>(server)
    });
    let flags = SupFlags::one_for_one();
    let below = supervisor::start_link(Start::new(), flags, [server, stubborn]).await;
    send(to, Answer { from: below.unwrap().whereis().expect("it runs"), n: 0 });
    std::future::pending::<()>().await;
}

/// Supervises a branch on another node.
#[remote(name = "test::root")]
async fn root(node: String, to: Pid) {
    let spec = ChildSpec::supervisor("branch", move || {
        let node = node.clone();
        async move { spawn_link_on(node, branch(to)).await }
    });
    let top = supervisor::start_link(Start::new(), SupFlags::one_for_one(), [spec]).await;
    exit_of(top.unwrap().whereis().expect("it runs")).await;
}

/// SUP-27: the tree on one node ends in order when the program with its root is killed: a server that
/// traps exits terminates, and a process that does not end is killed.
#[test]
fn no_orphan_is_left_by_a_killed_program() {
    let place = Place::new();
    let [mut a, b] = ["a", "b"].map(|name| place.os(name).start());
    place.node("here").block_on(async move {
        spawn_on(&a.name, root(b.name.clone(), self_pid())).await;
        let mut pids = Vec::new();
        for n in [1, 2, 0] {
            receive! {
                Answer { from, n: answer } if answer == n => pids.push(from),
                after support::LIMIT => panic!("process {n} did not start"),
            }
        }
        let [server, stubborn, below] = pids[..] else { panic!("{pids:?}") };
        let watches = [server, stubborn, below].map(monitor);
        // The answer comes after the monitors have arrived.
        let children = ServerRef::<Supervisor>::pid(below).which_children().await.unwrap();
        assert_eq!(children.len(), 2);
        a.kill();
        let reasons = [ExitReason::Shutdown, ExitReason::Killed, ExitReason::Noconnection];
        for (watch, reason) in watches.into_iter().zip(reasons) {
            assert_eq!(down(watch).await, reason);
        }
        assert_eq!(next!((Pid, ExitReason)), (server, ExitReason::Shutdown));
    });
}
