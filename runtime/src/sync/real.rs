//! The real ones.

pub(crate) use std::hint::spin_loop;
pub(crate) use std::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, fence,
};
pub(crate) use std::thread_local;

pub(crate) use crossbeam_deque::{Injector, Stealer, Worker as Deque};
pub(crate) use crossbeam_utils::sync::{Parker, Unparker};
pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard, RwLock};

/// Starts a thread that nobody joins.
#[allow(clippy::disallowed_methods, reason = "the threads of a node")]
pub(crate) fn spawn_thread(
    name: String,
    main: impl FnOnce() + Send + 'static,
) -> std::io::Result<()> {
    std::thread::Builder::new().name(name).spawn(main).map(drop)
}
