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
use crate::oneshot::{Answer, Wait};
use crate::process::core::{Running, is_in_destructor};

/// An answer that is waited for: the other end of an [`Answer`]. It resolves to `None` if the answer
/// will never come.
///
/// It can be awaited in a process and outside of one, also while a `receive!` of the process waits
/// in another branch.
///
/// ```
/// # use fika_runtime::{Node, Waiting, spawn};
/// # Node::builder().build().unwrap().block_on(async {
/// let (answer, waiting) = Waiting::new();
/// spawn(async move { answer.give(7) });
/// assert_eq!(waiting.await, Some(7));
///
/// let (answer, waiting) = Waiting::<u64>::new();
/// spawn(async move { drop(answer) });
/// assert_eq!(waiting.await, None);
/// # });
/// ```
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Waiting<T>(Wait<T>);

impl<T> Waiting<T> {
    /// Returns the two ends: one that gives the answer, and one that waits for it.
    pub fn new() -> (Answer<T>, Waiting<T>) {
        let (answer, wait) = Answer::new(context::try_process(|me| me.asker()));
        (answer, Waiting(wait))
    }
}

impl<T> Future for Waiting<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let wait = &mut self.0;
        if !wait.is_given() && !is_in_destructor() && !wait.is_given_or_wakes(context) {
            return Poll::Pending;
        }
        let stops = |me: Running<'_>| {
            if me.control.is_in_destructor() {
                return false;
            }
            me.take_signals_aside();
            me.control.stops()
        };
        if context::try_process(stops).unwrap_or(false) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let (answer, asker) = wait.take().unwrap_or_default();
        if let Some(asker) = asker {
            context::try_process(|me| me.keep_asker(asker));
        }
        Poll::Ready(answer)
    }
}
