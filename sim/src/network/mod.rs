//! The simulated network: hosts, the paths between them, and packets in flight.
//!
//! The network calls no handlers. It collects the calls, and the simulation makes them. The model
//! is TCP as a program sees it: bytes arrive in order, once, or the connection breaks. On a cut
//! path packets wait, and the sender's host retransmits them.

mod connecting;
mod connection;
mod damage;
mod hosts;
mod options;
mod packets;
mod socket;
#[cfg(test)]
mod tests;
mod wires;

pub use options::{Network, Reads};

pub(crate) use hosts::HostId;
pub(crate) use socket::LifeNetwork;

pub(crate) use wires::{LifeId, Tell, Wires};
