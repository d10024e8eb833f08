//! Futures of the runtime's own: waiting for time, and blocking calls.
//!
//! They work in a process together with any other future; none needs the mailbox.

use std::future::{Future, poll_fn};
use std::panic::resume_unwind;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use super::budget::{gives_way, stops};
use super::control::Running;
use super::exit::{catch, contain, raise};
use super::timer_action::Action;
use crate::context;
use crate::env::Time;
use crate::exit_reason::ExitReason;
use crate::node::Node;
use crate::oneshot::Oneshot;
use crate::timers::TimerRef;

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
            return if gives_way(context) { Poll::Pending } else { Poll::Ready(()) };
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

/// Whose calls run on which threads.
#[derive(Clone, Copy)]
pub(crate) enum Blocking {
    /// The program's own.
    OfProgram,
    /// Looking up hosts.
    Lookup,
}

/// Runs a call that blocks, on a thread that is there for such calls. A panic in it goes
/// on in the process that waits.
///
/// When the system gives no thread for the call, the process that waits ends with
/// `system_limit`. If other calls are running at that time, the call waits for one of their
/// threads instead. A call that has not begun when its node stops never begins.
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn spawn_blocking<T, F>(call: F) -> SpawnBlocking<T>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    context::process("spawn_blocking", |me| SpawnBlocking::begin(me, Blocking::OfProgram, call))
}

/// Runs a call that looks something up in the network, beside all of the program's own blocking
/// calls. A panic in it goes on in the process that waits.
///
/// # Errors
/// When there is no thread for it.
///
/// # Panics
/// Outside of a process.
#[doc(hidden)]
pub async fn run_lookup<T, F>(call: F) -> Result<T, ExitReason>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    let begun =
        context::process("run_lookup", |me| SpawnBlocking::begin(me, Blocking::Lookup, call));
    poll_fn(|context| begun.poll_result(context)).await
}

/// The future of [`spawn_blocking`].
#[derive(Debug)]
pub struct SpawnBlocking<T>(Oneshot<Result<T, ExitReason>>);

impl<T: Send + 'static> SpawnBlocking<T> {
    fn begin(
        me: Running<'_>,
        kind: Blocking,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> SpawnBlocking<T> {
        let result = Oneshot::default();
        // PROC-7.
        if !me.control.ending.get() {
            let to = result.clone();
            // The process may have ended meanwhile, and then the value is dropped here.
            let call = Box::new(move || contain(move || to.set(catch(call))));
            if me.node.run_blocking(kind, call).is_err() {
                result.set(Err(ExitReason::SystemLimit));
            }
        }
        SpawnBlocking(result)
    }
}

impl<T> SpawnBlocking<T> {
    fn poll_result(&self, context: &mut Context<'_>) -> Poll<Result<T, ExitReason>> {
        if stops() { Poll::Pending } else { self.0.poll(context) }
    }
}

impl<T> Future for SpawnBlocking<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        match self.poll_result(context) {
            Poll::Ready(Ok(value)) => Poll::Ready(value),
            // Not the call's own error: it can't end by an exit reason.
            Poll::Ready(Err(ExitReason::SystemLimit)) => raise(ExitReason::SystemLimit),
            Poll::Ready(Err(reason)) => resume_unwind(Box::new(reason)),
            Poll::Pending => Poll::Pending,
        }
    }
}
