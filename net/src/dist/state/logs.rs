//! The lines of the log that a peer can cause at will, each kind with a rate of its own.
//!
//! That a node came or went is not among them: what is told of members is told in full.

use std::fmt::Display;

use fika_runtime::{LogRate, NodeName, report};

use super::net::Net;
use crate::dist::link::Channel;
use crate::proto::control::SendError;

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
    /// A member broke the rules, and its connection is closed.
    pub(crate) misbehaved: LogRate,
    /// A member could not decode what this node has sent.
    pub(crate) not_taken: LogRate,
    /// The node's handler did not want a member.
    pub(crate) unwanted: LogRate,
    /// The node's handler panicked at what a peer did.
    pub(crate) handler: LogRate,
    /// An address makes too many connections, or sends too many wrong proofs.
    pub(crate) pushy: LogRate,
    /// Too many nodes that are new have connected from an address.
    pub(crate) too_many: LogRate,
    /// A signal could not be sent.
    unsent: LogRate,
}

/// Signals that could not be sent. They are noted while a channel is locked, and reported after it
/// is unlocked, since the program's subscriber may use the channel.
#[derive(Default)]
pub(crate) struct Unsent(Vec<(&'static str, String)>);

impl Unsent {
    pub(crate) fn add(&mut self, what: &'static str, error: impl Display) {
        self.0.push((what, error.to_string()));
    }

    /// Notes why the reason of an exit signal was not sent, if so.
    pub(crate) fn add_replaced(&mut self, why: Option<SendError>) {
        if let Some(why) = why {
            self.add("an exit reason was replaced by system_limit", why);
        }
    }

    pub(crate) fn report(self, channel: &Channel) {
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
    pub(crate) fn log_misbehaved(&self, node: &NodeName, error: &dyn Display) {
        self.logs.misbehaved.line(self.env.now(), |left_out| {
            report!(error, %node, %error, left_out, "the connection is closed");
        });
    }
}
