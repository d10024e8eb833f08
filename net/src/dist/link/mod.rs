//! A connection to another node, once it is there: one [`Channel`] for each.
//!
//! - `channel` takes what is to be sent, from the first signal to the end of the connection.
//! - `writing` and `reading` move bytes between the channel and its socket.
//! - `congestion` says when senders have to wait, and for what.
//! - `undecoded` counts the values that did not decode at either end.

mod channel;
mod congestion;
mod reading;
mod undecoded;
mod writing;

pub(crate) use channel::{
    Channel, Queued, Sent, answer_stale, not_spawned, refused_message, refused_signal,
};
pub(crate) use congestion::{OUTPUT_BYTES, OUTPUT_HIGH_BYTES, OUTPUT_LOW_BYTES};
pub(crate) use reading::Buffers;
