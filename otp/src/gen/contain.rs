//! Calls of the program's own code, such as destructors and hooks, in the middle of the work of a
//! behaviour: they may panic, or call `exit`, and the process goes on.

use std::future::Future as _;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use fika_runtime::{ExitReason, catch_exit};

/// Calls a function. If it panics or calls `exit`, returns the reason, and the process goes on.
pub(crate) fn contained<R>(call: impl FnOnce() -> R) -> Result<R, ExitReason> {
    let caught = pin!(catch_exit(async { call() }));
    match caught.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => unreachable!("the function does not wait"),
    }
}

/// Drops a value of the program. A panic in its destructor has been printed, and goes no further.
pub(crate) fn drop_contained<T>(value: T) {
    let _ = contained(|| drop(value));
}
