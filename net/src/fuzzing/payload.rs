//! Messages of types that a peer may choose from, with bytes that it makes up.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use bytes::Bytes;
use fika_runtime::message::{
    Buffer, NodeList, decode_postcard_shared, decode_with_nodes, encode_postcard, encode_with_nodes,
};
use fika_runtime::{DecodeError, EncodeError, Encoded, ExitReason, Message, WireType};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::frames::node;

/// A type that contains itself in every way.
#[derive(Serialize, Deserialize, Debug)]
enum Tree {
    Leaf,
    Number(u64),
    Text(String),
    Option(Option<Box<Tree>>),
    List(Vec<Tree>),
    Map(BTreeMap<String, Tree>),
    Fields { left: Box<Tree>, right: (u8, Box<Tree>) },
}

#[derive(Serialize, Deserialize, Debug)]
struct Chain(Option<Box<Chain>>);

/// The most heap memory of a run at any time: per byte of its input, and in addition. A map with
/// one entry has room for eleven, and everything is also written as text. Allocating by a claimed
/// length would need far more.
pub const PAYLOAD_HEAP: (usize, usize) = (4096, 64 << 10);

/// The first byte chooses the type.
pub fn payload(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    if *kind >= 240 {
        return described(bytes);
    }
    let decode = match kind % 10 {
        0 => value::<Tree>,
        1 => value::<Chain>,
        2 => value::<Vec<Vec<Vec<u8>>>>,
        3 => value::<Vec<()>>,
        4 => value::<BTreeMap<Vec<u8>, Option<(char, i128, bool)>>>,
        5 => value::<ExitReason>,
        6 => value::<(Vec<fika_runtime::Pid>, fika_runtime::Reference)>,
        7 => value::<Vec<Vec<()>>>,
        8 => value::<(bytes::Bytes, String, [f64; 2])>,
        _ => value::<Vec<BTreeMap<(), ()>>>,
    };
    decode(bytes);
}

/// A type that asks what comes next.
#[derive(Serialize, Deserialize, Debug)]
#[serde(untagged)]
enum Any {
    Bool(bool),
    Number(u64),
    Signed(i64),
    Text(String),
    List(Vec<Any>),
    Map(BTreeMap<String, Any>),
    Tree(Tree),
    Nothing,
}

impl Message for Any {
    fn tag() -> Cow<'static, str> {
        "fuzzing::Any".into()
    }

    fn fingerprint() -> u64 {
        1
    }

    fn encode(&self, out: &mut Buffer) -> Result<(), EncodeError> {
        encode_postcard(self, out)
    }

    fn decode(bytes: &Bytes) -> Result<Self, DecodeError> {
        decode_postcard_shared(bytes)
    }
}

/// Decodes a value in the described form.
fn described(bytes: &[u8]) {
    let nodes = [node("here@fuzz"), node("there@fuzz")].into_iter().collect();
    let wire_type = Arc::new(WireType::of::<Any>().described());
    let bytes = Bytes::copy_from_slice(bytes);
    let Ok(value) = (Encoded { from: None, sender: None, wire_type, nodes, bytes }).decode::<Any>()
    else {
        return;
    };
    let again = Encoded::new(&value).expect("a decoded value can be encoded");
    let again = again.decode::<Any>().expect("an encoded value can be decoded");
    assert_eq!(format!("{value:?}"), format!("{again:?}"));
}

/// Checks that a decoded value can be encoded again, and decodes to an equal value.
fn value<T: Serialize + DeserializeOwned + Debug>(bytes: &[u8]) {
    let bytes = Bytes::copy_from_slice(bytes);
    let nodes = [node("here@fuzz"), node("there@fuzz")];
    let Ok(value) = decode_with_nodes(&nodes, || decode_postcard_shared::<T>(&bytes)) else {
        return;
    };
    let (mut nodes, mut again) = (NodeList::new(), Buffer::new());
    encode_with_nodes(&mut nodes, || encode_postcard(&value, &mut again))
        .expect("a decoded value can be encoded");
    let again = again.into_bytes();
    assert!(again.len() <= bytes.len(), "the encoding is not the shortest");
    let second = decode_with_nodes(&nodes, || decode_postcard_shared::<T>(&again));
    let second = second.expect("an encoded value can be decoded");
    assert_eq!(format!("{value:?}"), format!("{second:?}"));
}
