//! A value that is set once and waited for, across threads and processes; and an answer, which
//! says so when it will never come.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

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

    pub(crate) fn poll(&self, context: &mut Context<'_>) -> Poll<T> {
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

/// Where the answer to a request goes. Whoever asked gets none when it is dropped, be it that
/// the process that should answer has ended or that its node has.
#[derive(Debug)]
pub(crate) struct Answer<T>(Option<Oneshot<Option<T>>>);

impl<T> Answer<T> {
    /// The two ends.
    pub(crate) fn new() -> (Answer<T>, Oneshot<Option<T>>) {
        let wait = Oneshot::default();
        (Answer(Some(wait.clone())), wait)
    }

    pub(crate) fn give(mut self, value: T) {
        if let Some(to) = self.0.take() {
            to.set(Some(value));
        }
    }
}

impl<T> Drop for Answer<T> {
    fn drop(&mut self) {
        if let Some(to) = self.0.take() {
            to.set(None);
        }
    }
}
