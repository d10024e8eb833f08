//! Supervisors and their children on several nodes.
#![deny(warnings)]

use crate::support;

use fika::gen_server::{ServerRef, Start};
use fika::prelude::*;
use fika::process::spawn_link_on;
use fika::supervisor::{self, ChildSpec, Restart, SupFlags, Supervisor, Template};

use support::{EndWith, Place, answerer, assert_answers, down, exit_of};

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
