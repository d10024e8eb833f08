//! Questions to the processes of this folder, and their answers.

use fika_runtime::{
    Down, ExitReason, Local, NodeName, Pid, Reference, demonitor_flush, make_ref, monitor,
    self_pid, send,
};

use super::net_kernel::Command;

/// Where an answer goes.
#[derive(Clone, Copy)]
pub(super) struct Caller {
    pid: Pid,
    reference: Reference,
}

/// An answer.
struct Answer<T> {
    reference: Reference,
    value: T,
}

impl Caller {
    /// The running process, for one answer.
    pub(super) fn new() -> Caller {
        Caller { pid: self_pid(), reference: make_ref() }
    }

    pub(super) fn pid(self) -> Pid {
        self.pid
    }

    pub(super) fn answer<T: Send + 'static>(self, value: T) {
        let Caller { pid, reference } = self;
        send(pid, Local(Answer { reference, value }));
    }

    /// Waits for the answer of the process that this monitor is of.
    ///
    /// # Errors
    /// Why it has ended without one.
    pub(super) async fn await_answer<T: Send + 'static>(
        self,
        monitor: Reference,
    ) -> Result<T, ExitReason> {
        let asked = self.reference;
        let answer = fika_macros::receive! {
            Local(Answer { reference, value }): Local<Answer<T>> if reference == asked => Ok(value),
            Down { monitor: m, reason, .. } if m == monitor => Err(reason),
        };
        demonitor_flush(monitor);
        answer
    }
}

/// Asks a process, and waits for its answer; none if it has ended.
pub(super) async fn ask<T: Send + 'static, Q: Send + 'static>(
    process: Pid,
    question: impl FnOnce(Caller) -> Q,
) -> Option<T> {
    let caller = Caller::new();
    let monitor = monitor(process);
    send(process, Local(question(caller)));
    caller.await_answer(monitor).await.ok()
}

/// Asks net_kernel in a process that is linked to it, and waits for its answer.
pub(super) async fn ask_linked<T: Send + 'static>(
    net_kernel: Pid,
    question: impl FnOnce(Caller) -> Command,
) -> T {
    let caller = Caller::new();
    let asked = caller.reference;
    send(net_kernel, Local(question(caller)));
    fika_macros::receive! {
        for asked,
        Local(Answer { reference, value }): Local<Answer<T>> if reference == asked => value,
    }
}

/// The list of nodes that two nodes tell each other of when they connect, so that a full
/// mesh comes about.
#[derive(serde::Serialize, serde::Deserialize, fika_macros::Message)]
#[message(tag = "fika::Mesh")]
pub(super) struct Mesh {
    pub(super) nodes: Vec<NodeName>,
}
