//! Code of the program that a behaviour calls in the middle of its work, such as hooks and
//! destructors: if it panics or calls `exit`, the process goes on.

use std::future::Future as _;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use fika_runtime::{ExitReason, catch_exit};

/// A value of the program, such as a function. A panic in its destructor does not reach the process
/// that drops it. As after any panic, the panic hook has printed it.
pub(crate) struct Contained<T>(Option<T>);

impl<T> Contained<T> {
    pub(crate) fn new(value: T) -> Contained<T> {
        Contained(Some(value))
    }

    pub(crate) fn into_inner(mut self) -> T {
        self.0.take().expect("only this function and the destructor take it")
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.as_mut().expect("only `into_inner` and the destructor take it")
    }
}

impl<T> Drop for Contained<T> {
    fn drop(&mut self) {
        discard(self.0.take());
    }
}

/// Calls a function. If it panics or calls `exit`, returns the reason, and the process goes on.
pub(crate) fn contained<R>(call: impl FnOnce() -> R) -> Result<R, ExitReason> {
    let caught = pin!(catch_exit(async { call() }));
    match caught.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => unreachable!("the function does not wait"),
    }
}

/// Drops a value of the program, and contains a panic in its destructor.
pub(crate) fn discard<T>(value: T) {
    let _ = contained(|| drop(value));
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Explosive;

    impl Drop for Explosive {
        fn drop(&mut self) {
            panic!("as it should")
        }
    }

    #[test]
    fn a_panic_of_a_destructor_is_contained() {
        drop(Contained::new(Explosive));
        drop([Contained::new(Explosive), Contained::new(Explosive)]);
        discard(Explosive);
        let mut value = Contained::new(7);
        *value.get_mut() += 1;
        assert_eq!(value.into_inner(), 8);
    }
}
