//! Tests that the codec writes and reads what postcard does, byte for byte, and keeps its limits.

use std::collections::BTreeMap;
use std::fmt::Debug;

use bytes::Bytes;
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::node_codec::{Does, decode_as};
use super::{
    Buffer, NodeList, SHARED_BYTES_MIN, decode_postcard, decode_postcard_shared, encode_message,
    encode_postcard,
};

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Unit;

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct New(Box<All>);

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Pair(i32, String);

/// Every kind of value in serde's data model.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
enum All {
    Unit,
    Numbers(bool, i8, i16, i32, i64, i128),
    Unsigned(u8, u16, u32, u64, u128),
    Floats { a: f32, b: f64, c: char },
    Text(String),
    Bytes(bytes::Bytes),
    Option(Option<Box<All>>),
    UnitStruct(Unit),
    New(New),
    Pair(Pair),
    List(Vec<All>),
    Array([u16; 3]),
    Map(BTreeMap<String, All>),
    Struct { left: Box<All>, right: Option<()>, nothing: () },
}

fn all() -> impl Strategy<Value = All> {
    let leaf = prop_oneof![
        Just(All::Unit),
        any::<(bool, i8, i16, i32, i64, i128)>()
            .prop_map(|(a, b, c, d, e, f)| All::Numbers(a, b, c, d, e, f)),
        any::<(u8, u16, u32, u64, u128)>().prop_map(|(a, b, c, d, e)| All::Unsigned(a, b, c, d, e)),
        (-1e9_f32..1e9, -1e99..1e99, any::<char>()).prop_map(|(a, b, c)| All::Floats { a, b, c }),
        ".{0,200}".prop_map(All::Text),
        proptest::collection::vec(any::<u8>(), 0..200).prop_map(|b| All::Bytes(b.into())),
        any::<[u16; 3]>().prop_map(All::Array),
        any::<(i32, String)>().prop_map(|(a, b)| All::Pair(Pair(a, b))),
        Just(All::UnitStruct(Unit)),
    ];
    leaf.prop_recursive(6, 100, 8, |inner| {
        prop_oneof![
            proptest::option::of(inner.clone()).prop_map(|all| All::Option(all.map(Box::new))),
            inner.clone().prop_map(|all| All::New(New(Box::new(all)))),
            proptest::collection::vec(inner.clone(), 0..8).prop_map(All::List),
            proptest::collection::btree_map(".{0,4}", inner.clone(), 0..8).prop_map(All::Map),
            (inner, any::<Option<()>>()).prop_map(|(left, right)| {
                All::Struct { left: Box::new(left), right, nothing: () }
            }),
        ]
    })
}

/// Returns what postcard reads from these bytes, if it reads all of them.
fn by_postcard<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Some(value),
        _ => None,
    }
}

fn encode<T: Serialize + DeserializeOwned>(value: &T) -> Result<Bytes, String> {
    let mut buffer = Buffer::new();
    encode_postcard(value, &mut buffer).map_err(|error| error.to_string())?;
    Ok(buffer.into_bytes())
}

