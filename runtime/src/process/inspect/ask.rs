//! Sends requests to other processes of the node. The receivers' side is `signals::request`.

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

/// A request that was sent and is not answered yet.
pub(super) struct Asking<T> {
    wait: Waiting<T>,
    /// Kept until the request is answered or dropped.
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

/// Sends a request to another process of this node.
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

/// Sends a request. To answer it, the receiver gets a turn with the sender's `priority`. If the
/// receiver is already queued with a lower priority, the lower priorities get turns, too, until the
/// request is answered.
fn send_request(node: &Inner, to: Pid, request: Request, priority: Priority) -> Option<Help> {
    let (slot, wake) = node.deliver_at(to, Signal::Request(request), priority)?;
    let waits = priority.is_urgent() && priority > slot.vitals.priority();
    (wake == Wake::Nothing && waits).then(|| Help::begin(&node.scheduler))
}
