//! Requests to other processes of the node, and what the process does that gets one.

use crate::node::Inner;
use crate::oneshot::Answer;
use crate::pid::Pid;
use crate::priority::Priority;
use crate::process::core::Running;
use crate::process::wait::Waiting;
use crate::request::{Kind, Request};
use crate::scheduler::Help;
use crate::signal::Signal;
use crate::signal_queue::Wake;

/// A request that is under way.
pub(in crate::process) struct Asked<T> {
    wait: Waiting<T>,
    /// Lasts until the answer is there, or nobody waits for it any more.
    help: Option<Help>,
}

impl<T> Asked<T> {
    /// Returns the answer, when it is there. `None` if the process has ended.
    pub(in crate::process) async fn answer(self) -> Option<T> {
        let answer = self.wait.await;
        drop(self.help);
        answer
    }
}

impl Running<'_> {
    /// Asks another process of this node. The answer is `None` if that process has ended.
    pub(in crate::process) fn ask<T>(
        self,
        pid: Pid,
        request: impl FnOnce(Answer<T>) -> Kind,
    ) -> Asked<T> {
        let (answer, wait) = Waiting::new();
        let priority = self.control.slot.vitals.priority();
        let help = self.node.request(pid, Request(request(answer)), priority);
        Asked { wait, help }
    }

    /// Whether this process is in the middle of its turn's poll, and so has called what is
    /// going on.
    pub(in crate::process) fn is_polled(self) -> bool {
        crate::context::try_process(|me| std::ptr::eq(me.control, self.control)).unwrap_or(false)
    }

    pub(in crate::process) fn handle_request(self, Request(kind): Request) {
        match kind {
            Kind::Info { items, seen_running, answer } => {
                answer.give(self.info(&items, seen_running));
            }
            Kind::IsAlive(answer) => answer.give(()),
            Kind::Suspend { from, answer } => self.handle_suspend(from, answer),
            Kind::Resume { from } => self.handle_resume(from),
            Kind::ReportHeldUp => self.report_held_up(),
            Kind::SuspendedEnds { from } => self.control.forget_suspended(from),
        }
    }
}

impl Inner {
    /// Sends a request of a process with this priority. The receiver has a turn of that
    /// priority for it; where it is queued already, among others of a lower one, these are
    /// helped until the answer is there.
    fn request(&self, to: Pid, request: Request, priority: Priority) -> Option<Help> {
        let (slot, wake) = self.deliver_at(to, Signal::Request(request), priority)?;
        let waits = priority.is_urgent() && priority > slot.vitals.priority();
        (wake == Wake::Nothing && waits).then(|| Help::begin(&self.scheduler))
    }
}