proptest! {
    #[test]
    fn the_encoding_is_postcard(value in all()) {
        let bytes = encode(&value).unwrap();
        prop_assert_eq!(&bytes, &postcard::to_allocvec(&value).unwrap());
        prop_assert_eq!(decode_postcard::<All>(&bytes).unwrap(), value);
    }

    /// Valid bytes are accepted, and nearly valid bytes only if postcard accepts them.
    #[test]
    fn nearly_valid_bytes(
        value in all(),
        changes in proptest::collection::vec((any::<u16>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = encode(&value).unwrap().to_vec();
        for (at, to) in changes {
            let at = usize::from(at) % bytes.len();
            bytes[at] = to;
        }
        // Compared as text, since a NaN does not equal itself.
        let text = |value: &dyn Debug| format!("{value:?}");
        let ours = decode_postcard::<All>(&bytes).ok().map(|value| text(&value));
        prop_assert_eq!(ours, by_postcard::<All>(&bytes).map(|value| text(&value)));
    }
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Chain(Option<Box<Chain>>);

#[derive(PartialEq, Debug, Serialize, Deserialize)]
enum Tree {
    Leaf,
    Branches(Vec<Tree>),
}

fn tree(depth: u32) -> Tree {
    (0..depth).fold(Tree::Leaf, |tree, _| Tree::Branches(vec![tree]))
}

fn chain(length: usize) -> Chain {
    (0..length).fold(Chain(None), |chain, _| Chain(Some(Box::new(chain))))
}

/// Tests both directions at the limit and one level above it: a sender, and a receiver of bytes
/// that no sender would write.
#[test]
fn the_depth_is_limited() {
    let bytes = encode(&chain(64)).unwrap();
    assert_eq!(decode_postcard::<Chain>(&bytes).unwrap(), chain(64));
    assert!(encode(&chain(65)).unwrap_err().contains("are nested"));
    let above = postcard::to_allocvec(&chain(65)).unwrap();
    assert!(decode_postcard::<Chain>(&above).unwrap_err().to_string().contains("nested"));
    // An enum and a list are a level each; the leaf is an enum.
    assert!(encode(&tree(31)).is_ok());
    assert!(encode(&tree(32)).is_err());
    let above = postcard::to_allocvec(&tree(32)).unwrap();
    assert!(decode_postcard::<Tree>(&above).is_err());
    // The number of values side by side is not limited.
    let wide = Tree::Branches((0..1000).map(|_| tree(30)).collect());
    assert_eq!(decode_postcard::<Tree>(&encode(&wide).unwrap()).unwrap(), wide);
    // Bytes that would take megabytes of stack take none.
    assert!(decode_postcard::<Chain>(&vec![1; 16 << 20]).is_err());
    assert!(decode_postcard::<Tree>(&vec![1; 16 << 20]).is_err());
}

/// An item without bytes costs its sender nothing, but would cost its receiver time and memory.
#[test]
fn items_without_bytes_are_limited() {
    assert!(encode(&vec![(); 3]).unwrap_err().contains("items without bytes"));
    assert!(encode(&vec![Unit, Unit]).is_err());
    assert!(encode(&BTreeMap::from([((), ())])).is_err());
    assert!(decode_postcard::<(Vec<()>, u64)>(&[3, 7]).is_err());
    assert!(decode_postcard::<(Vec<()>, [u8; 9])>(&[3, 1, 2, 3, 4, 5, 6, 7, 8, 9]).is_err());
    assert!(decode_postcard::<BTreeMap<(), ()>>(&[1, 0]).is_err());
    let endless = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    assert!(decode_postcard::<Vec<()>>(&endless).is_err());
    // An empty list is allowed, and a value whose type gives its length is not a list.
    assert_eq!(decode_postcard::<Vec<()>>(&encode(&Vec::<()>::new()).unwrap()).unwrap(), []);
    assert!(encode(&([(); 5], (), Unit)).unwrap().is_empty());
    assert!(decode_postcard::<([(); 5], (), Unit)>(&[]).is_ok());
    // The key or the value of a map alone may have no bytes.
    let set = BTreeMap::from([(1_u8, ()), (2, ())]);
    assert_eq!(decode_postcard::<BTreeMap<u8, ()>>(&encode(&set).unwrap()).unwrap(), set);
}

/// A list has at most as many items as bytes remain, which is checked before any item is read.
#[test]
fn a_list_has_at_most_as_many_items_as_bytes() {
    assert_eq!(decode_postcard::<Vec<u8>>(&[3, 1, 2, 3]).unwrap(), [1, 2, 3]);
    let error = decode_postcard::<Vec<u8>>(&[4, 1, 2, 3]).unwrap_err().to_string();
    assert!(error.contains("more items than bytes"), "{error}");
    assert!(decode_postcard::<BTreeMap<u8, ()>>(&[2, 1, 2]).is_ok());
    assert!(decode_postcard::<BTreeMap<u8, ()>>(&[3, 1, 2]).is_err());
    for bytes in [&[4, 1, 2, 3][..], &[0xff; 9], &[0xff; 20]] {
        assert!(decode_postcard::<String>(bytes).is_err());
        assert!(decode_postcard::<bytes::Bytes>(bytes).is_err());
    }
}

/// A failure does not affect the next value.
#[test]
fn siblings_do_not_add_to_the_depth() {
    let lists = vec![vec![vec![1_u8; 3]; 3]; 100];
    assert_eq!(decode_postcard::<Vec<Vec<Vec<u8>>>>(&encode(&lists).unwrap()).unwrap(), lists);
    let options = vec![Some(Some(Some(1_u8))); 100];
    let bytes = encode(&options).unwrap();
    assert_eq!(decode_postcard::<Vec<Option<Option<Option<u8>>>>>(&bytes).unwrap(), options);
}

/// A `Bytes` at every place where a value can have one.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Everywhere {
    field: Bytes,
    new: NewBytes,
    option: Option<Bytes>,
    variant: OneBytes,
    list: Vec<Bytes>,
    pair: (u8, Bytes),
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct NewBytes(Bytes);

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
enum OneBytes {
    New(Bytes),
    Tuple(Bytes, u8),
    Struct { bytes: Bytes },
}

impl Everywhere {
    fn all(&self) -> Vec<&Bytes> {
        let variant = match &self.variant {
            OneBytes::New(bytes) | OneBytes::Tuple(bytes, _) | OneBytes::Struct { bytes } => bytes,
        };
        let mut all = vec![&self.field, &self.new.0, variant, &self.pair.1];
        all.extend(&self.option);
        all.extend(&self.list);
        all
    }
}

/// Returns whether `part` lies in the memory of `whole`.
fn shares(part: &Bytes, whole: &Bytes) -> bool {
    whole.as_ptr_range().contains(&part.as_ptr())
}

#[test]
fn large_bytes_are_shared_at_any_depth() {
    let large = Bytes::from(vec![7; SHARED_BYTES_MIN]);
    let small = large.slice(1..);
    for variant in [
        OneBytes::New(large.clone()),
        OneBytes::Tuple(large.clone(), 1),
        OneBytes::Struct { bytes: large.clone() },
    ] {
        let value = Everywhere {
            field: large.clone(),
            new: NewBytes(large.clone()),
            option: Some(large.clone()),
            variant,
            list: vec![large.clone(), small.clone()],
            pair: (1, large.clone()),
        };
        let mut buffer = Buffer::new();
        encode_postcard(&value, &mut buffer).unwrap();
        let parts = buffer.into_parts();
        assert_eq!(parts.iter().filter(|part| shares(part, &large)).count(), 6);

        let whole = Bytes::from(parts.concat());
        let alike = postcard::to_allocvec(&value).unwrap();
        assert!(whole == alike, "by itself or shared, it is the same on the wire");
        assert_eq!(decode_postcard_shared::<Everywhere>(&whole).unwrap(), value);
        assert_eq!(decode_postcard::<Everywhere>(&whole).unwrap(), value);
    }
}

#[test]
fn decoded_bytes_share_the_message_if_they_are_most_of_it() {
    let is_shared = |bytes: usize, beside: usize| {
        let value = (Bytes::from(vec![7; bytes]), NewBytes(Bytes::from(vec![8; beside])));
        let whole = encode(&value).unwrap();
        let (read, _): (Bytes, NewBytes) = decode_postcard_shared(&whole).unwrap();
        assert_eq!(read, value.0);
        shares(&read, &whole)
    };
    assert!(is_shared(SHARED_BYTES_MIN, 0));
    assert!(!is_shared(SHARED_BYTES_MIN - 1, 0));
    assert!(is_shared(1 << 20, 2 << 20));
    assert!(!is_shared(1 << 20, 4 << 20), "it would keep much more than itself");
    let large = |byte| Bytes::from(vec![byte; 1 << 16]);
    let everywhere = Everywhere {
        field: Bytes::new(),
        new: NewBytes(large(1)),
        option: Some(large(2)),
        variant: OneBytes::New(large(3)),
        list: vec![],
        pair: (1, Bytes::new()),
    };
    let whole = encode(&everywhere).unwrap();
    let read: Everywhere = decode_postcard_shared(&whole).unwrap();
    let mut large = read.all().into_iter().filter(|bytes| !bytes.is_empty());
    assert!(large.all(|bytes| shares(bytes, &whole)));
}

/// Lists of bytes at every place where a value can have one, and other lists.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct ByteLists {
    vec: Vec<u8>,
    boxed: Box<[u8]>,
    arc: std::sync::Arc<[u8]>,
    cow: std::borrow::Cow<'static, [u8]>,
    option: Option<Vec<u8>>,
    lists: Vec<Vec<u8>>,
    map: BTreeMap<Vec<u8>, Vec<u8>>,
    queue: std::collections::VecDeque<u8>,
    array: [u8; 7],
    signed: Vec<i8>,
    bools: Vec<bool>,
}

proptest! {
    /// A list of bytes is written in one step, and looks as if written item by item.
    #[test]
    fn lists_of_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300), array: [u8; 7]) {
        let value = ByteLists {
            vec: bytes.clone(),
            boxed: bytes.clone().into(),
            arc: bytes.clone().into(),
            cow: bytes.clone().into(),
            option: Some(bytes.clone()),
            lists: vec![bytes.clone(), Vec::new(), bytes.clone()],
            map: [(bytes.clone(), bytes.clone()), (Vec::new(), bytes.clone())].into(),
            queue: bytes.iter().copied().collect(),
            array,
            signed: bytes.iter().map(|byte| byte.cast_signed()).collect(),
            bools: bytes.iter().map(|byte| byte % 2 == 0).collect(),
        };
        let whole = encode(&value).unwrap();
        prop_assert_eq!(&whole, &postcard::to_allocvec(&value).unwrap());
        prop_assert_eq!(decode_postcard::<ByteLists>(&whole).unwrap(), value);
        let borrowed = (&bytes[..], &&bytes[..], &bytes);
        let mut out = Buffer::new();
        super::encoder::append(&borrowed, &mut out).unwrap();
        prop_assert_eq!(&out.into_bytes()[..], &postcard::to_allocvec(&borrowed).unwrap()[..]);
    }
}

