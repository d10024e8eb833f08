//! Calls the program's code, mostly destructors and wakers, in places that a panic must not leave.
//!
//! Such code runs on the threads of the runtime, in the middle of work for others. So a panic ends
//! at the call. The panic hook has already printed it; `process::contain` also reports it.
//! `UNSAFE.md` lists all calls.
//!
//! If the destructors of two fields of one value panic, the program aborts. Rust defines it so, and
//! no caller can prevent it. So values are dropped one at a time.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

use crate::exit_reason::ExitReason;

thread_local! {
    /// Why this thread last began to unwind. Set by the panic hook and by functions that unwind
    /// without it, and taken when the unwinding is caught.
    static UNWINDS: RefCell<Option<ExitReason>> = const { RefCell::new(None) };
}

/// Notes why this thread begins to unwind.
pub(crate) fn note_unwinding(why: ExitReason) {
    // Threads that are about to end have no thread-locals.
    let _ = UNWINDS.try_with(|last| last.replace(Some(why)));
}

/// Takes the reason why this thread last began to unwind.
pub(crate) fn take_unwinding() -> Option<ExitReason> {
    UNWINDS.try_with(RefCell::take).unwrap_or_default()
}

/// Returns the reason why this thread last began to unwind.
pub(crate) fn last_unwinding() -> Option<ExitReason> {
    UNWINDS.try_with(|last| last.borrow().clone()).unwrap_or_default()
}

/// Calls `work`, and returns its panic unchanged.
pub(crate) fn catch_payload<R>(work: impl FnOnce() -> R) -> std::thread::Result<R> {
    catch_unwind(AssertUnwindSafe(work))
}

/// Calls `work`. Returns `None` if it panicked.
#[doc(hidden)]
pub fn contained<R>(work: impl FnOnce() -> R) -> Option<R> {
    catch_payload(work).map_err(drop_payload).ok()
}

/// Wakes a task. The waker may belong to any executor.
#[doc(hidden)]
pub fn wake(waker: Waker) {
    contained(|| waker.wake());
}

/// The most payloads in a row whose destructors may panic. The next payload is leaked.
const PAYLOADS_MAX: usize = 8;

/// Drops a payload. The payload comes from the program: its destructor may panic in turn, with
/// another payload whose destructor panics. For a payload of a process, the caller has entered that
/// process.
pub(crate) fn drop_payload(payload: Box<dyn Any + Send>) {
    let mut left = Some(payload);
    for _ in 0..PAYLOADS_MAX {
        let Some(payload) = left.take() else { break };
        left = catch_payload(|| drop(payload)).err();
    }
    std::mem::forget(left);
    take_unwinding();
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::panic::resume_unwind;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    struct Loud;

    impl Wake for Loud {
        fn wake(self: Arc<Self>) {
            resume_unwind(Box::new("a waker"));
        }
    }

    /// Panics when it is dropped, with a payload that does so as well.
    struct Endless(Arc<AtomicUsize>);

    impl Drop for Endless {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
            resume_unwind(Box::new(Endless(self.0.clone())));
        }
    }

    #[test]
    fn contained_returns_none_after_a_panic() {
        wake(Arc::new(Loud).into());
        let dropped = Arc::new(AtomicUsize::new(0));
        let value = Endless(dropped.clone());
        assert!(contained(|| drop(value)).is_none());
        assert_eq!(dropped.load(Ordering::Relaxed), 1 + PAYLOADS_MAX);
        assert_eq!(contained(|| 7), Some(7));
    }

    /// A panic is also contained in a destructor that runs because of another panic.
    #[test]
    fn contained_works_while_a_panic_unwinds() {
        struct Contains;
        impl Drop for Contains {
            fn drop(&mut self) {
                assert!(std::thread::panicking());
                wake(Arc::new(Loud).into());
            }
        }
        let outer = catch_payload(|| {
            let _contains = Contains;
            resume_unwind(Box::new("outer"));
        });
        assert_eq!(outer.unwrap_err().downcast_ref(), Some(&"outer"));
    }

    #[test]
    fn a_contained_panic_leaves_no_exit_reason() {
        note_unwinding(ExitReason::Shutdown);
        contained(|| resume_unwind(Box::new("x")));
        assert_eq!(take_unwinding(), None);
    }
}
