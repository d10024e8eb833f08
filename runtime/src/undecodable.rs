//! What another node has sent and this one can't decode. It is one lost message: it is dropped,
//! counted, and told on both nodes, and its connection goes on.

use std::fmt;
use std::sync::Arc;

use crate::pid::Pid;

/// What was to be decoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// A message, which is dropped.
    Message,
    /// The arguments of a `#[remote]` function, which is not spawned.
    Arguments,
    /// The reason of an exit signal or a `Down`. The signal arrives, with another reason.
    Reason,
}

/// Something that did not decode.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Undecodable {
    /// What it is.
    pub part: Part,
    /// The process that sent it; none if it was sent from outside of a process.
    pub sender: Option<Pid>,
    /// The process that it was for, where there is one already and the signal names it.
    pub receiver: Option<Pid>,
    /// The tag of the message's type, or the name of the function; empty for a reason.
    pub tag: Arc<str>,
    /// Why it does not decode.
    pub why: String,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::Message => "a message",
            Part::Arguments => "a request to spawn",
            Part::Reason => "an exit reason",
        })
    }
}
