//! The part of a handle that only a task on another node has: the process that waits for the value.

use std::future::Future as _;
use std::pin::Pin as StdPin;
use std::task::{Context, Poll};

use fika_macros::Message;
use fika_runtime::{Ended, ExitReason, Node, Pid, self_node};

/// Tells the waiter that the task has ended.
#[derive(Message)]
#[message(local)]
pub(super) struct Gone(pub(super) ExitReason);

pub(super) struct There {
    /// The end of the task, until it is seen.
    ended: Option<Ended>,
    waiter: Waiter,
}

impl There {
    pub(super) fn new(ended: Ended, waiter: Waiter) -> There {
        There { ended: Some(ended), waiter }
    }

    /// Tells the waiter if the task has ended.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) {
        if let Some(ended) = &mut self.ended
            && let Poll::Ready(reason) = StdPin::new(ended).poll(context)
        {
            self.ended = None;
            // The waiter has ended if it has the value.
            let _ = self.waiter.node.send(self.waiter.pid, Gone(reason));
        }
    }

    /// Lets the waiter run without a handle.
    pub(super) fn detach(mut self) {
        self.waiter.is_detached = true;
    }
}

/// The process that waits for the value. It is killed when this value is dropped, also by a process
/// that ends and by a thread.
pub(super) struct Waiter {
    node: Node,
    pid: Pid,
    is_detached: bool,
}

impl Waiter {
    pub(super) fn new(pid: Pid) -> Waiter {
        Waiter { node: self_node(), pid, is_detached: false }
    }

    pub(super) fn pid(&self) -> Pid {
        self.pid
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        if !self.is_detached {
            self.node.exit_process(self.pid, ExitReason::Kill);
        }
    }
}
