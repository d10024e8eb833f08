//! Requests from one process to another on the same node: for information, or for its suspension.
//!
//! A request is a signal, so it arrives after everything that its sender has sent before. The
//! receiver serves it itself, even while it waits or is suspended. The mailbox does not change. A
//! process that has ended does not answer a request.

use crate::oneshot::Answer;
use crate::pid::Pid;
use crate::process_info::{InfoItem, Item};

/// A request. It never leaves its node.
#[derive(Debug)]
pub struct Request(pub(crate) Kind);

#[derive(Debug)]
pub(crate) enum Kind {
    /// Asks for information.
    Info {
        items: Box<[Item]>,
        /// Whether the receiver was running when it was asked.
        seen_running: bool,
        answer: Answer<Vec<InfoItem>>,
    },
    /// Asks whether the receiver is alive.
    IsAlive(Answer<()>),
    /// Asks the receiver to stop until `from` resumes it, and to answer when it has stopped.
    Suspend { from: Pid, answer: Answer<()> },
    /// Withdraws the suspension by `from`.
    Resume { from: Pid },
    /// Reports that the process is suspended by congestion, if it still is.
    ReportHeldUp,
    /// Reports that `from`, which the receiver had suspended, has ended.
    SuspendedEnds { from: Pid },
}
