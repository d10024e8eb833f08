//! Values from other nodes that this node can't decode. Each loses one message: it is dropped,
//! counted, and reported on both nodes. The connection stays open.

use std::fmt;
use std::sync::Arc;

use crate::pid::Pid;

/// The kind of value that could not be decoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UndecodablePart {
    /// A message, which is dropped.
    Message,
    /// The arguments of a `#[remote]` function, which is not spawned.
    Arguments,
    /// The reason of an exit signal or a `Down`. The signal still arrives, with another reason.
    Reason,
}

/// A value that could not be decoded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Undecodable {
    /// The kind of the value.
    pub part: UndecodablePart,
    /// The process that sent the value. `None` if it was sent from outside a process.
    pub sender: Option<Pid>,
    /// The process that the value was for. `None` if the signal does not name an existing process.
    pub receiver: Option<Pid>,
    /// The tag of the message's type, or the name of the function; empty for a reason.
    pub tag: Arc<str>,
    /// Why the value could not be decoded.
    pub why: String,
}

impl fmt::Display for UndecodablePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            UndecodablePart::Message => "a message",
            UndecodablePart::Arguments => "a request to spawn",
            UndecodablePart::Reason => "an exit reason",
        })
    }
}
