//! Makes connections, each in its own process, up to the end of the handshake.
//!
//! - `connect` makes a connection to another node.
//! - `accept` accepts the connections of other nodes. `accept_rate` limits how often an address may
//!   try.
//! - `attempt` has the messages of these processes to net_kernel, and its answers.
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
