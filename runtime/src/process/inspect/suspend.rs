//! Stopping another process for a while.
//!
//! Both sides keep what concerns them: the one who suspends, whom and how many times; the
//! suspended one, by whom. A suspended process still takes in its signals, and ends by a fatal
//! one; it is only not polled. When it goes on it is polled in any case, since a wake-up may
//! have come meanwhile.
//!
//! | signal | from | to |
//! |---|---|---|
//! | `Suspend` | who suspends | the other process, which answers when it has stopped |
//! | `Resume` | who suspends, for the last time or as it ends | the other process |
//! | `SuspendedEnds` | a suspended process as it ends | those who have suspended it |

use std::collections::{BTreeMap, BTreeSet};

use crate::context;
use crate::oneshot::Answer;
use crate::pid::Pid;
use crate::process::core::{Control, Running};
use crate::process::signals::Asked;
use crate::request::{Kind, Request};
use crate::signal::Signal;

/// Why a process was not suspended, or not resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SuspendError {
    /// The process has ended, or is not of this node.
    #[error("badarg: the process has ended, or is not of this node")]
    Noproc,
    /// A process can't suspend itself.
    #[error("badarg: a process can't suspend itself")]
    Myself,
    /// The running process has not suspended it, or has resumed it as often.
    #[error("badarg: the calling process has not suspended this process")]
    NotSuspended,
}

/// Who has suspended whom, as one process sees it.
#[derive(Default)]
pub(in crate::process) struct Suspensions {
    /// Whom this process has suspended, and how many times.
    suspends: BTreeMap<Pid, usize>,
    /// Who has suspended this process.
    suspenders: BTreeSet<Pid>,
    /// Those who wait until this process has stopped, which is in the middle of a turn.
    waiting: Vec<Answer<()>>,
}

impl Suspensions {
    pub(in crate::process) fn is_empty(&self) -> bool {
        self.suspends.is_empty() && self.suspenders.is_empty() && self.waiting.is_empty()
    }

    pub(in crate::process) fn suspenders(&self) -> Vec<Pid> {
        self.suspenders.iter().copied().collect()
    }
}

/// Suspends a process of this node (Erlang's `erlang:suspend_process/1`): when this is ready it
/// does not run, until it is resumed by [`resume_process`], as many times as it was suspended,
/// or the running process ends. Each process that suspends another counts for itself.
///
/// Its signals are taken in all the same: it answers for itself, and an exit signal ends it. A
/// process that is in the middle of its work stops at its next suspension point, and this waits
/// for that; when it is dropped before it is ready the process is suspended nevertheless.
///
/// Meant for debugging. Two processes that suspend each other stop each other for good.
///
/// # Errors
/// When the process has ended, is not of this node, or is the running one.
///
/// # Panics
/// Outside of a process.
pub async fn suspend_process(pid: Pid) -> Result<(), SuspendError> {
    let stopped = context::process("suspend_process", |me| me.suspend(pid))?;
    if stopped.answer().await.is_some() {
        return Ok(());
    }
    context::process("suspend_process", |me| me.control.forget_suspended(pid));
    Err(SuspendError::Noproc)
}

/// Takes one [`suspend_process`] of the running process back (Erlang's
/// `erlang:resume_process/1`).
///
/// # Errors
/// When the running process has not suspended this one, or has resumed it as many times, and
/// when it has ended or is not of this node.
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn resume_process(pid: Pid) -> Result<(), SuspendError> {
    context::process("resume_process", |me| me.resume(pid))
}

impl Running<'_> {
    fn suspend(self, pid: Pid) -> Result<Asked<()>, SuspendError> {
        if pid == self.pid() {
            return Err(SuspendError::Myself);
        }
        // PROC-7: one that ends suspends nobody any more, nor does one that can't wait.
        let ends = self.control.ending.get() || self.control.is_in_destructor();
        if ends || pid.node() != self.node.id || !self.node.is_alive(pid) {
            return Err(SuspendError::Noproc);
        }
        *self.control.extras().suspensions.borrow_mut().suspends.entry(pid).or_default() += 1;
        let from = self.pid();
        Ok(self.ask(pid, |answer| Kind::Suspend { from, answer }))
    }

    fn resume(self, pid: Pid) -> Result<(), SuspendError> {
        let extras = self.control.extras_if_any().ok_or(SuspendError::NotSuspended)?;
        let mut suspensions = extras.suspensions.borrow_mut();
        let count = suspensions.suspends.get_mut(&pid).ok_or(SuspendError::NotSuspended)?;
        *count -= 1;
        // Before it may go on, and to its end.
        let is_alive = self.node.is_alive(pid);
        if *count == 0 {
            suspensions.suspends.remove(&pid);
            drop(suspensions);
            let from = self.pid();
            self.node.deliver(pid, Signal::Request(Request(Kind::Resume { from })));
        }
        if is_alive { Ok(()) } else { Err(SuspendError::Noproc) }
    }

    pub(in crate::process) fn handle_suspend(self, from: Pid, answer: Answer<()>) {
        let mut suspensions = self.control.extras().suspensions.borrow_mut();
        suspensions.suspenders.insert(from);
        self.control.slot.vitals.set_suspended(true);
        self.control.cut_turn();
        if self.is_polled() {
            suspensions.waiting.push(answer);
        } else {
            answer.give(());
        }
    }

    pub(in crate::process) fn handle_resume(self, from: Pid) {
        let Some(extras) = self.control.extras_if_any() else { return };
        let mut suspensions = extras.suspensions.borrow_mut();
        suspensions.suspenders.remove(&from);
        if suspensions.suspenders.is_empty() {
            self.control.slot.vitals.set_suspended(false);
            self.control.works.set(true);
        }
    }

    /// The process ends: those whom it has suspended go on, and those who have suspended it
    /// need not remember it.
    pub(in crate::process) fn end_suspensions(self) {
        let Some(extras) = self.control.extras_if_any() else { return };
        let Suspensions { suspends, suspenders, waiting } = extras.suspensions.take();
        drop(waiting);
        let from = self.pid();
        let tell = |to, kind| self.node.deliver(to, Signal::Request(Request(kind)));
        suspends.into_keys().for_each(|pid| tell(pid, Kind::Resume { from }));
        suspenders.into_iter().for_each(|pid| tell(pid, Kind::SuspendedEnds { from }));
    }
}

impl Control {
    /// A turn is over: a process that was suspended in the middle of it has stopped now.
    pub(in crate::process) fn tell_suspenders(&self) {
        if let Some(extras) = self.extras_if_any() {
            let waiting = std::mem::take(&mut extras.suspensions.borrow_mut().waiting);
            waiting.into_iter().for_each(|answer| answer.give(()));
        }
    }

    pub(in crate::process) fn forget_suspended(&self, pid: Pid) {
        if let Some(extras) = self.extras_if_any() {
            extras.suspensions.borrow_mut().suspends.remove(&pid);
        }
    }
}
