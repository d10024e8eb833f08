//! Sends questions to the processes of the distribution, and waits for the answers.
//!
//! An answer goes directly to the function that waits for it, not through the mailbox. So a process
//! may run any number of these functions and a `receive!` concurrently, and a long mailbox does not
//! slow them down.

use fika_runtime::{Answer, Local, Pid, Waiting, self_pid, send};

/// A process that waits for an answer. If the `Caller` is dropped, the process learns that there is
/// no answer.
pub(crate) struct Caller<T> {
    pid: Pid,
    answer: Answer<T>,
}

impl<T> Caller<T> {
    /// Makes a caller for one answer to the running process.
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
