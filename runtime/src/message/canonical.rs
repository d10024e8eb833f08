//! One encoding for equal values, so that a [`Term`](super::Term) can be compared by its bytes.
//!
//! Items without an order, such as those of a `HashMap`, are sorted by their bytes, and the list of
//! the nodes that a value names is sorted. Ordinary messages are not compared and need neither.

use super::{Buffer, EncodeError, Encoded, Message, NodeList, WireType, check_tag, encode_message};

/// Encodes a value so that all equal values have the same bytes.
pub(super) fn encoded<M: Message>(message: &M) -> Result<Encoded, EncodeError> {
    check_tag::<M>()?;
    let encode = |mut buffer: Buffer, nodes: &mut NodeList| {
        encode_message(&mut buffer, nodes, |out| message.encode(out)).map(|()| buffer)
    };
    let mut nodes = NodeList::new();
    let mut buffer = encode(Buffer::canonical(), &mut nodes)?;
    if nodes.len() > 1 {
        // The nodes are in order of appearance, and the value refers to them by index, so it is
        // encoded again.
        nodes.sort_unstable();
        let mut again = Buffer::canonical();
        if buffer.is_described() {
            again.describe();
        }
        buffer = encode(again, &mut nodes)?;
    }
    let wire_type = WireType::of::<M>();
    let wire_type = if buffer.is_described() { wire_type.described() } else { wire_type };
    let (wire_type, bytes) = (wire_type.into(), buffer.into_bytes());
    Ok(Encoded { from: None, sender: None, wire_type, nodes, bytes })
}

/// Returns whether `I` is the items or entries of a type without an order: a type of std, an
/// iterator of one, or a type with the same name, such as hashbrown's.
pub(super) fn has_no_order<I>() -> bool {
    // Only the type distinguishes a set from a list, or one kind of map from another, in serde.
    let name = std::any::type_name::<I>().trim_start_matches('&');
    let path = name.split_once('<').map_or(name, |(path, _)| path);
    let last = path.rsplit("::").next().unwrap_or(path);
    let is_known = matches!(last, "HashMap" | "HashSet" | "BinaryHeap");
    // The name of a slice of such types begins with a bracket.
    path.starts_with("std::collections::hash::") || (is_known && !path.starts_with(['[', '(']))
}

/// Returns the number to write: the two zeros are equal.
#[inline]
pub(super) fn f32(value: f32, out: &Buffer) -> f32 {
    if value == 0.0 && out.is_canonical() { 0.0 } else { value }
}

/// Returns the number to write: the two zeros are equal.
#[inline]
pub(super) fn f64(value: f64, out: &Buffer) -> f64 {
    if value == 0.0 && out.is_canonical() { 0.0 } else { value }
}

/// Returns the number of items, if the iterator knows it.
#[inline]
pub(super) fn length(items: &impl Iterator) -> Option<usize> {
    match items.size_hint() {
        (least, Some(most)) if least == most => Some(least),
        _ => None,
    }
}

/// Sorts the items of a value, if they have no order and the buffer is canonical.
pub(super) struct Sorted(Option<Vec<usize>>);

impl Sorted {
    /// Prepares to sort the items or entries of an `I`.
    #[inline]
    pub(super) fn of<I>(out: &Buffer) -> Sorted {
        Sorted((out.is_canonical() && has_no_order::<I>()).then(Vec::new))
    }

    /// Marks the start of an item.
    #[inline]
    pub(super) fn begins(&mut self, out: &Buffer) {
        if let Some(starts) = &mut self.0 {
            starts.push(out.len());
        }
    }

    /// Sorts the items, after the last one was written.
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
    use crate::message::{Term, encode_with_nodes, fingerprint_of};
    use crate::node_id::{Creation, NodeId};
    use crate::pid::{LocalId, Pid};

    #[test]
    fn unordered_collections_are_recognised() {
        assert!(has_no_order::<&HashMap<u8, Vec<u8>>>() && has_no_order::<&HashSet<u8>>());
        assert!(has_no_order::<&BinaryHeap<String>>());
        assert!(has_no_order::<std::collections::hash_map::Iter<'_, u8, u8>>());
        assert!(has_no_order::<std::collections::hash_set::Iter<'_, u8>>());
        assert!(!has_no_order::<&Vec<HashMap<u8, u8>>>() && !has_no_order::<&[HashSet<u8>]>());
        assert!(!has_no_order::<&BTreeMap<u8, u8>>() && !has_no_order::<&(HashSet<u8>, u8)>());
    }

    /// A value with every collection that has no order, nested.
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

    /// Returns the same value, built in a different order. Each map and set has its own hash keys,
    /// and so another order.
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
        // Collections with an order keep it, and nothing is lost.
        let back: Value = again.get().unwrap();
        assert_eq!((back.map, back.list), (one.map, vec![3, 1, 2]));
        assert_eq!(back.heap[0].clone().into_sorted_vec(), (0..20).collect::<Vec<_>>());
        assert_ne!(term, Term::new(&Value { list: vec![1, 2, 3], ..value(true) }));
        let mut fewer = value(true);
        fewer.map.get_mut("key 7").unwrap().remove(&pid(7));
        assert_ne!(term, Term::new(&fewer));
    }

    /// A type that asks what comes next, so its values are described.
    #[derive(Serialize, Deserialize, Debug)]
    #[serde(untagged)]
    enum Asks {
        Number(f64),
        Set { items: HashSet<String> },
        Sets { all: HashMap<String, Asks> },
    }

    impl Message for Asks {
        fn tag() -> std::borrow::Cow<'static, str> {
            "Asks".into()
        }

        fn fingerprint() -> u64 {
            fingerprint_of::<Asks>()
        }

        fn encode(&self, out: &mut Buffer) -> Result<(), EncodeError> {
            crate::message::encode_postcard(self, out)
        }

        fn decode(bytes: &bytes::Bytes) -> Result<Asks, crate::DecodeError> {
            crate::message::decode_postcard_shared(bytes)
        }
    }

    #[test]
    fn equal_self_describing_values_make_equal_terms() {
        let value = |backwards: bool| {
            let mut keys: Vec<String> = (0..20).map(|n| format!("key {n}")).collect();
            if backwards {
                keys.reverse();
            }
            let set = |keys: &[String]| Asks::Set { items: keys.iter().cloned().collect() };
            let zero = || Asks::Number(if backwards { -0.0 } else { 0.0 });
            let mut all: HashMap<_, _> = keys.iter().map(|key| (key.clone(), set(&keys))).collect();
            all.insert("zero".into(), zero());
            Asks::Sets { all }
        };
        let [term, again] = [Term::new(&value(false)), Term::new(&value(true))];
        assert_eq!(term, again);
        let Some(Asks::Sets { all }) = again.get() else { panic!("{again:?}") };
        assert_eq!(all.len(), 21);
        assert_ne!(term, Term::new(&Asks::Sets { all: HashMap::new() }));
    }

    /// Terms that came from another node stay equal.
    #[test]
    fn terms_from_another_node_are_equal() {
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
        // A message that is not a term keeps its sign.
        assert!(Encoded::new(&-0.0_f64).unwrap().decode::<f64>().unwrap().is_sign_negative());
    }
}
