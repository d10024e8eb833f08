//! Questions to the processes of the distribution, and their answers.
//!
//! An answer goes to the function that waits for it, not through the mailbox. So a process may run
//! any number of these functions side by side, and beside a `receive!`, whatever the length of its
//! mailbox.

use fika_runtime::{Answer, Local, Pid, Waiting, self_pid, send};

/// A process that waits for an answer. If this is dropped, the process learns that there is none.
pub(crate) struct Caller<T> {
    pid: Pid,
    answer: Answer<T>,
}

impl<T> Caller<T> {
    /// The running process, for one answer.
    pub(crate) fn new() -> (Caller<T>, Waiting<T>) {
        let (answer, waiting) = Waiting::new();
        (Caller { pid: self_pid(), answer }, waiting)
    }

    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    pub(crate) fn answer(self, value: T) {
        self.answer.give(value);
    }
}

/// Asks a process and waits for its answer. Returns `None` if the process has ended.
pub(crate) async fn ask<T: Send + 'static, Q: Send + 'static>(
    process: Pid,
    question: impl FnOnce(Caller<T>) -> Q,
) -> Option<T> {
    let (caller, answer) = Caller::new();
    send(process, Local(question(caller)));
    answer.await
}

/// Asks net_kernel in a process that is linked to it, and waits for its answer.
pub(crate) async fn ask_linked<T: Send + 'static, Q: Send + 'static>(
    net_kernel: Pid,
    question: impl FnOnce(Caller<T>) -> Q,
) -> T {
    match ask(net_kernel, question).await {
        Some(answer) => answer,
        // net_kernel has ended, and this process ends by the link.
        None => std::future::pending().await,
    }
}
