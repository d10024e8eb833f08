//! An established connection, without its socket: the configuration of its two halves.
//!
//! The halves share nothing, so one thread can send while another receives. Both directions follow
//! the order of the calls.

use fika_runtime::{ConnectionId, NodeId};

pub(crate) use super::control::{Event, Events, NotTaken};
use super::limits::Limits;
pub(crate) use super::receiving::Receiving;
pub(crate) use super::sending::{Refused, Sending};

/// The properties of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Config {
    /// Distinguishes it from other connections.
    pub(crate) id: ConnectionId,
    /// This node.
    pub(crate) local: NodeId,
    /// The node at the other end, which has proved itself.
    pub(crate) peer: NodeId,
    /// Whether either side is hidden.
    pub(crate) hidden: bool,
    /// Whether the peer supports priority messages.
    pub(crate) priority: bool,
    /// The number of checks for ticks in a ticktime (TICK-1).
    pub(crate) intensity: u32,
    /// The limits for sending and receiving.
    pub(crate) limits: Limits,
}

impl Config {
    /// Makes the two halves of a connection.
    pub(crate) fn connection(&self) -> (Sending, Receiving) {
        (Sending::new(self), Receiving::new(self))
    }
}

#[cfg(test)]
mod tests;
