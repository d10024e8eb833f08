//! What one process asks of another on its node: to tell about itself, or to stop for a while.
//!
//! A request is a signal, so it comes after all that its sender has sent before. The receiver
//! serves it itself, whether it waits or is suspended or between two steps of its work, and
//! nothing in its mailbox changes by that. What asks for an answer gets none from a process
//! that has ended.

use crate::oneshot::Answer;
use crate::pid::Pid;
use crate::process_info::{InfoItem, Item};

/// A request, which never leaves its node.
#[derive(Debug)]
pub struct Request(pub(crate) Kind);

#[derive(Debug)]
pub(crate) enum Kind {
    /// To tell about itself.
    Info {
        items: Box<[Item]>,
        /// Whether it was running when it was asked.
        seen_running: bool,
        answer: Answer<Vec<InfoItem>>,
    },
    /// To say that it lives.
    IsAlive(Answer<()>),
    /// To stop until `from` resumes it, and to say when it has.
    Suspend { from: Pid, answer: Answer<()> },
    /// To go on, as far as `from` is concerned.
    Resume { from: Pid },
    /// Reports that the process is suspended by congestion, if it still is.
    ReportHeldUp,
    /// `from`, which the receiver had suspended, has ended.
    SuspendedEnds { from: Pid },
}
