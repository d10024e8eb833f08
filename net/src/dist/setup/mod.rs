//! How connections are made, each in a process of its own, up to the end of the handshake.
//!
//! - `connect` makes a connection to another node.
//! - `accept` accepts the connections of others; `accept_rate` limits how often an address may try.
//! - `attempt` is what these tell net_kernel, and what it answers.
//! - `framed` reads and writes the frames of a handshake.

mod accept;
mod accept_rate;
mod attempt;
mod connect;
mod framed;

pub(crate) use accept::{Entrance, accept};
pub(crate) use attempt::{Attempt, Claimed, Handshaken, SetupFailure};
pub(crate) use connect::connect;
pub(crate) use framed::Framed;