/// A list of bytes is a level like any other list.
#[test]
fn lists_of_bytes_count_as_a_level() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Deep(Option<Box<Deep>>, Vec<u8>);
    let deep =
        |levels| (0..levels).fold(Deep(None, vec![1]), |deep, _| Deep(Some(deep.into()), vec![]));
    let bytes = encode(&deep(63)).unwrap();
    assert!(decode_postcard::<Deep>(&bytes).is_ok());
    assert!(encode(&deep(64)).unwrap_err().contains("are nested"));
    let above = postcard::to_allocvec(&deep(64)).unwrap();
    assert!(decode_postcard::<Deep>(&above).unwrap_err().to_string().contains("nested"));
}

/// A type that reads a list in its own way gets it item by item.
#[test]
fn a_custom_visitor_reads_bytes_item_by_item() {
    #[derive(PartialEq, Debug)]
    struct Sum(Vec<u8>);
    impl<'de> Deserialize<'de> for Sum {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Sum, D::Error> {
            struct Adds;
            impl<'de> serde::de::Visitor<'de> for Adds {
                type Value = Vec<u8>;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("bytes")
                }
                fn visit_seq<A: serde::de::SeqAccess<'de>>(
                    self,
                    mut items: A,
                ) -> Result<Vec<u8>, A::Error> {
                    let mut sum = 0;
                    while let Some(item) = items.next_element::<u8>()? {
                        sum += item;
                    }
                    Ok(vec![sum])
                }
            }
            deserializer.deserialize_seq(Adds).map(Sum)
        }
    }
    assert_eq!(decode_postcard::<Sum>(&encode(&vec![1_u8, 2, 3]).unwrap()).unwrap(), Sum(vec![6]));
    assert_eq!(decode_postcard::<Vec<u8>>(&[3, 1, 2, 3]).unwrap(), [1, 2, 3]);
    assert!(decode_postcard::<Vec<u8>>(&[4, 1, 2, 3]).is_err());
}

