//! A value that is set once and waited for, across threads and processes; and an answer, which also
//! reports that it will never come.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::contain::wake;
use crate::sync::Mutex;

/// A value that another thread or process sets once, and that can be waited for.
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
        waker.into_iter().for_each(wake);
    }

    pub(crate) fn take(&self) -> Option<T> {
        self.0.lock().0.take()
    }

    /// Returns whether this is the only handle, so that nothing waits for the value.
    pub(crate) fn is_abandoned(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    pub(crate) fn poll(&self, context: &mut Context<'_>) -> Poll<T> {
        if self.is_set_or_wakes(context) {
            self.take().map_or(Poll::Pending, Poll::Ready)
        } else {
            Poll::Pending
        }
    }

    /// Returns whether the value is set. If not, the task is woken when it is.
    pub(crate) fn is_set_or_wakes(&self, context: &Context<'_>) -> bool {
        let shared = self.0.lock();
        if shared.0.is_some() {
            return true;
        }
        if shared.1.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            return false;
        }
        drop(shared);
        // Cloned and dropped without the lock, since a waker may belong to any executor.
        let mut waker = Some(context.waker().clone());
        let mut shared = self.0.lock();
        let is_set = shared.0.is_some();
        if !is_set {
            std::mem::swap(&mut shared.1, &mut waker);
        }
        drop(shared);
        is_set
    }
}

/// The answering end of a request. If it is dropped because the answering process or its node has
/// ended, the requester learns that there is no answer. Made by
/// [`Waiting::new`](crate::Waiting::new).
///
/// ```
/// # use fika_runtime::{Node, Waiting, spawn};
/// # Node::builder().build().unwrap().block_on(async {
/// let (answer, waiting) = Waiting::new();
/// spawn(async move {
///     if !answer.is_abandoned() {
///         answer.give(7);
///     }
/// });
/// assert_eq!(waiting.await, Some(7));
/// # });
/// ```
#[derive(Debug)]
pub struct Answer<T>(Option<Oneshot<Option<T>>>);

impl<T> Answer<T> {
    pub(crate) fn new() -> (Answer<T>, Oneshot<Option<T>>) {
        let wait = Oneshot::default();
        (Answer(Some(wait.clone())), wait)
    }

    /// Returns whether nothing waits for the answer any more.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.0.as_ref().is_none_or(Oneshot::is_abandoned)
    }

    /// Passes the answer to the process that waits for it, if it still waits.
    pub fn give(mut self, value: T) {
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

#[cfg(all(test, loom))]
mod loom_tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::task::Wake;

    use loom::thread;

    use super::*;
    use crate::sync::model;

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    /// A waiting task gets the value, or is woken for it. Dropping the answer also wakes it.
    #[test]
    fn set_against_poll() {
        for given in [Some(7), None] {
            model(move || {
                let (answer, wait) = Answer::new();
                let giver = thread::spawn(move || match given {
                    Some(value) => answer.give(value),
                    None => drop(answer),
                });
                let wakes = Arc::new(Wakes::default());
                let waker = wakes.clone().into();
                let mut context = Context::from_waker(&waker);
                let mut polled = wait.poll(&mut context);
                giver.join().unwrap();
                assert_eq!(wakes.0.load(Relaxed), usize::from(polled.is_pending()));
                if polled.is_pending() {
                    polled = wait.poll(&mut context);
                }
                assert_eq!(polled, Poll::Ready(given));
            });
        }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::task::Wake;

    use super::*;

    /// Uses the value when it is dropped, like a task that is dropped with its waker.
    struct Uses(Oneshot<u8>);

    impl Wake for Uses {
        fn wake(self: Arc<Self>) {}
    }

    impl Drop for Uses {
        fn drop(&mut self) {
            self.0.set(7);
        }
    }

    #[test]
    fn a_waker_is_not_dropped_under_the_lock() {
        let value = Oneshot::default();
        let uses = Arc::new(Uses(value.clone()));
        let waker = Waker::from(uses);
        assert!(value.poll(&mut Context::from_waker(&waker)).is_pending());
        drop(waker);
        // Dropping the first waker here sets the value.
        assert!(!value.is_set_or_wakes(&Context::from_waker(Waker::noop())));
        assert_eq!(value.take(), Some(7));
    }
}
