//! Work that runs in another process, and whose result the owner waits for: [`Task`].
//!
//! ```
//! use fika::prelude::*;
//! use fika::task::{Task, TaskStream, TaskSupervisor};
//!
//! async fn count(words: &'static str) -> usize {
//!     words.split_whitespace().count()
//! }
//!
//! #[fika::main]
//! async fn main() -> fika::Result {
//!     // Two tasks at the same time.
//!     let (a, b) = (Task::spawn(count("to be or")), Task::spawn(count("not to be")));
//!     assert_eq!(a.await? + b.await?, 6);
//!
//!     // A task that fails, and one that takes too long.
//!     let failed = Task::spawn(async { panic!("a mistake") });
//!     assert!(matches!(failed.await, Err::<(), _>(ExitReason::Panic(_))));
//!     let slow = Task::spawn(sleep(secs(60)));
//!     assert_eq!(slow.within(millis(1)).await.err(), Some(ExitReason::Timeout));
//!
//!     // Very many tasks, of which ten run at the same time.
//!     let counts = TaskStream::new(["one", "and two"].repeat(50), 10, count).collect().await;
//!     assert_eq!(counts.len(), 100);
//!
//!     // Tasks that a supervisor ends.
//!     let tasks = TaskSupervisor::start_link(Start::new()).await?;
//!     assert_eq!(tasks.spawn(count("a b c")).await?.await?, 3);
//!     Ok(())
//! }
//! ```
//!
//! A task ends when its handle is dropped or its owner ends, unless it was detached. If a task
//! fails, the owner gets the exit reason as the result, and no exit signal. A task can run on
//! another node: see [`Task::spawn_on`].
//!
//! Prior art: Elixir's `Task`.

mod remote;
mod stream;
mod supervisor;
mod waiter;

use std::fmt;
use std::future::{Future, IntoFuture, poll_fn};
use std::pin::{Pin as StdPin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use fika_runtime::{
    Answer, Elapsed, Ended, ExitReason, Pid, Waiting, exit_async, exit_process, exit_reason,
    self_pid, spawn, timeout, try_self_pid,
};

pub use self::stream::TaskStream;
pub use self::supervisor::TaskSupervisor;

/// The handle of a process that computes a `T`. Awaited, it returns the value or the exit reason.
///
/// ```
/// use fika::task::Task;
///
/// #[fika::main]
/// async fn main() -> fika::Result {
///     let (a, b) = (Task::spawn(async { 20 }), Task::spawn(async { 22 }));
///     assert_eq!(a.await? + b.await?, 42);
///     let failed = Task::spawn(async { panic!("a mistake") });
///     assert!(failed.await.is_err());
///     Ok(())
/// }
/// ```
#[must_use = "dropped, it ends the task"]
pub struct Task<T> {
    pid: Pid,
    /// `None` after the result was taken or the task was detached.
    result: Option<Waiting<Result<T, ExitReason>>>,
    /// `None` for a task of this node.
    there: Option<Box<waiter::There>>,
}

/// The task's side of the result. Sends the exit reason if the task ends without a result.
struct Done<T>(Option<Answer<Result<T, ExitReason>>>);

impl<T> Done<T> {
    fn give(mut self, result: Result<T, ExitReason>) {
        if let Some(answer) = self.0.take() {
            answer.give(result);
        }
    }
}

impl<T> Drop for Done<T> {
    fn drop(&mut self) {
        if let Some(answer) = self.0.take() {
            answer.give(Err(exit_reason().unwrap_or(ExitReason::Killed)));
        }
    }
}

/// Returns the future of a task's process.
async fn run<T, F: Future<Output = T>>(owner: Pid, done: Done<T>, work: F) {
    let (mut work, mut owner) = (pin!(work), pin!(Ended::of(owner)));
    let value = poll_fn(|context| {
        if let Poll::Ready(value) = work.as_mut().poll(context) {
            return Poll::Ready(Some(value));
        }
        owner.as_mut().poll(context).map(|_| None)
    });
    match value.await {
        Some(value) => done.give(Ok(value)),
        None => {
            exit_async(ExitReason::Shutdown).await;
        }
    }
}

impl<T: Send + 'static> Task<T> {
    /// Starts a task on this node.
    ///
    /// # Panics
    /// Outside of a process. The caller ends with `system_limit` if the node has no room.
    #[track_caller]
    pub fn spawn<F>(work: F) -> Task<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let (answer, result) = Waiting::new();
        let pid = spawn(run(self_pid(), Done(Some(answer)), work));
        Task { pid, result: Some(result), there: None }
    }

    /// Waits for the value for at most this time, and ends the task if it takes longer (Elixir's
    /// `Task.await`).
    ///
    /// ```
    /// use fika::prelude::*;
    /// use fika::task::Task;
    ///
    /// # #[fika::main]
    /// # async fn main() {
    /// assert_eq!(Task::spawn(async { 7 }).within(secs(5)).await, Ok(7));
    /// let slow = Task::spawn(async { sleep(secs(60)).await });
    /// assert_eq!(slow.within(millis(1)).await, Err(ExitReason::Timeout));
    /// # }
    /// ```
    ///
    /// # Errors
    /// The exit reason of the task; `timeout` if it took too long.
    pub async fn within(mut self, limit: Duration) -> Result<T, ExitReason> {
        match self.yield_for(limit).await {
            Some(result) => result,
            None => Err(ExitReason::Timeout),
        }
    }

    /// Waits for the value for at most this time. Returns `None` if it takes longer; the task
    /// continues, and this can be called again (Elixir's `Task.yield`). After the result, this
    /// returns `noproc`.
    ///
    /// ```
    /// use fika::prelude::*;
    /// use fika::task::Task;
    ///
    /// # #[fika::main]
    /// # async fn main() -> fika::Result {
    /// let mut task = Task::spawn(async { 7 });
    /// let result = loop {
    ///     match task.yield_for(secs(1)).await {
    ///         Some(result) => break result?,
    ///         None => println!("still waiting"),
    ///     }
    /// };
    /// assert_eq!(result, 7);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn yield_for(&mut self, limit: Duration) -> Option<Result<T, ExitReason>> {
        timeout(limit, poll_fn(|context| self.poll_result(context))).await.ok()
    }

    /// Ends the task with `shutdown`, or by a kill if it does not end within `limit`. Returns its
    /// result if the task had already ended, or its value if it still finished in time (Elixir's
    /// `Task.shutdown`).
    ///
    /// ```
    /// use fika::prelude::*;
    /// use fika::task::Task;
    ///
    /// # #[fika::main]
    /// # async fn main() {
    /// let slow = Task::spawn(sleep(secs(60)));
    /// assert!(slow.shutdown(secs(5)).await.is_none());
    /// # }
    /// ```
    pub async fn shutdown(mut self, limit: Duration) -> Option<Result<T, ExitReason>> {
        let done = poll_fn(|context| Poll::Ready(self.poll_result(context)));
        if let Poll::Ready(result) = done.await {
            return Some(result);
        }
        let mut ended = Ended::of(self.pid);
        exit_process(self.pid, ExitReason::Shutdown);
        if timeout(limit, &mut ended).await == Err(Elapsed) {
            exit_process(self.pid, ExitReason::Kill);
            ended.await;
        }
        // The value of a task on another node may still be in the waiter's mailbox.
        poll_fn(|context| self.poll_result(context)).await.ok().map(Ok)
    }

    fn poll_result(&mut self, context: &mut Context<'_>) -> Poll<Result<T, ExitReason>> {
        let Some(result) = &mut self.result else { return Poll::Ready(Err(ExitReason::Noproc)) };
        let result = StdPin::new(result).poll(context);
        if let Some(there) = &mut self.there
            && result.is_pending()
        {
            there.poll(context);
        }
        result.map(|result| {
            self.result = None;
            result.unwrap_or(Err(ExitReason::Killed))
        })
    }
}

