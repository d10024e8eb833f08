//! Many tasks, of which a limited number run at the same time: [`TaskStream`].

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::task::{Context, Poll};

use fika_runtime::ExitReason;

use super::Task;

/// Runs a task for each item, a limited number of them at the same time, and returns their results
/// (Elixir's `Task.async_stream`). Dropping it ends the tasks that run.
///
/// ```
/// use fika::task::TaskStream;
///
/// #[fika::main]
/// async fn main() {
///     let squares = TaskStream::new(1..=4_u64, 2, |n| async move { n * n });
///     let squares: Vec<u64> = squares.collect().await.into_iter().map(Result::unwrap).collect();
///     assert_eq!(squares, [1, 4, 9, 16]);
/// }
/// ```
#[must_use = "it starts tasks when it is asked for results"]
pub struct TaskStream<I, F, T> {
    items: I,
    work: F,
    concurrency: usize,
    ordered: bool,
    running: VecDeque<Task<T>>,
}

impl<I, F, T, Fut> TaskStream<I, F, T>
where
    I: Iterator,
    F: FnMut(I::Item) -> Fut,
    Fut: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    /// Makes a stream of tasks. At most `concurrency` of them run at the same time, and at least one.
    pub fn new(items: impl IntoIterator<IntoIter = I>, concurrency: usize, work: F) -> Self {
        let (items, running) = (items.into_iter(), VecDeque::new());
        TaskStream { items, work, concurrency: concurrency.max(1), ordered: true, running }
    }

    /// Returns results in the order in which they come, not in the order of the items (Elixir's
    /// `ordered: false`).
    ///
    /// ```
    /// use fika::task::TaskStream;
    ///
    /// # #[fika::main]
    /// # async fn main() -> fika::Result {
    /// let mut squares = TaskStream::new(1..=4_u64, 2, |n| async move { n * n }).unordered();
    /// let mut sum = 0;
    /// while let Some(square) = squares.next().await {
    ///     sum += square?;
    /// }
    /// assert_eq!(sum, 30);
    /// # Ok(())
    /// # }
    /// ```
    pub fn unordered(mut self) -> Self {
        self.ordered = false;
        self
    }

    /// Returns the next result. `None` after the last one. The result of a failed task is its exit
    /// reason, and the other tasks continue.
    pub async fn next(&mut self) -> Option<Result<T, ExitReason>> {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// Returns all results.
    pub async fn collect(mut self) -> Vec<Result<T, ExitReason>> {
        let mut results = Vec::new();
        while let Some(result) = self.next().await {
            results.push(result);
        }
        results
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<T, ExitReason>>> {
        while self.running.len() < self.concurrency {
            let Some(item) = self.items.next() else { break };
            self.running.push_back(Task::spawn((self.work)(item)));
        }
        if self.running.is_empty() {
            return Poll::Ready(None);
        }
        let candidates = if self.ordered { 1 } else { self.running.len() };
        for at in 0..candidates {
            if let Poll::Ready(result) = self.running[at].poll_result(context) {
                self.running.remove(at);
                return Poll::Ready(Some(result));
            }
        }
        Poll::Pending
    }
}
