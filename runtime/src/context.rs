//! What this thread is doing now: which worker it is, and which process runs on it.
//!
//! Together with the scope of the message codec these are all the thread-locals of fika,
//! and none of them holds a node's state.
//!
//! # Invariants
//! - **C1** `WORKER` and `NODE` are null, or point to what the caller of `enter_worker` or
//!   `enter_node` borrows until that call returns. A panic out of it ends the thread.
//! - **C2** `PROCESS` is null, or points to the control block of the process that this
//!   thread polls, which is in the body that the poll borrows; it is reset when the poll
//!   comes back, by return or by panic.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::ptr;
use std::sync::Arc;

use crate::node::Inner;
use crate::process::{Control, Running};
use crate::scheduler::{Scheduler, Worker};
use crate::table::SlotIndex;

thread_local! {
    static WORKER: Cell<*const Worker<SlotIndex>> = const { Cell::new(ptr::null()) };
    static NODE: Cell<*const Inner> = const { Cell::new(ptr::null()) };
    static PROCESS: Cell<*const Control> = const { Cell::new(ptr::null()) };
}

/// The thread is a worker of this node while `work` runs.
pub(crate) fn enter_worker(worker: &Worker<SlotIndex>, node: &Inner, work: impl FnOnce()) {
    WORKER.set(worker);
    enter_node(node, work);
    WORKER.set(ptr::null());
}

/// The thread works for this node while `work` runs, to take its processes apart.
pub(crate) fn enter_node<R>(node: &Inner, work: impl FnOnce() -> R) -> R {
    let outer = NODE.replace(node);
    let result = work();
    NODE.set(outer);
    result
}

fn worker<R>(work: impl FnOnce(&Worker<SlotIndex>) -> R) -> Option<R> {
    // SAFETY: C1.
    unsafe { WORKER.get().as_ref() }.map(work)
}

/// Whether the thread is a worker of this scheduler.
pub(crate) fn is_worker_of(scheduler: &Arc<Scheduler<SlotIndex>>) -> bool {
    worker(|worker| worker.belongs_to(scheduler)).unwrap_or(false)
}

/// Whether the thread is a worker of some node.
pub(crate) fn is_worker() -> bool {
    !WORKER.get().is_null()
}

/// A small number for this thread: a worker's own, or 0.
pub(crate) fn shard() -> usize {
    worker(Worker::index).unwrap_or(0)
}

/// Queues a process with this thread's worker, or from outside.
pub(crate) fn schedule(scheduler: &Arc<Scheduler<SlotIndex>>, slot: SlotIndex) {
    let done = worker(|worker| {
        let own = worker.belongs_to(scheduler);
        if own {
            worker.schedule(slot);
        }
        own
    });
    if done != Some(true) {
        scheduler.inject(slot);
    }
}

/// Runs `poll` as the process with this control block.
pub(crate) fn enter_process<R>(control: &Control, poll: impl FnOnce() -> R) -> R {
    struct Leave(*const Control);
    impl Drop for Leave {
        fn drop(&mut self) {
            PROCESS.set(self.0);
        }
    }
    let _leave = Leave(PROCESS.replace(control));
    poll()
}

/// Works with the process that runs on this thread; none outside of one.
pub(crate) fn try_process<R>(work: impl FnOnce(Running<'_>) -> R) -> Option<R> {
    // SAFETY: C1 and C2.
    let (control, node) = unsafe { (PROCESS.get().as_ref()?, NODE.get().as_ref()?) };
    Some(work(Running { control, node }))
}

/// Works with the process that runs on this thread.
///
/// # Panics
/// Outside of a process, with the name of the function that was called.
#[track_caller]
pub(crate) fn process<R>(function: &str, work: impl FnOnce(Running<'_>) -> R) -> R {
    match try_process(work) {
        Some(result) => result,
        None => panic!(
            "`{function}` acts for the running process, and no process runs here: call it inside \
             `spawn`, `#[fika::main]` or `Node::block_on`, or use the method of `Node` instead"
        ),
    }
}
