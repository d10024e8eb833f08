//! Values of a program that a behaviour drops: a panic in their destructors stays there.

use std::panic::{AssertUnwindSafe, catch_unwind};

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

/// Drops a value of the program, and contains a panic in its destructor.
pub(crate) fn discard<T>(value: T) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        // The payload may panic when it is dropped, too.
        std::mem::forget(payload);
    }
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
