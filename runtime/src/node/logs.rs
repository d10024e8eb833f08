//! How often a node logs what can happen without end.

use crate::log_rate::LogRate;

/// The log lines of a node that are limited, each kind by itself.
#[derive(Default)]
pub(crate) struct Logs {
    /// Mailboxes that only grow.
    pub(crate) long_queues: LogRate,
    /// Requests of other nodes to spawn that this node can't fulfil.
    pub(crate) spawns_refused: LogRate,
    /// Messages of other nodes that don't decode.
    pub(crate) messages_refused: LogRate,
    /// Processes that are suspended by congestion.
    pub(crate) held_ups: LogRate,
    /// Processes that end with an error of their own.
    pub(crate) crashes: LogRate,
    /// Signals to other nodes that can't be encoded.
    pub(crate) signals_refused: LogRate,
    /// Destructors and wakers of the program that panic, and calls that a destructor may not make.
    pub(crate) panics: LogRate,
    /// Signals of other nodes that a process of the runtime does not take.
    pub(crate) guarded: LogRate,
}
