//! Copies of what a process has, for others.

use super::exit::catch;
use crate::message::Envelope;
use crate::process_info::Snapshot;

/// A message or a value as others may see it. What encodes it is the program's: if that panics
/// there is no copy.
pub(super) fn snapshot(envelope: &Envelope) -> Snapshot {
    let copy = catch(|| envelope.to_encoded().ok()).unwrap_or(None);
    Snapshot::new(envelope.type_name(), copy)
}
