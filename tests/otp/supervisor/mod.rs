//! `supervisor_SUITE`: supervisors, by topic.
//!
//! The path of a case ends with its suite and its name. So each file's module has the name of the
//! suite and lies inside a module with the name of the file.

#[path = "."]
mod starts {
    #[path = "starts.rs"]
    mod supervisor;
}
#[path = "."]
mod stops {
    #[path = "stops.rs"]
    mod supervisor;
}
#[path = "."]
mod admin {
    #[path = "admin.rs"]
    mod supervisor;
}
#[path = "."]
mod restarts {
    #[path = "restarts.rs"]
    mod supervisor;
}
#[path = "."]
mod significant {
    #[path = "significant.rs"]
    mod supervisor;
}
#[path = "."]
mod scale {
    #[path = "scale.rs"]
    mod supervisor;
}

use fika::gen_server::{ServerRef, Start, StartError};
use fika::message::Term;
use fika::prelude::*;
use fika::supervisor::{
    self, ChildCount, ChildError, ChildInfo, ChildSpec, ChildState, SupFlags, Supervises,
    Supervisor, Template,
};

use crate::wait::{down, next};

/// A child was started. Sent to the process that made its specification.
#[message]
#[derive(Debug)]
struct Up {
    id: String,
    pid: Pid,
}

/// Makes a child end.
#[message]
struct Stop(ExitReason);

async fn child() {
    receive! { Stop(reason) => exit(reason) }
}

/// Ignores the request to shut down. It announces itself when it does so.
async fn stubborn(to: Pid, id: &'static str) {
    trap_exit(true);
    announce(to, id, self_pid());
    loop {
        receive! { Stop(reason) => exit(reason), Exit { .. } => {} }
    }
}

fn announce(to: Pid, id: &str, pid: Pid) -> Pid {
    send(to, Up { id: id.to_owned(), pid });
    pid
}

/// Specifies a child that announces itself to the running process.
fn worker(id: &'static str) -> ChildSpec {
    let me = self_pid();
    ChildSpec::new(id, move || async move { announce(me, id, spawn_link(child())) })
}

fn stubborn_worker(id: &'static str) -> ChildSpec {
    let me = self_pid();
    ChildSpec::new(id, move || async move { spawn_link(stubborn(me, id)) })
}

/// A template of such children, whose argument is their name.
fn workers() -> Template<String> {
    let me = self_pid();
    Template::new(move |id: String| async move { announce(me, &id, spawn_link(child())) })
}

/// Starts a supervisor below the running process, which traps exits from now on.
async fn top(flags: SupFlags, children: Vec<ChildSpec>) -> ServerRef<Supervisor> {
    trap_exit(true);
    supervisor::start_link(Start::new(), flags, children).await.expect("it starts")
}

fn pid_of<S>(supervisor: &ServerRef<S>) -> Pid {
    supervisor.whereis().expect("it was started without a name")
}

/// Returns the next child that was started.
#[track_caller]
fn up() -> impl Future<Output = (String, Pid)> {
    let next = next::<Up>();
    async move {
        let Up { id, pid } = next.await;
        (id, pid)
    }
}

/// Returns the next child that was started, which has this id.
#[track_caller]
fn up_of(id: &str) -> impl Future<Output = Pid> {
    let up = up();
    async move {
        let (started, pid) = up.await;
        assert_eq!(started, id);
        pid
    }
}

/// Makes a child end, and waits until it has.
async fn end(child: Pid, reason: ExitReason) {
    let watch = monitor(child);
    match reason {
        ExitReason::Killed => exit_process(child, ExitReason::Kill),
        reason => send(child, Stop(reason)),
    }
    down(watch).await;
}

fn error() -> ExitReason {
    ExitReason::Error("as asked".into())
}

fn shutdown_with() -> ExitReason {
    ExitReason::ShutdownWith(Term::new(&7_u64))
}

/// Returns specs, active, supervisors, workers.
async fn count<S: Supervises>(supervisor: &ServerRef<S>) -> [usize; 4] {
    let ChildCount { specs, active, supervisors, workers } =
        supervisor.count_children().await.expect("it answers");
    [specs, active, supervisors, workers]
}

async fn which<S: Supervises>(supervisor: &ServerRef<S>) -> Vec<ChildInfo> {
    supervisor.which_children().await.expect("it answers")
}

/// Returns the ids with the states, the oldest child first.
async fn states<S: Supervises>(supervisor: &ServerRef<S>) -> Vec<(String, ChildState)> {
    let children = which(supervisor).await.into_iter().rev();
    children
        .map(|child| (child.id.map_or(String::new(), |id| id.as_str().to_owned()), child.child))
        .collect()
}

/// Checks that a supervisor does not end: one that does still counts its children, but changes none.
async fn goes_on(supervisor: &ServerRef<Supervisor>) {
    let unknown = supervisor.delete_child("nobody").await;
    assert!(matches!(unknown, Err(ChildError::NotFound { .. })), "{unknown:?}");
}

/// Checks that nobody was started.
async fn nobody_up() {
    receive! {
        Up { id, .. } => panic!("{id} was started"),
        after Duration::ZERO => {},
    }
}

fn reason_of(error: StartError) -> ExitReason {
    match error {
        StartError::Failed(reason) => reason,
        other => panic!("{other}"),
    }
}
