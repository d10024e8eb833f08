//! The lines of the log that a peer can cause at will, each kind with a rate of its own.
//!
//! That a node came or went is not among them: what is told of members is told in full.

use std::fmt::Display;

use fika_runtime::{LogRate, NodeName};

use super::net::Net;

#[derive(Default)]
pub(super) struct Logs {
    /// A handshake was dropped to make room for another.
    pub(super) crowded: LogRate,
    /// A handshake came to a bad end.
    pub(super) refused: LogRate,
    /// A handshake took too long.
    pub(super) slow: LogRate,
    /// The peer did not answer an attempt of ours in time, or closed the connection.
    pub(super) not_connected: LogRate,
    /// The system gave no connection.
    pub(super) not_accepted: LogRate,
    /// A member broke the rules, and its connection is closed.
    pub(super) misbehaved: LogRate,
    /// The node's handler did not want a member.
    pub(super) unwanted: LogRate,
    /// The node's handler panicked at what a peer did.
    pub(super) handler: LogRate,
}

impl Net {
    /// A member broke the rules: its connection is about to be closed.
    pub(super) fn log_misbehaved(&self, node: &NodeName, error: &dyn Display) {
        self.logs.misbehaved.line(self.env.now(), |left_out| {
            tracing::error!(%node, %error, left_out, "the connection is closed");
        });
    }
}
