//! Tasks that a supervisor owns: [`TaskSupervisor`].

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin as StdPin;

use fika_macros::{Message, receive};
use fika_runtime::{
    Answer, Ended, Exit, ExitReason, Pid, Waiting, exit_async, exit_process, link, self_pid, send,
    spawn_link, trap_exit,
};

use super::{Done, Task, run};
use crate::r#gen::start::settle;
use crate::r#gen::{Bond, Start, StartError, start};

/// A process whose children are tasks (Elixir's `Task.Supervisor`). A task ends when its handle is
/// dropped, or when the process that started it or the supervisor ends.
///
/// ```
/// use fika::task::TaskSupervisor;
///
/// #[fika::main]
/// async fn main() -> fika::Result {
///     let tasks = TaskSupervisor::start_link(Default::default()).await?;
///     assert_eq!(tasks.spawn(async { 7 }).await?.await?, 7);
///     Ok(())
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TaskSupervisor(Pid);

/// Asks the supervisor to run a task.
#[derive(Message)]
#[message(local)]
struct Run {
    work: StdPin<Box<dyn Future<Output = ()> + Send>>,
    started: Answer<Pid>,
}

/// Asks the supervisor to take a running process as a task.
#[derive(Message)]
#[message(local)]
struct Adopt {
    task: Pid,
    adopted: Answer<()>,
}

/// Makes the running process a task of the supervisor. `None` if there is no such supervisor.
pub(super) async fn adopt(supervisor: Pid) -> Option<()> {
    let (adopted, waiting) = Waiting::new();
    send(supervisor, Adopt { task: self_pid(), adopted });
    waiting.await
}

/// Asks for the pids of the tasks.
#[derive(Message)]
#[message(local)]
struct Children(Answer<Vec<Pid>>);

impl TaskSupervisor {
    /// Starts a supervisor that is linked to the caller.
    ///
    /// # Errors
    /// If its name is taken.
    ///
    /// # Panics
    /// Outside of a process.
    pub async fn start_link(opts: Start) -> Result<TaskSupervisor, StartError> {
        let parent = self_pid();
        let name = opts.name.clone();
        let started = start(&opts, Bond::Link, |ack| async move {
            let (ack, _listed) = settle(ack, "TaskSupervisor", name.as_ref()).await;
            trap_exit(true);
            ack.ok(());
            supervise(parent).await;
        });
        started.await.map(|(pid, ())| TaskSupervisor(pid))
    }

    /// Returns the supervisor's process.
    #[must_use]
    pub fn pid(self) -> Pid {
        self.0
    }

    /// Starts a task.
    ///
    /// # Errors
    /// `noproc` if the supervisor has ended.
    ///
    /// # Panics
    /// Outside of a process.
    pub async fn spawn<T, F>(self, work: F) -> Result<Task<T>, ExitReason>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let (answer, result) = Waiting::new();
        let (started, pid) = Waiting::new();
        let work = Box::pin(run(self_pid(), Done(Some(answer)), work));
        send(self.0, Run { work, started });
        let pid = pid.await.ok_or(ExitReason::Noproc)?;
        Ok(Task { pid, result: Some(result), there: None })
    }

    /// Returns the tasks that run (Elixir's `Task.Supervisor.children`).
    ///
    /// ```
    /// use fika::prelude::*;
    /// use fika::task::TaskSupervisor;
    ///
    /// # #[fika::main]
    /// # async fn main() -> fika::Result {
    /// let tasks = TaskSupervisor::start_link(Start::name("tasks")).await?;
    /// assert_eq!(whereis("tasks"), Some(tasks.pid()));
    /// let task = tasks.spawn(sleep(secs(60))).await?;
    /// assert_eq!(tasks.children().await?, [task.pid()]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `noproc` if the supervisor has ended.
    pub async fn children(self) -> Result<Vec<Pid>, ExitReason> {
        let (answer, children) = Waiting::new();
        send(self.0, Children(answer));
        children.await.ok_or(ExitReason::Noproc)
    }
}

async fn supervise(parent: Pid) {
    let mut children = BTreeSet::new();
    loop {
        receive! {
            Run { work, started } => {
                let child = spawn_link(work);
                children.insert(child);
                started.give(child);
            },
            Adopt { task, adopted } => {
                link(task);
                children.insert(task);
                adopted.give(());
            },
            Children(answer) => {
                answer.give(children.iter().copied().collect());
            },
            Exit { from, reason } if from == parent => {
                let ends: Vec<Ended> = children.iter().map(|child| Ended::of(*child)).collect();
                for child in &children {
                    exit_process(*child, ExitReason::Kill);
                }
                for end in ends {
                    end.await;
                }
                exit_async(reason).await
            },
            Exit { from, .. } => {
                children.remove(&from);
            },
            _ => {},
        }
    }
}
