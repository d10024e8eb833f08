//! The lines of the log that a peer can cause at will by connecting, each kind with a rate of its
//! own. Those of a connection that is up are in `link::shared`.
//!
//! That a node came or went is not among them: what is told of members is told in full.

use fika_runtime::LogRate;

#[derive(Default)]
pub(crate) struct Logs {
    /// A handshake was dropped to make room for another.
    pub(crate) crowded: LogRate,
    /// A handshake came to a bad end.
    pub(crate) refused: LogRate,
    /// A handshake took too long.
    pub(crate) slow: LogRate,
    /// The peer did not answer an attempt of ours in time, or closed the connection.
    pub(crate) not_connected: LogRate,
    /// The system gave no connection.
    pub(crate) not_accepted: LogRate,
    /// There was no room for a process that makes or takes a connection.
    pub(crate) no_process: LogRate,
    /// The node's handler did not want a member.
    pub(crate) unwanted: LogRate,
    /// The node's handler panicked at what a peer did.
    pub(crate) handler: LogRate,
    /// An address makes too many connections, or sends too many wrong proofs.
    pub(crate) pushy: LogRate,
    /// Too many nodes that are new have connected from an address.
    pub(crate) too_many: LogRate,
}
