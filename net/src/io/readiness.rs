//! Connects a network's events with futures: one that waits to read, and one that waits to write.
//!
//! This needs no particular runtime: a future that has to wait leaves its `Waker`, and the event
//! wakes it. There is one place for a reader and one for a writer. So if two futures read a socket
//! at the same time, only the later one is woken.
//!
//! Prior art: tokio's `ScheduledIo`.

use std::future::poll_fn;
use std::io;
use std::mem;
use std::task::{Context, Poll, Waker};

use fika_runtime::wake;
use parking_lot::Mutex;

use super::network::SocketHandler;

/// A handler that wakes futures.
#[derive(Default)]
pub(crate) struct Readiness {
    read: Mutex<Side>,
    write: Mutex<Side>,
}

/// One of the two directions.
#[derive(Default)]
struct Side {
    /// Whether an event has arrived since the latest attempt began. If the attempt found nothing,
    /// it must then be repeated, since the event will not be.
    event: bool,
    /// The task that the next event wakes.
    waiter: Option<Waker>,
}

#[derive(Clone, Copy)]
pub(crate) enum Direction {
    Read,
    Write,
}

impl Readiness {
    /// Repeats the attempt until it returns something other than `WouldBlock`. Nothing is lost when
    /// the future is dropped: an attempt whose result was not returned has not been made.
    pub(crate) async fn io<T>(
        &self,
        direction: Direction,
        mut attempt: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        poll_fn(|cx| self.poll_io(cx, direction, &mut attempt)).await
    }

    /// Makes the attempt as `io` does, for a caller that polls by hand.
    pub(crate) fn poll_io<T>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        mut attempt: impl FnMut() -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        let side = match direction {
            Direction::Read => &self.read,
            Direction::Write => &self.write,
        };
        loop {
            side.lock().event = false;
            match attempt() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => return Poll::Ready(result),
            }
            // Cloned and dropped without the lock: a waker may belong to any executor, and dropping
            // it can drop a task.
            let waker = cx.waker().clone();
            let mut side = side.lock();
            if side.event {
                continue;
            }
            let old = side.waiter.replace(waker);
            drop(side);
            drop(old);
            return Poll::Pending;
        }
    }
}

impl SocketHandler for Readiness {
    fn ready(&self, readable: bool, writable: bool) {
        for (ready, side) in [(readable, &self.read), (writable, &self.write)] {
            if !ready {
                continue;
            }
            let waiter = {
                let mut side = side.lock();
                side.event = true;
                mem::take(&mut side.waiter)
            };
            if let Some(waiter) = waiter {
                wake(waiter);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn would_block<T>() -> io::Result<T> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    #[test]
    fn an_event_wakes_the_waiter_of_its_direction() {
        let readiness = Readiness::default();
        let woken = [(); 2].map(|()| Arc::new(Woken(AtomicUsize::new(0))));
        for (direction, woken) in [Direction::Read, Direction::Write].into_iter().zip(&woken) {
            let waker = Waker::from(woken.clone());
            let mut cx = Context::from_waker(&waker);
            assert!(readiness.poll_io::<()>(&mut cx, direction, would_block).is_pending());
        }
        let counts = || [0, 1].map(|n: usize| woken[n].0.load(Ordering::SeqCst));
        readiness.ready(false, false);
        assert_eq!(counts(), [0, 0]);
        readiness.ready(true, false);
        assert_eq!(counts(), [1, 0]);
        readiness.ready(true, true);
        assert_eq!(counts(), [1, 1], "a woken task no longer waits");
    }

    /// If a waker panics, the task that waits in the other direction is still woken.
    #[test]
    fn a_panicking_waker_does_not_affect_the_other_direction() {
        struct Panics;
        impl Wake for Panics {
            fn wake(self: Arc<Self>) {
                std::panic::resume_unwind(Box::new("a waker"));
            }
        }
        let (readiness, woken) = (Readiness::default(), Arc::new(Woken(AtomicUsize::new(0))));
        let wakers =
            [(Direction::Read, Arc::new(Panics).into()), (Direction::Write, woken.clone().into())];
        for (direction, waker) in &wakers {
            let mut cx = Context::from_waker(waker);
            assert!(readiness.poll_io::<()>(&mut cx, *direction, would_block).is_pending());
        }
        readiness.ready(true, true);
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    }

    /// An event comes between an attempt that finds nothing and the registration of the waker.
    #[test]
    fn an_event_during_the_attempt_is_not_lost() {
        let readiness = Readiness::default();
        let mut attempts = 0;
        let mut cx = Context::from_waker(Waker::noop());
        let result = readiness.poll_io(&mut cx, Direction::Read, || {
            attempts += 1;
            if attempts == 1 {
                readiness.ready(true, false);
                return would_block();
            }
            Ok(7)
        });
        assert!(matches!(result, Poll::Ready(Ok(7))));
        assert_eq!(attempts, 2);
    }

    /// An event causes one attempt: an old event does not cause a second one.
    #[test]
    fn an_event_before_the_attempt_is_consumed() {
        let readiness = Readiness::default();
        readiness.ready(true, true);
        let mut attempts = 0;
        let mut cx = Context::from_waker(Waker::noop());
        let result = readiness.poll_io::<()>(&mut cx, Direction::Read, || {
            attempts += 1;
            would_block()
        });
        assert!(result.is_pending());
        assert_eq!(attempts, 1);
    }

    #[test]
    fn an_interrupted_attempt_is_repeated() {
        let readiness = Readiness::default();
        let mut results = vec![Ok(1), Err(io::ErrorKind::Interrupted.into())];
        let mut cx = Context::from_waker(Waker::noop());
        let result = readiness.poll_io(&mut cx, Direction::Write, || results.pop().unwrap());
        assert!(matches!(result, Poll::Ready(Ok(1))));
    }
}
