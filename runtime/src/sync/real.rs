//! The set that programs run with.

pub(crate) use std::hint::spin_loop;
pub(crate) use std::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, fence,
};
pub(crate) use std::thread_local;

pub(crate) use crossbeam_deque::{Injector, Stealer, Worker as Deque};
pub(crate) use crossbeam_utils::sync::{Parker, Unparker};
pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard, RwLock};

/// The stack size of a worker, where processes run. It is as large as the main thread's on Linux,
/// so that code that runs there also runs in a process. Only the pages that are touched use memory.
const STACK_BYTES: usize = 8 << 20;

/// Starts a detached thread. Its stack size is `RUST_MIN_STACK`, or 8 MiB.
#[allow(clippy::disallowed_methods, reason = "the threads of a node")]
pub(crate) fn spawn_thread(
    name: String,
    main: impl FnOnce() + Send + 'static,
) -> std::io::Result<()> {
    let mut thread = std::thread::Builder::new().name(name);
    if std::env::var_os("RUST_MIN_STACK").is_none() {
        thread = thread.stack_size(STACK_BYTES);
    }
    thread.spawn(main).map(drop)
}
