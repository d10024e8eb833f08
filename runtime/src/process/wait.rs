//! Futures of the runtime's own: giving way, waiting for time, and blocking calls.
//!
//! They work in a process together with any other future; none needs the mailbox.

use std::future::{Future, poll_fn};
use std::panic::resume_unwind;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;

use super::exit::catch;
use super::timer_action::Action;
use crate::context;
use crate::env::Time;
use crate::exit_reason::ExitReason;
use crate::node::Node;
use crate::timer::TimerRef;

/// Lets other processes run first (Erlang's `yield/0`).
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Waits for this time, and not less (Erlang's `timer:sleep/1`). Messages stay in the
/// mailbox.
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
        let inner = self.node.inner();
        if inner.env.now() >= self.at {
            return Poll::Ready(());
        }
        let waker = context.waker().clone();
        self.timer = Some(inner.start_timer_at(self.at, |_| Action::WakeTask(waker)));
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
            me.node.blocking.run(Box::new(move || to.set(catch(call))));
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
        match self.0.poll(context) {
            Poll::Ready(Ok(value)) => Poll::Ready(value),
            Poll::Ready(Err(reason)) => resume_unwind(Box::new(reason)),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// A value that is set once, by another thread or process, and waited for.
#[derive(Debug)]
pub(crate) struct Oneshot<T>(Arc<Mutex<(Option<T>, Option<Waker>)>>);

impl<T> Default for Oneshot<T> {
    fn default() -> Self {
        Oneshot(Arc::default())
    }
}

impl<T> Clone for Oneshot<T> {
    fn clone(&self) -> Self {
        Oneshot(self.0.clone())
    }
}

impl<T> Oneshot<T> {
    pub(crate) fn set(&self, value: T) {
        let mut shared = self.0.lock();
        shared.0 = Some(value);
        let waker = shared.1.take();
        drop(shared);
        waker.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn take(&self) -> Option<T> {
        self.0.lock().0.take()
    }

    fn poll(&self, context: &mut Context<'_>) -> Poll<T> {
        let mut shared = self.0.lock();
        match shared.0.take() {
            Some(value) => Poll::Ready(value),
            None => {
                shared.1 = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}
