//! The connections to other nodes: one [`Channel`] for each node to which something is sent.
//!
//! - `channel` is the connection from the first signal to its end. It knows its node only as its
//!   [`Owner`]. [`Shared`] is the state that all channels of the node share.
//! - `phase` is the state that a channel keeps under its lock. `congestion` decides when senders
//!   have to wait.
//! - `reading` and `writing` decide when a channel reads and writes. `rest` continues the work of a
//!   busy channel. `reader` and `writer` are the two halves of the socket.
//! - `undecoded` and `reporting` count and report values that either end could not decode.
//! - `refused` and `unsent` answer and report signals that could not be sent.

mod channel;
mod congestion;
mod phase;
mod reader;
mod reading;
mod refused;
mod reporting;
mod rest;
mod shared;
mod undecoded;
mod unsent;
mod writer;
mod writing;

pub(crate) use channel::{Admitted, Channel, Owner, Sent};
pub(crate) use congestion::{OUTPUT_BYTES, OUTPUT_HIGH_BYTES, OUTPUT_LOW_BYTES};
pub(crate) use phase::Queued;
pub(crate) use reader::Buffers;
pub(crate) use refused::{answer_stale, not_spawned, refused_message, refused_signal};
pub(crate) use shared::{Logs as LinkLogs, Shared};
pub(crate) use unsent::Unsent;