impl<T> Task<T> {
    /// Returns the task's process.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Lets the task run without a handle until its owner ends. Its value is dropped.
    ///
    /// ```
    /// use fika::prelude::*;
    /// use fika::task::Task;
    ///
    /// # #[fika::main]
    /// # async fn main() {
    /// let me = self_pid();
    /// let task = Task::spawn(async move { send(me, "done".to_owned()) });
    /// println!("started {}", task.pid());
    /// task.detach();
    /// receive! { "done" => {} }
    /// # }
    /// ```
    pub fn detach(mut self) {
        self.result = None;
        if let Some(there) = self.there.take() {
            there.detach();
        }
    }
}

impl<T: Send + 'static> IntoFuture for Task<T> {
    type Output = Result<T, ExitReason>;
    type IntoFuture = Joined<T>;

    fn into_future(self) -> Joined<T> {
        Joined(self)
    }
}

/// The future of an awaited [`Task`], for functions that take a future.
///
/// ```
/// use fika::prelude::*;
/// use fika::task::{Joined, Task};
///
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// let joined: Joined<u64> = Task::spawn(async { 7 }).into_future();
/// assert_eq!(timeout(secs(5), joined).await??, 7);
/// # Ok(())
/// # }
/// ```
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Joined<T>(Task<T>);

impl<T: Send + 'static> Future for Joined<T> {
    type Output = Result<T, ExitReason>;

    fn poll(mut self: StdPin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll_result(context)
    }
}

/// Ends the task, unless it has ended or was detached.
impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        // Outside of a process, and while the owner ends, the owner's end will end the task.
        if self.result.is_some() && try_self_pid().is_some() && exit_reason().is_none() {
            exit_process(self.pid, ExitReason::Kill);
        }
    }
}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Task({})", self.pid)
    }
}
