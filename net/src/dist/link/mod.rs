//! A connection to another node, once there is something to send to it: one [`Channel`] for each.
//!
//! - `channel` is the connection from the first signal to its end. It knows its node as its
//!   [`Owner`]; [`Shared`] is what all channels of the node share.
//! - `phase` is what a channel keeps under its lock; `congestion` says when senders have to wait.
//! - `reading` and `writing` say when a channel reads and writes, and `rest` how a busy one goes
//!   on; `reader` and `writer` are its two halves of the socket.
//! - `undecoded` and `reporting` are about values that did not decode at either end.
//! - `refused` and `unsent` are about what could not be sent.

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
