//! Waiting for one answer, outside of the mailbox.
//!
//! A function that requests something waits only for its own answer. So the answer goes directly to
//! the function and not through the mailbox: any number of such functions can wait side by side,
//! and beside a `receive!`, without looking at any message.
//!
//! The order of signals still holds: everything that was sent to the process before the answer is
//! received before the answer is returned.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::context;
use crate::oneshot::{Answer, Oneshot};
use crate::process::core::{is_in_destructor, stops};

/// An answer that the running process waits for. `None` if the answer will never come.
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Waiting<T>(Oneshot<Option<T>>);

impl<T> Waiting<T> {
    /// Returns the two ends: one that gives the answer, and one that waits for it.
    pub fn new() -> (Answer<T>, Waiting<T>) {
        let (answer, wait) = Answer::new();
        (answer, Waiting(wait))
    }
}

impl<T> Future for Waiting<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        if is_in_destructor() {
            return Poll::Ready(self.0.take().flatten());
        }
        if !self.0.is_set_or_wakes(context) {
            return Poll::Pending;
        }
        context::try_process(|me| me.take_signals_aside());
        if stops(context) {
            return Poll::Pending;
        }
        Poll::Ready(self.0.take().flatten())
    }
}
