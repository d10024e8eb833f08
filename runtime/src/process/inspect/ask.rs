//! Requests to other processes of the node. `signals::request` is the side of their receivers.

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
pub(super) struct Asking<T> {
    wait: Waiting<T>,
    /// Kept until the answer is there, or the request is dropped.
    help: Option<Help>,
}

impl<T> Asking<T> {
    /// Waits for the answer. `None` if the process has ended.
    pub(in crate::process) async fn answer(self) -> Option<T> {
        let answer = self.wait.await;
        drop(self.help);
        answer
    }
}

/// Sends a request to another process of this node. The answer is `None` if that process has ended.
pub(super) fn ask<T>(
    me: Running<'_>,
    pid: Pid,
    request: impl FnOnce(Answer<T>) -> Kind,
) -> Asking<T> {
    let (answer, wait) = Waiting::new();
    let priority = me.control.slot.vitals.priority();
    let help = send_request(me.node, pid, Request(request(answer)), priority);
    Asking { wait, help }
}

/// Sends a request of a process with this priority. The receiver gets a turn of that priority for
/// it. If the receiver is already queued among processes of a lower priority, these are helped
/// until the answer is there.
fn send_request(node: &Inner, to: Pid, request: Request, priority: Priority) -> Option<Help> {
    let (slot, wake) = node.deliver_at(to, Signal::Request(request), priority)?;
    let waits = priority.is_urgent() && priority > slot.vitals.priority();
    (wake == Wake::Nothing && waits).then(|| Help::begin(&node.scheduler))
}