/// Any value, in a type that asks what comes next.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Any {
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(String),
    List(Vec<Any>),
    Map(BTreeMap<String, Any>),
    Nothing,
}

fn describe<T: Serialize + DeserializeOwned>(value: &T) -> Bytes {
    let mut buffer = Buffer::new();
    buffer.describe();
    encode_postcard(value, &mut buffer).unwrap();
    buffer.into_bytes()
}

fn described<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, super::DecodeError> {
    decode_as(Does::DecodesDescribed, &[], || decode_postcard(bytes))
}

proptest! {
    #[test]
    fn described_values_round_trip(value in all()) {
        prop_assert_eq!(described::<All>(&describe(&value)).unwrap(), value);
    }

    /// Made-up bytes either are a value or are refused. Nothing panics, and a value that was read
    /// can be sent on.
    #[test]
    fn made_up_described_bytes_do_not_panic(
        value in all(),
        changes in proptest::collection::vec((any::<u16>(), any::<u8>()), 0..4),
    ) {
        let mut bytes = describe(&value).to_vec();
        for (at, to) in changes {
            let at = usize::from(at) % bytes.len();
            bytes[at] = to;
        }
        if let Ok(read) = described::<All>(&bytes) {
            let again = format!("{:?}", described::<All>(&describe(&read)).unwrap());
            prop_assert_eq!(format!("{read:?}"), again);
        }
        if let Ok(read) = described::<Any>(&bytes) {
            let again = format!("{:?}", described::<Any>(&describe(&read)).unwrap());
            prop_assert_eq!(format!("{read:?}"), again);
        }
        let _ = described::<serde::de::IgnoredAny>(&bytes);
        prop_assert!(described::<All>(&bytes[..bytes.len() - 1]).is_err());
    }
}

