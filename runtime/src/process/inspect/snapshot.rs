//! Copies of what a process has, for others.

use crate::message::Envelope;
use crate::message::node_codec::try_out;
use crate::process_info::Snapshot;

/// A message or a value as others may see it. What encodes it is the program's: if that panics or
/// calls `exit`, there is no copy.
pub(in crate::process) fn snapshot(envelope: &Envelope) -> Snapshot {
    let copy = try_out(|| envelope.to_encoded().ok()).unwrap_or(None);
    Snapshot::new(envelope.type_name(), copy)
}
