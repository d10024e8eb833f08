//! Errors of a part of a process that the process survives.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use crate::contain::last_unwinding;
use crate::context;
use crate::exit_reason::ExitReason;
use crate::process::core::Running;
use crate::process::failure::catch;

/// Runs a future, and returns the exit reason if it panics, calls [`exit`](crate::exit), or calls a
/// function wrongly. The process goes on (Erlang's `catch`).
///
/// An exit signal ends the process all the same. So does an `exit` during which a destructor waits.
///
/// ```
/// # use fika_runtime::{ExitReason, Node, catch_exit, exit};
/// # Node::builder().build().unwrap().block_on(async {
/// assert_eq!(catch_exit(async { 7 }).await, Ok(7));
/// let failed = catch_exit(async { exit(ExitReason::Timeout) }).await;
/// assert_eq!(failed, Err::<(), _>(ExitReason::Timeout));
/// # });
/// ```
///
/// # Errors
/// If the future fails, with the reason with which it would have ended the process.
pub async fn catch_exit<F: Future>(future: F) -> Result<F::Output, ExitReason> {
    let mut future = pin!(future);
    poll_fn(|context| match catch(|| future.as_mut().poll(context)) {
        Ok(polled) => polled.map(Ok),
        Err(reason) => {
            context::try_process(|me| me.control.stay());
            Poll::Ready(Err(reason))
        }
    })
    .await
}

/// Returns the reason with which the running process ends, or for which it unwinds, in a destructor
/// that runs because of that. `None` in any other place.
///
/// A library uses it to tell the other end of something why it was dropped.
///
/// ```
/// # use fika_runtime::{ExitReason, Node, exit, exit_reason, sleep, spawn_monitor};
/// struct Lease;
///
/// impl Drop for Lease {
///     fn drop(&mut self) {
///         match exit_reason() {
///             Some(reason) => println!("the holder has ended: {reason}"),
///             None => println!("it was given back"),
///         }
///     }
/// }
/// # Node::builder().build().unwrap().block_on(async {
/// # spawn_monitor(async { let _lease = Lease; exit(ExitReason::Shutdown) });
/// # });
/// ```
#[must_use]
pub fn exit_reason() -> Option<ExitReason> {
    let decided = |me: Running<'_>| {
        let ends = me.control.is_ending() || me.control.dropped.get();
        ends.then(|| me.control.reason()).flatten()
    };
    let reason = context::try_process(decided).flatten();
    reason.or_else(|| std::thread::panicking().then(last_unwinding).flatten())
}
