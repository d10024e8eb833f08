//! An established connection, without its socket: what both halves are made of.
//!
//! The halves share nothing, so that one thread can send while another receives. Order is that
//! of the calls, in both directions.

use fika_runtime::{ConnectionId, NodeId};

pub(crate) use super::control::{Event, Events, NotTaken};
use super::limits::Limits;
pub(crate) use super::receiving::Receiving;
pub(crate) use super::sending::{Refused, Sending};

/// What a connection is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Config {
    /// Tells it from other connections.
    pub(crate) id: ConnectionId,
    /// This node.
    pub(crate) local: NodeId,
    /// The node that has proved itself at the other end.
    pub(crate) peer: NodeId,
    /// Whether either side is hidden.
    pub(crate) hidden: bool,
    /// Whether the peer knows of messages that go ahead of others.
    pub(crate) priority: bool,
    /// Checks for ticks in one ticktime (TICK-1).
    pub(crate) intensity: u32,
    /// What may be sent and received.
    pub(crate) limits: Limits,
}

impl Config {
    /// A connection.
    pub(crate) fn connection(&self) -> (Sending, Receiving) {
        (Sending::new(self), Receiving::new(self))
    }
}

#[cfg(test)]
mod tests;
