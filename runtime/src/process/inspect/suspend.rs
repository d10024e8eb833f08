//! Stopping another process for a while.
//!
//! Both sides keep a record (`core::suspensions`). A process that suspends others records these,
//! and how many times it has suspended each. A suspended process records the processes that have
//! suspended it. It is not polled, but it still handles its signals, and a fatal signal ends it.
//! When it continues, it is polled in any case, since it may have been woken while it was
//! suspended.
//!
//! | signal | from | to |
//! |---|---|---|
//! | `Suspend` | the process that suspends | the other process, which answers when it has stopped |
//! | `Resume` | the process that suspends, for the last time or as it ends | the other process |
//! | `SuspendedEnds` | a suspended process as it ends | the processes that have suspended it |

use super::ask::{Asking, ask};
use crate::context;
use crate::pid::Pid;
use crate::process::core::Running;
use crate::request::{Kind, Request};
use crate::signal::Signal;

/// Why a process was not suspended, or not resumed.
///
/// ```
/// # use fika_runtime::{Node, self_pid, suspend_process};
/// # Node::builder().build().unwrap().block_on(async {
/// // A process can't suspend itself.
/// let error = suspend_process(self_pid()).await.unwrap_err();
/// println!("{error}");
/// # });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SuspendError {
    /// The process has ended, or belongs to another node.
    #[error("badarg: the process has ended, or belongs to another node")]
    Noproc,
    /// A process can't suspend itself.
    #[error("badarg: a process can't suspend itself")]
    Myself,
    /// The running process has not suspended it, or has resumed it as often.
    #[error("badarg: the calling process has not suspended this process")]
    NotSuspended,
}

/// Suspends a process of this node (Erlang's `erlang:suspend_process/1`). When the future is ready,
/// the process has stopped. It continues when [`resume_process`] has been called as many times, or
/// when the running process has ended. The suspensions by each process are counted separately.
///
/// A suspended process still handles its signals: it answers
/// [`process_info`](crate::process_info()), and an exit signal ends it. A process that is in the
/// middle of its work stops at its next suspension point, and this function waits for that. If the
/// future is dropped before it is ready, the process is suspended nevertheless.
///
/// This is meant for debugging. Two processes that suspend each other never continue.
///
/// ```
/// # use fika_runtime::{Node, resume_process, spawn, suspend_process};
/// # Node::builder().build().unwrap().block_on(async {
/// let worker = spawn(std::future::pending::<()>());
/// suspend_process(worker).await?;
/// // It does not run until this.
/// resume_process(worker)?;
/// # Ok::<(), fika_runtime::SuspendError>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// If the process has ended, belongs to another node, or is the running process.
///
/// # Panics
/// Outside of a process.
pub async fn suspend_process(pid: Pid) -> Result<(), SuspendError> {
    let stopped = context::process("suspend_process", |me| suspend(me, pid))?;
    if stopped.answer().await.is_some() {
        return Ok(());
    }
    context::process("suspend_process", |me| me.control.forget_suspended(pid));
    Err(SuspendError::Noproc)
}

/// Takes back one [`suspend_process`] of the running process (Erlang's `erlang:resume_process/1`).
///
/// ```
/// # use fika_runtime::{Node, resume_process, spawn, suspend_process};
/// # Node::builder().build().unwrap().block_on(async {
/// let worker = spawn(std::future::pending::<()>());
/// suspend_process(worker).await?;
/// resume_process(worker)?;
/// # Ok::<(), fika_runtime::SuspendError>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// If the running process has not suspended this process, or has resumed it as many times; and if
/// the process has ended or belongs to another node.
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn resume_process(pid: Pid) -> Result<(), SuspendError> {
    context::process("resume_process", |me| resume(me, pid))
}

fn suspend(me: Running<'_>, pid: Pid) -> Result<Asking<()>, SuspendError> {
    if pid == me.pid() {
        return Err(SuspendError::Myself);
    }
    // A process that is ending suspends no others (PROC-7), nor does a destructor, which can't
    // wait.
    let me = me.unless_ending().filter(|me| !me.control.is_in_destructor());
    let me = me.filter(|me| pid.node() == me.node.id && me.node.is_alive(pid));
    let me = me.ok_or(SuspendError::Noproc)?;
    me.control.extras().suspensions.borrow_mut().suspend(pid);
    let from = me.pid();
    Ok(ask(me, pid, |answer| Kind::Suspend { from, answer }))
}

fn resume(me: Running<'_>, pid: Pid) -> Result<(), SuspendError> {
    let extras = me.control.extras_if_any().ok_or(SuspendError::NotSuspended)?;
    let left = extras.suspensions.borrow_mut().resume(pid).ok_or(SuspendError::NotSuspended)?;
    // Looked up first: after `Resume`, the process may continue and end.
    let is_alive = me.node.is_alive(pid);
    if left == 0 {
        let from = me.pid();
        me.node.deliver(pid, Signal::Request(Request(Kind::Resume { from })));
    }
    if is_alive { Ok(()) } else { Err(SuspendError::Noproc) }
}
