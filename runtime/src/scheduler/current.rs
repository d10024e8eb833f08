//! The worker that the calling thread is, so that a task that it wakes goes to its own queue.
//!
//! # Invariants
//! - **W1** `WORKER` is null, or points to what the caller of `enter` borrows until that call ends,
//!   by return or by panic.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::ptr;
use std::sync::Arc;

use super::worker::Worker;
use super::{Scheduler, TaskId};
use crate::priority::Priority;
use crate::sync::thread_local;

thread_local! {
    static WORKER: Cell<*const Worker> = const { Cell::new(ptr::null()) };
}

/// Runs `work` with the thread registered as this worker.
pub(super) fn enter(worker: &Worker, work: impl FnOnce()) {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            WORKER.with(|at| at.set(ptr::null()));
        }
    }
    WORKER.with(|at| at.set(worker));
    let _leave = Leave;
    work();
}

fn worker<R>(work: impl FnOnce(&Worker) -> R) -> Option<R> {
    // SAFETY: W1.
    unsafe { WORKER.with(Cell::get).as_ref() }.map(work)
}

/// Queues a task with this thread's worker or, on other threads, with the injector.
pub(crate) fn schedule(scheduler: &Arc<Scheduler>, task: TaskId, priority: Priority) {
    let done = worker(|worker| {
        let own = worker.belongs_to(scheduler);
        if own {
            worker.schedule(task, priority);
        }
        own
    });
    if done != Some(true) {
        scheduler.inject(task, priority);
    }
}

/// Returns whether this worker's current turn has lasted so long that it should end.
pub(crate) fn is_overdue() -> bool {
    worker(Worker::is_overdue).unwrap_or(false)
}

/// Has this worker poll the driver before its next task. On other threads this does nothing.
pub(crate) fn poll_driver_next() {
    worker(Worker::poll_driver_next);
}

/// Returns whether the calling thread is a worker of this scheduler.
pub(crate) fn is_worker_of(scheduler: &Arc<Scheduler>) -> bool {
    worker(|worker| worker.belongs_to(scheduler)).unwrap_or(false)
}

/// Returns a small number for this thread: the worker's index, or 0 for other threads.
pub(crate) fn shard() -> usize {
    worker(Worker::index).unwrap_or(0)
}
