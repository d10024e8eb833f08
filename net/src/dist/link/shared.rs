//! The state that all channels of a node share.

use std::sync::Arc;

use fika_runtime::{Env, LogRate, Observed};

use super::reader::Buffers;
use crate::proto::limits::Limits;

/// See the head of this file.
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    /// A connection is congested above this many bytes of output, until it has at most
    /// `output_low_bytes`.
    pub(crate) output_high_bytes: usize,
    pub(crate) output_low_bytes: usize,
    /// Whether the program has set a handler. The handler is asked about incoming events.
    pub(crate) has_handler: bool,
    pub(crate) env: Arc<dyn Env>,
    pub(crate) observed: Observed,
    /// The buffers into which all channels read.
    pub(crate) buffers: Arc<Buffers>,
    pub(crate) logs: Logs,
}

/// The rates of the log lines that a connected peer can cause at will. Each kind has its own rate.
#[derive(Default)]
pub(crate) struct Logs {
    /// The peer broke the protocol, and its connection is closed.
    pub(crate) misbehaved: LogRate,
    /// The program's transport panicked, or code that a read or a write calls.
    pub(crate) panicked: LogRate,
    /// The peer could not decode a value that this node has sent.
    pub(crate) not_taken: LogRate,
    /// A signal could not be sent.
    pub(crate) unsent: LogRate,
}
