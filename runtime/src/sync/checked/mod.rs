//! The set of a model checker, which runs the threads of a program one at a time and decides at
//! each step which thread runs.

mod atomics;
mod deque;
mod locks;
mod parker;

#[cfg(loom)]
use loom as checker;
#[cfg(shuttle)]
use shuttle as checker;

pub(crate) use atomics::{
    AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, fence,
};
#[cfg(loom)]
pub(crate) use checker::cell::UnsafeCell;
pub(crate) use checker::hint::spin_loop;
pub(crate) use deque::{Deque, Injector, Stealer};
pub(crate) use locks::{Condvar, Mutex, MutexGuard, RwLock};
pub(crate) use parker::{Parker, Unparker};

pub(crate) fn spawn_thread(
    name: String,
    main: impl FnOnce() + Send + 'static,
) -> std::io::Result<()> {
    checker::thread::Builder::new().name(name).spawn(main).map(drop)
}

/// The checker's thread-locals. Not all checkers support constants.
macro_rules! thread_local_of {
    ($(static $name:ident: $type:ty = const { $init:expr };)*) => {$(
        #[cfg(loom)]
        ::loom::thread_local! { static $name: $type = $init; }
        #[cfg(shuttle)]
        ::shuttle::thread_local! { static $name: $type = $init; }
    )*};
}
pub(crate) use thread_local_of as thread_local;
