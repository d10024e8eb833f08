//! One encoding for equal values, so that a [`Term`](super::Term) can be compared by its bytes.
//!
//! What the values of a type have no order for is written in the order of the bytes, and the nodes
//! that a value names are listed in their own order. Other messages have no use for it, and are
//! written as they come.

use super::{Buffer, EncodeError, Encoded, Message, NodeList, WireType, encode_with_nodes};

/// Encodes a value such that all values that equal it have the same bytes.
pub(super) fn encoded<M: Message>(message: &M) -> Result<Encoded, EncodeError> {
    let encode = |nodes: &mut NodeList| {
        let mut buffer = Buffer::canonical();
        encode_with_nodes(nodes, || message.encode(&mut buffer)).map(|()| buffer)
    };
    let mut nodes = NodeList::new();
    let mut buffer = encode(&mut nodes)?;
    if nodes.len() > 1 {
        // They were listed as they came, and what names them is written by their numbers.
        nodes.sort_unstable();
        buffer = encode(&mut nodes)?;
    }
    let (wire_type, bytes) = (WireType::of::<M>().into(), buffer.into_bytes());
    Ok(Encoded { from: None, sender: None, wire_type, nodes, bytes })
}

/// Whether these are the items or entries of a type whose values have no order: one of std, an
/// iterator of it, or a type of the same name, such as hashbrown's.
pub(super) fn has_no_order<I>() -> bool {
    // serde tells a set from a list, and one map from another, by nothing but the type.
    let name = std::any::type_name::<I>().trim_start_matches('&');
    let path = name.split_once('<').map_or(name, |(path, _)| path);
    let last = path.rsplit("::").next().unwrap_or(path);
    let is_known = matches!(last, "HashMap" | "HashSet" | "BinaryHeap");
    // A list of such types begins with a bracket.
    path.starts_with("std::collections::hash::") || (is_known && !path.starts_with(['[', '(']))
}

/// How many there are, if they know it.
#[inline]
pub(super) fn length(items: &impl Iterator) -> Option<usize> {
    match items.size_hint() {
        (least, Some(most)) if least == most => Some(least),
        _ => None,
    }
}

/// Puts the items of a value in order, if it is to.
pub(super) struct Sorted(Option<Vec<usize>>);

impl Sorted {
    #[inline]
    pub(super) fn new(sorts: bool) -> Sorted {
        Sorted(sorts.then(Vec::new))
    }

    /// An item is about to be written.
    #[inline]
    pub(super) fn begins(&mut self, out: &Buffer) {
        if let Some(starts) = &mut self.0 {
            starts.push(out.len());
        }
    }

    /// All have been written.
    #[inline]
    pub(super) fn end(self, out: &mut Buffer) {
        if let Some(starts) = self.0 {
            out.sort(&starts);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet};

    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::message::{Term, fingerprint_of};
    use crate::node_id::{Creation, NodeId};
    use crate::pid::{LocalId, Pid};

    #[test]
    fn what_has_no_order() {
        assert!(has_no_order::<&HashMap<u8, Vec<u8>>>() && has_no_order::<&HashSet<u8>>());
        assert!(has_no_order::<&BinaryHeap<String>>());
        assert!(has_no_order::<std::collections::hash_map::Iter<'_, u8, u8>>());
        assert!(has_no_order::<std::collections::hash_set::Iter<'_, u8>>());
        assert!(!has_no_order::<&Vec<HashMap<u8, u8>>>() && !has_no_order::<&[HashSet<u8>]>());
        assert!(!has_no_order::<&BTreeMap<u8, u8>>() && !has_no_order::<&(HashSet<u8>, u8)>());
    }

    /// Everything that has no order, in each other.
    #[derive(Serialize, Deserialize, Debug)]
    struct Value {
        map: HashMap<String, HashSet<Pid>>,
        heap: Vec<BinaryHeap<u32>>,
        list: Vec<u32>,
        number: f64,
        small: f32,
    }

    impl Message for Value {
        fn tag() -> std::borrow::Cow<'static, str> {
            "Value".into()
        }

        fn fingerprint() -> u64 {
            fingerprint_of::<Value>()
        }

        fn encode(&self, out: &mut Buffer) -> Result<(), EncodeError> {
            crate::message::encode_postcard(self, out)
        }

        fn decode(bytes: &bytes::Bytes) -> Result<Value, crate::DecodeError> {
            crate::message::decode_postcard_shared(bytes)
        }
    }

    fn pid(n: u32) -> Pid {
        let name = format!("n{n}@h").parse().unwrap();
        Pid::new(NodeId::of(&name, Creation(7)), LocalId { slot: n, generation: 0 })
    }

    /// The same value, put together in an order of its own: each map and set has other keys to
    /// hash by, and so another order as well.
    fn value(backwards: bool) -> Value {
        let order = |mut all: Vec<u32>| {
            if backwards {
                all.reverse();
            }
            all
        };
        let all = || order((0..20).collect());
        let sets = all().into_iter().map(|n| (format!("key {n}"), all().into_iter().map(pid)));
        Value {
            map: sets.map(|(key, pids)| (key, pids.collect())).collect(),
            heap: vec![all().into_iter().collect(), BinaryHeap::new()],
            list: vec![3, 1, 2],
            number: if backwards { -0.0 } else { 0.0 },
            small: if backwards { 0.0 } else { -0.0 },
        }
    }

    #[test]
    fn equal_values_make_equal_terms() {
        let (one, other) = (value(false), value(true));
        let [term, again] = [Term::new(&one), Term::new(&other)];
        assert_eq!(term, again);
        // What has an order keeps it, and nothing is lost.
        let back: Value = again.get().unwrap();
        assert_eq!((back.map, back.list), (one.map, vec![3, 1, 2]));
        assert_eq!(back.heap[0].clone().into_sorted_vec(), (0..20).collect::<Vec<_>>());
        assert_ne!(term, Term::new(&Value { list: vec![1, 2, 3], ..value(true) }));
        let mut fewer = value(true);
        fewer.map.get_mut("key 7").unwrap().remove(&pid(7));
        assert_ne!(term, Term::new(&fewer));
    }

    /// And they stay equal where they have come from another node.
    #[test]
    fn terms_that_have_travelled_are_equal_as_well() {
        let [term, again] = [value(false), value(true)].map(|value| {
            let (mut nodes, mut buffer) = (NodeList::new(), Buffer::new());
            let term = Term::new(&value);
            encode_with_nodes(&mut nodes, || crate::message::encode_postcard(&term, &mut buffer))
                .unwrap();
            let bytes = buffer.into_bytes();
            let read = || crate::message::decode_postcard::<Term>(&bytes);
            let read = crate::message::decode_with_nodes(&nodes, read).unwrap();
            assert_eq!(read, term);
            read
        });
        assert_eq!(term, again);
    }

    #[test]
    fn floats() {
        assert_eq!(Term::new(&(0.0_f32, -0.0_f64)), Term::new(&(-0.0_f32, 0.0_f64)));
        assert_eq!(Term::new(&-0.0_f64).get::<f64>().map(f64::to_bits), Some(0));
        assert_eq!(Term::new(&f64::NAN), Term::new(&f64::NAN));
        let other = f64::from_bits(f64::NAN.to_bits() ^ 1);
        assert_ne!(Term::new(&f64::NAN), Term::new(&other));
        assert_ne!(Term::new(&f64::MIN_POSITIVE), Term::new(&0.0_f64));
        // A message that is no term keeps its sign.
        assert!(Encoded::new(&-0.0_f64).unwrap().decode::<f64>().unwrap().is_sign_negative());
    }
}
