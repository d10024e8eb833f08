//! Tasks on other nodes.
//!
//! | process | what it does |
//! |---|---|
//! | the owner | starts the task, monitors it, and has the handle |
//! | the waiter, on the owner's node | gets the value for the handle. It ends with the handle, or with the owner if the task was detached |
//! | the task | runs the function, sends the value to the waiter, and ends if the waiter ends |
//!
//! The value does not go to the owner's mailbox: the waiter gives it to the handle. If the task ends
//! without a value, or its node is lost, the owner's monitor tells the reason. A value that came
//! before the end is already in the waiter's mailbox then.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use fika_macros::{Message, receive, remote};
use fika_runtime::{
    Dest, Down, EncodeError, Ended, ExitReason, Message, NodeName, Outcome, Pid, RemoteCall,
    RemoteFn, SpawnError, Term, Waiting, catch_exit, exit_async, monitor, self_node, self_pid,
    send, set_label, spawn, whereis,
};
use serde::{Deserialize, Serialize};

use super::supervisor::{TaskSupervisor, adopt};
use super::waiter::{Gone, There, Waiter};
use super::{Done, Task};

/// The outcome of a task, on its way to the waiter.
#[derive(Debug, Serialize, Deserialize, Message)]
#[message(tag = "fika_otp::task::Outcome")]
struct Finished(Result<Term, ExitReason>);

/// The supervisor of a task, on the task's node.
#[derive(Debug, Serialize, Deserialize, Message)]
#[message(tag = "fika_otp::task::Under")]
enum Under {
    Nobody,
    Pid(Pid),
    Name(String),
}

impl<T: Message> Task<T> {
    /// Starts a task on another node, which runs a `#[remote]` function (Elixir's
    /// `Task.Supervisor.async/5`). The task ends when this handle is dropped, when its owner ends,
    /// and when its node loses the connection to the owner's node.
    ///
    /// The arguments and the value are messages, and are encoded even if the node is the owner's
    /// own. If the function returns a `Result`, its error is the exit reason of the task.
    ///
    /// ```standalone_crate
    /// use fika::prelude::*;
    /// use fika::task::Task;
    ///
    /// #[remote]
    /// async fn count(text: String) -> usize {
    ///     text.split_whitespace().count()
    /// }
    ///
    /// #[fika::main]
    /// async fn main() -> fika::Result {
    ///     // Another node, such as "b@10.0.0.2".
    ///     let node = self_node().name();
    ///     let task = Task::spawn_on(&node, count("the words of a text".into())).await?;
    ///     // `noconnection` if the node is lost meanwhile.
    ///     assert_eq!(task.within(secs(5)).await?, 5);
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// [`SpawnError::Noconnection`] if the node can't be reached, or is lost before it answers.
    /// [`SpawnError::Notsup`] if it has no such function.
    ///
    /// # Panics
    /// Outside of a process. If `node` is not a node name, or an argument can't leave this node, the
    /// calling process ends with `badarg`.
    pub async fn spawn_on<F>(node: impl AsRef<str>, function: F) -> Result<Task<T>, SpawnError>
    where
        F: RemoteFn + IntoFuture<Output: Outcome<Value = T>>,
    {
        start(node.as_ref(), &function, Under::Nobody).await
    }
}

