//! Waiting for time: `sleep` and `timeout`.
//!
//! These futures work beside any other future of the process, and leave its mailbox alone.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::context;
use crate::env::Time;
use crate::node::Node;
use crate::process::core::{SlotRef, gives_way, is_in_destructor};
use crate::process::deliver::Action;
use crate::process::failure::contain;
use crate::timers::TimerRef;

/// Waits for at least this time (Erlang's `timer:sleep/1`). Messages stay in the mailbox. In a
/// destructor of a process that ends or unwinds, it does not wait.
///
/// ```
/// # use std::time::Duration;
/// # use fika_runtime::{Node, sleep};
/// # Node::builder().build().unwrap().block_on(async {
/// sleep(Duration::from_millis(5)).await;
/// # });
/// ```
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn sleep(time: Duration) -> Sleep {
    context::process("sleep", |me| me.node.handle()).sleep(time)
}

impl Node {
    /// Waits for at least this time, by the node's clock. Unlike [`sleep`], it can be awaited outside
    /// of a process.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use fika_runtime::Node;
    /// # let node = Node::builder().build().unwrap();
    /// # let other = node.clone();
    /// # node.block_on(async move {
    /// other.sleep(Duration::from_millis(5)).await;
    /// # });
    /// ```
    pub fn sleep(&self, time: Duration) -> Sleep {
        let at = self.inner().env.now() + time;
        Sleep { node: self.clone(), at, started: None, timer: None }
    }
}

/// The future of [`sleep`].
///
/// ```
/// # use std::time::Duration;
/// # use fika_runtime::{Node, Sleep, sleep};
/// # Node::builder().build().unwrap().block_on(async {
/// // The time runs from here.
/// let pause: Sleep = sleep(Duration::from_millis(5));
/// println!("getting ready");
/// pause.await;
/// # });
/// ```
#[derive(Debug)]
#[must_use = "nothing waits unless this is awaited"]
pub struct Sleep {
    node: Node,
    at: Time,
    /// When it was first polled: timers that are due at one time fire in the order of their starts.
    started: Option<Time>,
    /// The timer, which runs from the first poll to the last one, unless another task polls.
    timer: Option<(TimerRef, Wakes)>,
}

/// The receiver of a timer's wake-up.
enum Wakes {
    /// The process that polls.
    Process(SlotRef),
    /// A task inside the process's future, or of another executor.
    Task(Waker),
}

impl Wakes {
    /// Returns the receiver that is being polled.
    fn of(context: &Context<'_>) -> Wakes {
        let process = context::try_process(|me| {
            me.control.is_own_waker(context.waker()).then_some(me.control.slot)
        });
        match process.flatten() {
            Some(slot) => Wakes::Process(slot),
            None => Wakes::Task(context.waker().clone()),
        }
    }

    fn is_of(&self, context: &Context<'_>) -> bool {
        match self {
            Wakes::Process(slot) => slot.waker().data() == context.waker().data(),
            Wakes::Task(task) => task.will_wake(context.waker()),
        }
    }

    fn action(&self) -> Action {
        match self {
            Wakes::Process(slot) => Action::Wake(*slot),
            Wakes::Task(task) => Action::WakeTask(task.clone()),
        }
    }
}

impl fmt::Debug for Wakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Wakes::Process(_) => "Process",
            Wakes::Task(_) => "Task",
        })
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if is_in_destructor() {
            self.stop();
            return Poll::Ready(());
        }
        let now = self.node.inner().env.now();
        if now >= self.at {
            self.stop();
            return if gives_way(context) { Poll::Pending } else { Poll::Ready(()) };
        }
        if !self.timer.as_ref().is_some_and(|(_, wakes)| wakes.is_of(context)) {
            self.stop();
            let (wakes, started) = (Wakes::of(context), *self.started.get_or_insert(now));
            let inner = self.node.inner();
            let timer = inner.start_timer_at(started, self.at, |_| wakes.action());
            self.timer = Some((timer, wakes));
        }
        Poll::Pending
    }
}

impl Sleep {
    /// Returns how much of the time is left.
    pub(crate) fn left(&self) -> Duration {
        self.at.since(self.node.env().now())
    }

    fn stop(&mut self) {
        if let Some((timer, wakes)) = self.timer.take() {
            self.node.inner().cancel_timer(timer);
            // A waker of another executor.
            contain(|| drop(wakes));
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The time was over before the future was ready.
///
/// ```
/// # use std::time::Duration;
/// # use fika_runtime::{Elapsed, Node, timeout};
/// # Node::builder().build().unwrap().block_on(async {
/// let never = std::future::pending::<()>();
/// assert_eq!(timeout(Duration::from_millis(5), never).await, Err(Elapsed));
/// # });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("timeout: the future was not ready in time")]
pub struct Elapsed;

/// Waits for a future, at most for this time.
///
/// ```
/// # use std::time::Duration;
/// # use fika_runtime::{Node, timeout};
/// # Node::builder().build().unwrap().block_on(async {
/// match timeout(Duration::from_secs(5), async { 7 }).await {
///     Ok(n) => println!("{n}"),
///     Err(_) => println!("it took too long"),
/// }
/// # });
/// ```
///
/// # Errors
/// [`Elapsed`] if the time is over first. The future is dropped.
///
/// # Panics
/// Outside of a process.
pub async fn timeout<F: Future>(time: Duration, future: F) -> Result<F::Output, Elapsed> {
    let mut sleep = sleep(time);
    let mut future = pin!(future);
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Ok(value)),
        Poll::Pending => Pin::new(&mut sleep).poll(context).map(|()| Err(Elapsed)),
    })
    .await
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    /// Polls a `sleep` with a waker, and returns its timer.
    fn timer_of(sleep: &mut Pin<Box<Sleep>>, task: &Waker) -> Option<TimerRef> {
        assert!(sleep.as_mut().poll(&mut Context::from_waker(task)).is_pending());
        sleep.timer.as_ref().map(|(timer, _)| *timer)
    }

    #[test]
    fn a_sleep_that_is_polled_many_times_starts_one_timer() {
        let node = Node::builder().workers(1).build().unwrap();
        let counts = node.clone();
        node.block_on(async move {
            let mut sleep = Box::pin(sleep(Duration::from_secs(60)));
            let own = poll_fn(|context| Poll::Ready(context.waker().clone())).await;
            let before = counts.timer_count();
            let first = timer_of(&mut sleep, &own);
            for _ in 0..100 {
                // Each poll has another clone of the waker.
                assert_eq!(timer_of(&mut sleep, &own.clone()), first);
            }
            assert_eq!(counts.timer_count(), before + 1);
            // Another task: its timer replaces the first one. (`Waker::noop` need not equal itself.)
            assert_ne!(timer_of(&mut sleep, Waker::noop()), first);
            assert_eq!(counts.timer_count(), before + 1);
            drop(sleep);
            assert_eq!(counts.timer_count(), before);
        });
        node.stop();
    }
}
