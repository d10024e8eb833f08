//! Signals that could not be sent.

use std::fmt::Display;

use fika_runtime::{NodeName, report};

use super::shared::Shared;
use crate::proto::control::SendError;

/// Signals that could not be sent. They are collected while a channel is locked, and reported after
/// it is unlocked, since the program's `tracing` subscriber may use the channel.
#[derive(Default)]
pub(crate) struct Unsent(Vec<(&'static str, String)>);

impl Unsent {
    pub(crate) fn add(&mut self, what: &'static str, error: impl Display) {
        self.0.push((what, error.to_string()));
    }

    /// Adds the reason why an exit reason was replaced, if it was.
    pub(crate) fn add_replaced(&mut self, why: Option<SendError>) {
        if let Some(why) = why {
            self.add("an exit reason was replaced by system_limit", why);
        }
    }

    /// Reports the signals that could not be sent to this node.
    pub(crate) fn report(self, shared: &Shared, node: &NodeName) {
        for (what, error) in self.0 {
            shared.logs.unsent.line(shared.env.now(), |left_out| {
                report!(error, %node, %error, left_out, "{what}");
            });
        }
    }
}
