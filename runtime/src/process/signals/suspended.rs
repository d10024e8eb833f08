//! Suspends and resumes a process for another one, and tells the processes concerned when it ends.

use crate::oneshot::Answer;
use crate::pid::Pid;
use crate::process::core::Running;
use crate::request::{Kind, Request};
use crate::signal::Signal;

/// Stops the process. `answer` is given when it has stopped: now, or at the end of its turn.
pub(super) fn suspend(me: Running<'_>, from: Pid, answer: Answer<()>) {
    me.control.slot.vitals.set_suspended(true);
    me.control.cut_turn();
    let mut answer = Some(answer);
    let waiting = answer.take_if(|_| me.is_polled());
    me.control.extras().suspensions.borrow_mut().suspended_by(from, waiting);
    if let Some(answer) = answer {
        answer.give(());
    }
}

/// Lets the process continue, unless another process has suspended it as well.
pub(super) fn resume(me: Running<'_>, from: Pid) {
    let Some(extras) = me.control.extras_if_any() else { return };
    if extras.suspensions.borrow_mut().resumed_by(from) {
        me.control.slot.vitals.set_suspended(false);
        me.control.works.set(true);
    }
}

impl Running<'_> {
    /// Tells other processes that this process ends. The processes that it has suspended continue.
    /// The processes that have suspended it forget it.
    pub(in crate::process) fn end_suspensions(self) {
        let Some(extras) = self.control.extras_if_any() else { return };
        let (suspended, suspenders) = extras.suspensions.take().end();
        let from = self.pid();
        let tell = |to, kind| self.node.deliver(to, Signal::Request(Request(kind)));
        suspended.for_each(|pid| tell(pid, Kind::Resume { from }));
        suspenders.into_iter().for_each(|pid| tell(pid, Kind::SuspendedEnds { from }));
    }
}
