//! Running a future as a process while a task of any executor waits for it: the asynchronous
//! counterpart of `block_on`.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::exit_reason::ExitReason;
use crate::node::Node;
use crate::oneshot::Answer;
use crate::pid::Pid;
use crate::process::{Waiting, exit_reason};

type Outcome<T> = Result<T, ExitReason>;

/// The process's end of the answer. It gives the exit reason if the process ends without a value.
struct Done<T>(Option<Answer<Outcome<T>>>);

impl<T> Done<T> {
    fn give(&mut self, outcome: Outcome<T>) {
        if let Some(answer) = self.0.take() {
            answer.give(outcome);
        }
    }
}

impl<T> Drop for Done<T> {
    fn drop(&mut self) {
        if self.0.is_some() {
            self.give(Err(exit_reason().unwrap_or(ExitReason::Killed)));
        }
    }
}

impl Node {
    /// Runs a future as a process of this node, and returns its value to a task of any executor,
    /// or to a process of another node of the program. The process starts at once. Dropping the
    /// returned future kills the process.
    ///
    /// ```
    /// # use fika_runtime::{Node, self_pid};
    /// # let node = Node::builder().workers(1).build().unwrap();
    /// # let other = Node::builder().workers(1).build().unwrap();
    /// # other.block_on(async move {
    /// // In a task of another executor.
    /// let pid = node.run_process(async { self_pid() }).await.unwrap();
    /// assert_eq!(pid.node(), node.id());
    /// # });
    /// ```
    ///
    /// # Errors
    /// The exit reason if the process ends before the future is ready. `system_limit` if the node
    /// has no room for the process, or has stopped.
    #[track_caller]
    pub fn run_process<F>(&self, future: F) -> RunProcess<F::Output>
    where
        F: IntoFuture,
        F::IntoFuture: Send + 'static,
        F::Output: Send + 'static,
    {
        let (answer, outcome) = Waiting::new();
        let (future, mut done) = (Box::pin(future.into_future()), Done(Some(answer)));
        let pid = self.spawn(async move {
            let value = future.await;
            done.give(Ok(value));
        });
        RunProcess { node: self.clone(), pid, outcome }
    }
}

/// The future of [`Node::run_process`].
///
/// ```
/// # use fika_runtime::{Node, RunProcess};
/// # let node = Node::builder().workers(1).build().unwrap();
/// let running: RunProcess<()> = node.run_process(std::future::pending());
/// // The process ends.
/// drop(running);
/// ```
#[must_use = "dropped, it kills the process"]
pub struct RunProcess<T> {
    node: Node,
    /// `None` if the node did not start the process, and after its end.
    pid: Option<Pid>,
    outcome: Waiting<Outcome<T>>,
}

impl<T> Future for RunProcess<T> {
    type Output = Outcome<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome<T>> {
        if self.pid.is_none() {
            return Poll::Ready(Err(ExitReason::SystemLimit));
        }
        let outcome = std::task::ready!(Pin::new(&mut self.outcome).poll(context));
        self.pid = None;
        Poll::Ready(outcome.unwrap_or(Err(ExitReason::Killed)))
    }
}

impl<T> Drop for RunProcess<T> {
    fn drop(&mut self) {
        if let Some(pid) = self.pid {
            self.node.exit_process(pid, ExitReason::Kill);
        }
    }
}

impl<T> fmt::Debug for RunProcess<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunProcess").field("pid", &self.pid).finish_non_exhaustive()
    }
}