impl TaskSupervisor {
    /// Starts a task on the node of a supervisor, which runs a `#[remote]` function (Elixir's
    /// `Task.Supervisor.async({supervisor, node}, ..)`). Besides the reasons for which a task of
    /// [`Task::spawn_on`] ends, the task ends with the supervisor. If there is no such supervisor,
    /// the task ends with `noproc`.
    ///
    /// ```standalone_crate
    /// use fika::prelude::*;
    /// use fika::task::TaskSupervisor;
    ///
    /// #[remote]
    /// async fn double(n: u64) -> u64 {
    ///     2 * n
    /// }
    ///
    /// #[fika::main]
    /// async fn main() -> fika::Result {
    ///     TaskSupervisor::start_link(Start::name("tasks")).await?;
    ///     // Also from another node.
    ///     let node = self_node().name();
    ///     let task = TaskSupervisor::spawn_on(("tasks", &node), double(21)).await?;
    ///     assert_eq!(task.await?, 42);
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// [`SpawnError::Noconnection`] if the node can't be reached, or is lost before it answers.
    /// [`SpawnError::Notsup`] if it has no such function.
    ///
    /// # Panics
    /// Outside of a process. If the name of a process or a node is invalid, or an argument can't
    /// leave this node, the calling process ends with `badarg`.
    pub async fn spawn_on<'a, T, F>(
        supervisor: impl Into<Dest<'a>>,
        function: F,
    ) -> Result<Task<T>, SpawnError>
    where
        T: Message,
        F: RemoteFn + IntoFuture<Output: Outcome<Value = T>>,
    {
        let (node, under) = match supervisor.into() {
            Dest::Pid(pid) => (pid.node().name(), Under::Pid(pid)),
            Dest::Name(name) => (self_node().name(), Under::Name(name.as_ref().to_owned())),
            Dest::NameAt(name, node) => match node.parse::<NodeName>() {
                Ok(node) => (node, Under::Name(name.as_ref().to_owned())),
                Err(error) => exit_async(ExitReason::badarg(error)).await,
            },
            Dest::Alias(_) => exit_async(ExitReason::badarg("an alias is not a supervisor")).await,
        };
        start(node.as_str(), &function, under).await
    }
}

/// Starts a task. The owner itself sends the request, so it arrives after the owner's earlier
/// messages.
async fn start<T: Message>(
    node: &str,
    function: &impl RemoteFn,
    under: Under,
) -> Result<Task<T>, SpawnError> {
    let call = match RemoteCall::new(function) {
        Ok(call) => call,
        Err(error) => return refuse(error).await,
    };
    let (answer, result) = Waiting::new();
    let (owner, name) = (self_pid(), function.name());
    let pid = spawn(wait_in_place::<T>(owner, Done(Some(answer)), name));
    let waiter = Waiter::new(pid);
    let (pid, ended) = Ended::spawn_on(node, run_there(call, waiter.pid(), under)).await?;
    let there = Some(Box::new(There::new(ended, waiter)));
    Ok(Task { pid, result: Some(result), there })
}

async fn refuse<T>(error: EncodeError) -> T {
    exit_async(ExitReason::badarg(error)).await
}

/// The process of a task.
#[remote(name = "fika_otp::task")]
async fn run_there(call: RemoteCall, waiter: Pid, under: Under) -> Result<(), ExitReason> {
    // Reports of the process's end have the name of the function.
    set_label(call.name());
    let work = async {
        let supervisor = match under {
            Under::Nobody => return call.run().await,
            Under::Pid(pid) => Some(pid),
            Under::Name(name) => whereis(&name),
        };
        let adopted = adopt(supervisor.ok_or(ExitReason::Noproc)?).await;
        adopted.ok_or(ExitReason::Noproc)?;
        call.run().await
    };
    let (mut work, mut waits) = (pin!(catch_exit(work)), pin!(Ended::of(waiter)));
    let outcome = poll_fn(|context| {
        if let Poll::Ready(outcome) = work.as_mut().poll(context) {
            return Poll::Ready(Some(outcome.flatten()));
        }
        waits.as_mut().poll(context).map(|_| None)
    });
    match outcome.await {
        Some(outcome) => {
            let failed = outcome.as_ref().err().cloned();
            send(waiter, Finished(outcome));
            failed.map_or(Ok(()), Err)
        }
        None => exit_async(ExitReason::Shutdown).await,
    }
}

/// Waits for the value in place of the owner.
async fn wait_in_place<T: Message>(owner: Pid, done: Done<T>, function: &'static str) {
    let unread = || {
        let why =
            format!("the value of `{function}` can't be read: run the same program on both nodes");
        ExitReason::Error(why.into())
    };
    let owned = monitor(owner);
    receive! {
        Finished(Ok(value)) => done.give(value.get().ok_or_else(unread)),
        Finished(Err(reason)) => done.give(Err(reason)),
        // A task that ends normally has sent its value.
        Gone(ExitReason::Normal) => done.give(Err(unread())),
        Gone(reason) => done.give(Err(reason)),
        Down { monitor, .. } if monitor == owned => {},
    }
}
