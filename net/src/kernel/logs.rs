//! The lines of the log that a peer can cause at will, each kind with a rate of its own.
//!
//! That a node came or went is not among them: what is told of members is told in full.

use std::fmt::Display;

use fika_runtime::{LogRate, NodeName, report};

use super::channel::Channel;
use super::net::Net;

#[derive(Default)]
pub(super) struct Logs {
    /// A handshake was dropped to make room for another.
    pub(super) crowded: LogRate,
    /// A handshake came to a bad end.
    pub(super) refused: LogRate,
    /// A handshake took too long.
    pub(super) slow: LogRate,
    /// The system gave no connection.
    pub(super) not_accepted: LogRate,
    /// A member broke the rules, and its connection is closed.
    pub(super) misbehaved: LogRate,
    /// The node's handler did not want a member.
    pub(super) unwanted: LogRate,
    /// The node's handler panicked at what a peer did.
    pub(super) handler: LogRate,
    /// An address sends too many connections or wrong cookies.
    pub(super) pushy: LogRate,
    /// Something that was to be sent could not be.
    unsent: LogRate,
}

/// What could not be sent, noted under a channel's lock, and reported when that is free again: the
/// program's subscriber may send something as well.
#[derive(Default)]
pub(super) struct Unsent(Vec<(&'static str, String)>);

impl Unsent {
    pub(super) fn add(&mut self, what: &'static str, error: impl Display) {
        self.0.push((what, error.to_string()));
    }

    pub(super) fn report(self, channel: &Channel) {
        if self.0.is_empty() {
            return;
        }
        let (Some(net), node) = (channel.net.upgrade(), channel.peer()) else { return };
        for (what, error) in self.0 {
            net.logs.unsent.line(net.env.now(), |left_out| {
                report!(error, %node, %error, left_out, "{what}");
            });
        }
    }
}

impl Net {
    /// A member broke the rules: its connection is about to be closed.
    pub(super) fn log_misbehaved(&self, node: &NodeName, error: &dyn Display) {
        self.logs.misbehaved.line(self.env.now(), |left_out| {
            report!(error, %node, %error, left_out, "the connection is closed");
        });
    }
}
