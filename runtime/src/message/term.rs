//! A user's value inside an exit reason.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Encoded, Message, WireType, canonical, node_codec};
use crate::printable::Printable;

/// A user's value in an exit reason: any message, shared, comparable, and equal on every node. It
/// is stored encoded, with its `Debug` text for reports.
///
/// Two terms are equal if their types, including all names of fields, and their values are equal.
/// The items of a `HashMap`, a `HashSet` or a `BinaryHeap` have no order, `-0.0` becomes `0.0`, and
/// a NaN equals a NaN with the same bits. A hand-written `Serialize` of a map or a set decides the
/// order of its items: two values are only equal if it writes them in the same order.
///
/// ```
/// # use std::collections::HashSet;
/// # use fika_runtime::Term;
/// let set = |items: [&str; 3]| HashSet::from(items.map(String::from));
/// assert_eq!(Term::new(&set(["a", "b", "c"])), Term::new(&set(["c", "b", "a"])));
/// assert_eq!(Term::new(&0.0), Term::new(&-0.0));
/// assert_eq!(Term::new(&f64::NAN), Term::new(&f64::NAN));
/// ```
///
/// The receiver of a reason asks for the type that it expects:
///
/// ```
/// # use fika_runtime::Term;
/// let term = Term::new(&404_u16);
/// assert!(term.is::<u16>());
/// assert_eq!(term.get::<u16>(), Some(404));
/// assert_eq!(term.get::<String>(), None);
/// ```
#[derive(Clone)]
pub struct Term(Arc<Inner>);

struct Inner {
    value: Encoded,
    text: String,
}

impl Term {
    /// The longest text that is kept for reports, in bytes.
    const TEXT_BYTES_MAX: usize = 1024;

    /// Makes a term from a message.
    ///
    /// # Panics
    /// If the message can't leave this node: every node may see an exit reason.
    #[must_use]
    #[track_caller]
    pub fn new<M: Message + fmt::Debug>(message: &M) -> Term {
        let mut text = format!("{message:?}");
        if text.len() > Term::TEXT_BYTES_MAX {
            text.truncate(text.floor_char_boundary(Term::TEXT_BYTES_MAX));
            text.push('…');
        }
        match canonical::encoded(message) {
            Ok(value) => Term(Arc::new(Inner { value, text })),
            Err(error) => panic!("badarg: {error}"),
        }
    }

    /// Makes a term from an encoded value, with its text. The items of its sets and maps are in the
    /// order in which they were encoded.
    pub(crate) fn of_encoded(value: Encoded, text: String) -> Term {
        Term(Arc::new(Inner { value, text }))
    }

    pub(crate) fn as_encoded(&self) -> &Encoded {
        &self.0.value
    }

    /// Returns the value, if it is an `M`. `None` also if the type's own code refuses the value.
    #[must_use]
    pub fn get<M: Message>(&self) -> Option<M> {
        self.0.value.decode().ok()
    }

    /// Returns whether the value is an `M`.
    #[must_use]
    pub fn is<M: Message>(&self) -> bool {
        self.0.value.wire_type.hash == M::tag_hash()
    }
}

impl PartialEq for Term {
    fn eq(&self, other: &Term) -> bool {
        let (a, b) = (&self.0.value, &other.0.value);
        a.wire_type == b.wire_type && a.nodes == b.nodes && a.bytes == b.bytes
    }
}

impl Eq for Term {}

impl fmt::Debug for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Printable(&self.0.text), f)
    }
}

/// The wire form of a term.
#[derive(Serialize, Deserialize)]
struct Wire<'a> {
    tag: &'a str,
    fingerprint: u64,
    nodes: Vec<node_codec::Encoded>,
    bytes: &'a [u8],
    text: &'a str,
}

#[derive(Deserialize)]
struct OwnedWire {
    tag: String,
    fingerprint: u64,
    nodes: Vec<node_codec::Encoded>,
    bytes: bytes::Bytes,
    text: String,
}

impl Serialize for Term {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Inner { value, text } = &*self.0;
        let nodes = value.nodes.iter().map(|node| node_codec::Encoded::of(*node)).collect();
        let WireType { tag, fingerprint, .. } = &*value.wire_type;
        Wire { tag, fingerprint: *fingerprint, nodes, bytes: &value.bytes, text }
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Term {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = OwnedWire::deserialize(deserializer)?;
        let nodes = wire.nodes.into_iter().map(node_codec::Encoded::into_id);
        let hash = super::hash_tag(&wire.tag);
        let (tag, fingerprint) = (wire.tag.into(), wire.fingerprint);
        let wire_type = WireType { tag, hash, fingerprint, connection: None };
        let value = Encoded {
            from: None,
            sender: None,
            wire_type: Arc::new(wire_type),
            nodes: nodes.collect::<Result<_, D::Error>>()?,
            bytes: wire.bytes,
        };
        Ok(Term(Arc::new(Inner { value, text: wire.text })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Buffer, decode_postcard, encode_postcard};

    #[test]
    fn a_term_round_trips() {
        let term = Term::new(&(7_u64, "why".to_string()));
        let mut bytes = Buffer::new();
        encode_postcard(&term, &mut bytes).unwrap();
        let back: Term = decode_postcard(&bytes.into_bytes()).unwrap();
        assert_eq!(back, term);
        assert_eq!(back.get::<(u64, String)>(), Some((7, "why".into())));
        assert_eq!(back.get::<u64>(), None);
        assert_eq!(format!("{back:?}"), "(7, \"why\")");
        assert_ne!(back, Term::new(&(8_u64, "why".to_string())));
    }
}
