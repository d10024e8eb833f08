//! Futures of the runtime's own: waiting for time, and blocking calls.
//!
//! They work in a process together with any other future; none needs the mailbox.

use std::future::{Future, poll_fn};
use std::panic::resume_unwind;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use super::budget::{gives_way, is_dropped, leave_destructor, stops};
use super::exit::catch;
use super::timer_action::Action;
use crate::context;
use crate::env::Time;
use crate::exit_reason::ExitReason;
use crate::node::Node;
use crate::oneshot::Oneshot;
use crate::timers::TimerRef;

/// Waits for this time, and not less (Erlang's `timer:sleep/1`). Messages stay in the
/// mailbox. In a destructor of a process that has ended it does not wait.
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn sleep(time: Duration) -> Sleep {
    context::process("sleep", |me| Sleep {
        node: me.node.handle(),
        at: me.node.env.now() + time,
        timer: None,
    })
}

/// The future of [`sleep`].
#[derive(Debug)]
pub struct Sleep {
    node: Node,
    at: Time,
    timer: Option<TimerRef>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.stop();
        if is_dropped() {
            return Poll::Ready(());
        }
        let inner = self.node.inner();
        let now = inner.env.now();
        if now >= self.at {
            return if gives_way(context) { Poll::Pending } else { Poll::Ready(()) };
        }
        let waker = context.waker().clone();
        self.timer = Some(inner.start_timer_at(now, self.at, |_| Action::WakeTask(waker)));
        Poll::Pending
    }
}

impl Sleep {
    fn stop(&mut self) {
        if let Some(timer) = self.timer.take() {
            let inner = self.node.inner();
            inner.timers.cancel(timer, inner.env.now());
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The time was over before the future was ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("timeout")]
pub struct Elapsed;

/// Waits for a future, but not longer than this.
///
/// # Errors
/// [`Elapsed`] when the time is over; the future is dropped then.
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

/// Runs a call that blocks, on a thread that is there for such calls. A panic in it goes
/// on in the process that waits.
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn spawn_blocking<T, F>(call: F) -> SpawnBlocking<T>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    let result = Oneshot::default();
    let to = result.clone();
    context::process("spawn_blocking", |me| {
        // PROC-7.
        if !me.control.ending.get() {
            me.node.run_blocking(Box::new(move || to.set(catch(call))));
        }
    });
    SpawnBlocking(result)
}

/// The future of [`spawn_blocking`].
#[derive(Debug)]
pub struct SpawnBlocking<T>(Oneshot<Result<T, ExitReason>>);

impl<T> Future for SpawnBlocking<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        if stops(context) {
            return Poll::Pending;
        }
        match self.0.poll(context) {
            Poll::Ready(Ok(value)) => Poll::Ready(value),
            Poll::Ready(Err(reason)) => resume_unwind(Box::new(reason)),
            // A process that has ended runs no call (PROC-7).
            Poll::Pending if is_dropped() => leave_destructor("spawn_blocking"),
            Poll::Pending => Poll::Pending,
        }
    }
}
