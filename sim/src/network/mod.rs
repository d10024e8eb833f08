//! The simulated network: hosts, the ways between them, and what is on its way.
//!
//! It runs nothing: handlers that are to be told are collected, and the simulation tells them.
//! The model is TCP as a program sees it: what is sent arrives in order, once, or the connection
//! breaks; a cut way delays, and the sender's host tries again.

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
