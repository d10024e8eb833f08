//! Copies of what a process has, for others.

use super::exit::catch;
use crate::message::{Encoded, Envelope, NodeList, encode_with_nodes};
use crate::process_info::Snapshot;

/// A message or a value as others may see it. What encodes it is the program's: if that panics
/// there is no copy.
pub(super) fn snapshot(envelope: &Envelope) -> Snapshot {
    let copy = catch(|| copy_of(envelope)).unwrap_or(None);
    Snapshot::new(envelope.type_name(), copy)
}

fn copy_of(envelope: &Envelope) -> Option<Encoded> {
    if let Some(encoded) = envelope.as_encoded() {
        return Some(encoded.clone());
    }
    let (mut bytes, mut nodes) = (Vec::new(), NodeList::new());
    encode_with_nodes(&mut nodes, || envelope.encode(&mut bytes)).ok()?;
    let wire_type = envelope.wire_type().into();
    Some(Encoded { from: None, wire_type, nodes, bytes: bytes.into() })
}
