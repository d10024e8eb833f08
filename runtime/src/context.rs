//! The process that currently runs on this thread, and its node.
//!
//! The other thread-locals of fika hold the worker that the thread is, what the message codec is
//! doing, and where the thread has panicked (`contain`). None of them holds a node's state.
//!
//! # Invariants
//! - **C1** `NODE` is null, or points to what the caller of `enter_node` borrows until that call
//!   ends, by return or by panic. The call then restores the previous value.
//! - **C2** `PROCESS` is null, or points to the control block of the process that this thread
//!   polls. The control block is in the body that the poll borrows. `PROCESS` is reset when the
//!   poll ends, by return or by panic.
//! - **C3** The process belongs to the node: `enter_node` hides the process that was entered
//!   before, since a simulation that runs inside a process has nodes of its own.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::ptr;

use crate::node::Inner;
use crate::process::{Control, Running};
use crate::sync::thread_local;

thread_local! {
    static NODE: Cell<*const Inner> = const { Cell::new(ptr::null()) };
    static PROCESS: Cell<*const Control> = const { Cell::new(ptr::null()) };
}

/// Runs `work` for this node.
pub(crate) fn enter_node<R>(node: &Inner, work: impl FnOnce() -> R) -> R {
    struct Leave(*const Inner, *const Control);
    impl Drop for Leave {
        fn drop(&mut self) {
            NODE.with(|at| at.set(self.0));
            PROCESS.with(|at| at.set(self.1));
        }
    }
    let outer = NODE.with(|at| at.replace(node));
    let _leave = Leave(outer, PROCESS.with(|at| at.replace(ptr::null())));
    work()
}

/// Runs `poll` as the process with this control block.
pub(crate) fn enter_process<R>(control: &Control, poll: impl FnOnce() -> R) -> R {
    struct Leave(*const Control);
    impl Drop for Leave {
        fn drop(&mut self) {
            PROCESS.with(|at| at.set(self.0));
        }
    }
    let _leave = Leave(PROCESS.with(|at| at.replace(control)));
    poll()
}

/// Calls `work` with the process that runs on this thread. Returns `None` outside of a process.
pub(crate) fn try_process<R>(work: impl FnOnce(Running<'_>) -> R) -> Option<R> {
    // SAFETY: C1 and C2.
    let (control, node) =
        unsafe { (PROCESS.with(Cell::get).as_ref()?, NODE.with(Cell::get).as_ref()?) };
    Some(work(Running { control, node }))
}

/// Calls `work` with the node that this thread works for. `None` on other threads.
pub(crate) fn try_node<R>(work: impl FnOnce(&Inner) -> R) -> Option<R> {
    // SAFETY: C1.
    let node = unsafe { NODE.with(Cell::get).as_ref()? };
    Some(work(node))
}

/// Calls `work` with the process that runs on this thread.
///
/// # Panics
/// Outside of a process, with the name of the function that was called.
#[track_caller]
pub(crate) fn process<R>(function: &str, work: impl FnOnce(Running<'_>) -> R) -> R {
    match try_process(work) {
        Some(result) => result,
        None => panic!(
            "`{function}` acts for the running process, and no process runs here: call it inside \
             `spawn`, `#[fika::main]`, `Node::block_on` or `Node::run_process`, or use the method of \
             `Node` instead"
        ),
    }
}
