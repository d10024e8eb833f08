//! Limits how often a node logs events that can repeat without end.

use crate::log_rate::LogRate;

/// The limits of a node's log lines, one for each kind.
#[derive(Default)]
pub(crate) struct Logs {
    /// Mailboxes that only grow.
    pub(crate) long_queues: LogRate,
    /// Requests from other nodes to spawn that this node can't fulfil.
    pub(crate) spawns_refused: LogRate,
    /// Messages from other nodes that don't decode.
    pub(crate) messages_refused: LogRate,
    /// Processes that are suspended by congestion.
    pub(crate) held_ups: LogRate,
    /// Processes that end by an error.
    pub(crate) crashes: LogRate,
    /// Signals to other nodes that can't be encoded.
    pub(crate) signals_refused: LogRate,
    /// Destructors and wakers of the program that panic, and calls that a destructor must not make.
    pub(crate) panics: LogRate,
    /// Signals from other nodes that a process of the runtime refuses.
    pub(crate) guarded: LogRate,
}
