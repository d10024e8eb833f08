//! The rates of the log lines that a peer can cause at will by connecting. Each kind has its own
//! rate. The rates for a connection that is up are in `link::shared`.
//!
//! The lines about nodes that connect and disconnect have no limit: all of them are logged.

use fika_runtime::LogRate;

#[derive(Default)]
pub(crate) struct Logs {
    /// A handshake was dropped to make room for another one.
    pub(crate) crowded: LogRate,
    /// A handshake failed.
    pub(crate) refused: LogRate,
    /// A handshake took too long.
    pub(crate) slow: LogRate,
    /// The peer did not answer this node's attempt in time, or closed the connection.
    pub(crate) not_connected: LogRate,
    /// The operating system could not accept a connection.
    pub(crate) not_accepted: LogRate,
    /// There was no room for a process that makes or accepts a connection.
    pub(crate) no_process: LogRate,
    /// The node's handler refused a node.
    pub(crate) unwanted: LogRate,
    /// The node's handler panicked.
    pub(crate) handler: LogRate,
    /// The ticktimes of this node and a peer differ too much.
    pub(crate) ticks: LogRate,
    /// An address makes too many connections, or sends too many wrong proofs.
    pub(crate) pushy: LogRate,
    /// Too many new nodes have connected from an address.
    pub(crate) too_many: LogRate,
}
