//! How connections are made, each in a process of its own, up to the end of the handshake.
//!
//! - `connect` makes a connection to another node.
//! - `accept` accepts the connections of others; `accept_rate` limits how often an address may try.
//! - `framed` reads and writes the frames of a handshake.

pub(crate) mod accept;
mod accept_rate;
mod connect;
mod framed;

pub(crate) use accept::Entrance;
pub(crate) use connect::setup;
pub(crate) use framed::{Failure, Framed};