/// The deepest value that a sender allows, and deeper values that a peer makes up, on a worker's
/// stack.
#[test]
fn the_depth_of_described_values_is_limited() {
    let seq = |depth: usize| [vec![0x15; depth], vec![0; depth]].concat();
    assert!(described::<Any>(&seq(255)).is_ok());
    for depth in [258, 1 << 20] {
        let error = described::<Any>(&seq(depth)).unwrap_err().to_string();
        assert!(error.contains("are nested"), "{error}");
        assert!(described::<Any>(&vec![0x14; depth]).is_err(), "options");
    }
    assert_eq!(described::<Chain>(&describe(&chain(64))).unwrap(), chain(64));
}

/// A large binary is shared in the described form too, and the name of a field is sent once.
#[test]
fn described_values_share_bytes_and_names() {
    #[derive(PartialEq, Debug, Serialize, Deserialize)]
    struct Point {
        latitude: u64,
        longitude: u64,
    }
    let points: Vec<_> = (0..10).map(|n| Point { latitude: n, longitude: n }).collect();
    assert_eq!(encode(&points).unwrap().len(), 1 + 10 * 2);
    // Each struct has a kind and an end, each number a kind, and the two names are spelled out
    // once.
    assert_eq!(describe(&points).len(), 2 + (8 + 9 + 2) + 10 * (2 + 2 * 3));
    let large = NewBytes(vec![7; 1 << 16].into());
    let mut buffer = Buffer::new();
    buffer.describe();
    encode_postcard(&large, &mut buffer).unwrap();
    assert!(buffer.into_parts().iter().any(|part| shares(part, &large.0)));
    let whole = describe(&large);
    let read: NewBytes =
        decode_as(Does::DecodesDescribed, &[], || decode_postcard_shared(&whole)).unwrap();
    assert!(shares(&read.0, &whole));
}

/// A part that needs the described form changes the form of the whole message, with its nodes.
#[test]
fn a_message_has_one_form() {
    let (mut buffer, mut nodes) = (Buffer::new(), NodeList::new());
    let value = (1_u8, Any::Text("x".to_owned()));
    encode_message(&mut buffer, &mut nodes, |out| {
        encode_postcard(&7_u64, out)?;
        encode_postcard(&value, out)
    })
    .unwrap();
    assert!(buffer.is_described());
    let bytes = buffer.into_bytes();
    assert_eq!(described::<u64>(&bytes[..2]), Ok(7));
    assert_eq!(described::<(u8, Any)>(&bytes[2..]), Ok(value));
}
