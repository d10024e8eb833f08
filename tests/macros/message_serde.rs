//! Messages to another node whose types use serde's attributes or hand-written implementations:
//! such a message arrives as it was sent, or its sender gets an error. Each row of the table in the
//! docs of `derive(Message)` has a row here.

use crate::support;

use std::collections::BTreeMap;
use std::fmt::{self, Debug};

use fika::message::{Encoded, Local, alias, send_wait, try_send};
use fika::prelude::*;
use fika::process::spawn_monitor_on;
use serde::de::{self, SeqAccess, Visitor};
use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::json;

/// How a value is sent to another node.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Goes {
    /// The value is sent in the plain form.
    Plain,
    /// The value is sent in the described form.
    Described,
    /// The value is not sent. The error contains these texts.
    Refused(&'static [&'static str]),
}

use Goes::{Described, Plain, Refused};

/// Encodes and decodes a value, and checks the result. Does so twice, since the first value of a
/// type is checked more closely.
#[track_caller]
fn check<M: Message + PartialEq + Debug>(value: &M, arrives: &M, goes: Goes) {
    for _ in 0..2 {
        let encoded = match (Encoded::new(value), goes) {
            (Ok(encoded), Plain | Described) => encoded,
            (Ok(_), Refused(_)) => panic!("{}: {value:?} was sent", M::tag()),
            (Err(error), Refused(texts)) => {
                let error = error.to_string();
                let missing = texts.iter().find(|text| !error.contains(**text));
                assert_eq!(missing, None, "{}: {error}", M::tag());
                continue;
            }
            (Err(error), _) => panic!("{}: {error}", M::tag()),
        };
        let found =
            if encoded.wire_type.fingerprint == M::fingerprint() { Plain } else { Described };
        assert_eq!(found, goes, "{}: {value:?}", M::tag());
        assert_eq!(encoded.decode::<M>().as_ref(), Ok(arrives), "{}", M::tag());
    }
}

/// A row: its name, the type, and the values, each with the form in which it is sent. The value
/// after `=>` is the one that arrives, if it differs.
macro_rules! row {
    ($tag:literal: [$($item:item)*] $($value:expr $(=> $arrives:expr)?, $goes:expr;)*) => {{
        $(
            #[derive(Message, Serialize, Deserialize, PartialEq, Debug)]
            #[message(tag = $tag)]
            $item
        )*
        $({
            let value = $value;
            #[allow(unused_variables)]
            let arrives = &value;
            $(let arrives = &$arrives;)?
            check(&value, arrives, $goes);
        })*
    }};
}

fn seven() -> u8 {
    7
}

fn is_seven(n: &u8) -> bool {
    *n == 7
}

#[derive(Clone, Copy, Deserialize, PartialEq, Debug)]
enum Drink {
    Tea,
    Milk,
}

/// Writes the variant's name as a string, which is not how serde writes a variant.
fn as_name<S: Serializer>(drink: &Drink, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{drink:?}"))
}

/// `serialize_with` and `deserialize_with` that fit each other.
mod as_text {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(n: &u8, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(n)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[test]
fn container_attributes() {
    row!("rename": [#[serde(rename = "x")] struct M { a: u8 }] M { a: 1 }, Plain;);
    row!("rename of one side": [
        #[serde(rename(serialize = "x", deserialize = "y"))] struct M { a: u8 }
    ] M { a: 1 }, Plain;);
    row!("rename_all": [#[serde(rename_all = "camelCase")] struct M { a_b: u8 }] M { a_b: 1 }, Plain;);
    row!("rename_all of one side": [
        #[serde(rename_all(serialize = "camelCase"))] struct M { a_b: u8 }
    ] M { a_b: 1 }, Refused(&["`M`", "`aB`", "rename"]););
    row!("rename_all_fields": [
        #[serde(rename_all_fields = "UPPERCASE")] enum M { A { a: u8 } }
    ] M::A { a: 1 }, Plain;);
    row!("deny_unknown_fields": [#[serde(deny_unknown_fields)] struct M { a: u8 }] M { a: 1 }, Plain;);
    row!("default": [#[serde(default)] #[derive(Default)] struct M { a: u8 }] M { a: 1 }, Plain;);
    row!("bound": [#[serde(bound = "")] struct M { a: u8 }] M { a: 1 }, Plain;);
    row!("expecting": [#[serde(expecting = "an M")] struct M { a: u8 }] M { a: 1 }, Plain;);
    row!("crate": [#[serde(crate = "serde")] struct M { a: u8 }] M { a: 1 }, Plain;);
    row!("transparent": [#[serde(transparent)] struct M { a: u8 }] M { a: 1 }, Plain;);
    row!("tag": [
        #[serde(tag = "type")] enum M { A, B { n: u64, text: String }, C(BTreeMap<String, u8>) }
    ]
        M::A, Described;
        M::B { n: u64::MAX, text: "x".into() }, Described;
        M::C(BTreeMap::from([("n".into(), 1)])), Described;
    );
    row!("tag of a struct": [#[serde(tag = "type")] struct M { a: u8 }]
        M { a: 1 }, Refused(&["`M`", "`type`"]););
    row!("tag, content": [
        #[serde(tag = "t", content = "c")] enum M { A, B { n: u64 }, C(u8), D(u8, String) }
    ]
        M::A, Described;
        M::B { n: 1 }, Described;
        M::C(1), Described;
        M::D(1, "x".into()), Described;
    );
    row!("untagged": [
        #[serde(untagged)] enum M { A { n: u64 }, B(String), C(u8, i8), D }
    ]
        M::A { n: 1 }, Described;
        M::B("x".into()), Described;
        M::C(1, -1), Described;
        M::D, Described;
    );
}

#[derive(Clone, Serialize, Deserialize)]
struct Text(String);

impl From<Text> for u8 {
    fn from(text: Text) -> u8 {
        text.0.parse().unwrap_or(0)
    }
}

/// Implements the conversions of a type that is sent as a `Text`.
macro_rules! goes_as {
    ($name:ident) => {
        impl From<$name> for Text {
            fn from(value: $name) -> Text {
                Text(value.0.to_string())
            }
        }

        impl From<Text> for $name {
            fn from(text: Text) -> $name {
                $name(text.into())
            }
        }
    };
}

#[derive(Message, Serialize, Deserialize, Clone, PartialEq, Debug)]
#[serde(into = "Text", from = "Text")]
struct Both(u8);
goes_as!(Both);

#[derive(Message, Serialize, Deserialize, Clone, PartialEq, Debug)]
#[serde(into = "Text", try_from = "Text")]
struct Tries(u8);
goes_as!(Tries);

#[derive(Message, Serialize, Deserialize, Clone, PartialEq, Debug)]
#[serde(into = "Text")]
struct OnlyInto(u8);
goes_as!(OnlyInto);

#[derive(Message, Serialize, Deserialize, Clone, PartialEq, Debug)]
#[serde(from = "Text")]
struct OnlyFrom(u8);
goes_as!(OnlyFrom);

#[test]
fn types_serialized_as_another_type() {
    check(&Both(1), &Both(1), Plain);
    check(&Tries(1), &Tries(1), Plain);
    check(&OnlyInto(1), &OnlyInto(1), Refused(&["OnlyInto", "a string", "`into` and `from`"]));
    check(&OnlyFrom(1), &OnlyFrom(1), Refused(&["OnlyFrom", "a u8", "`into` and `from`"]));
}

/// A type of another crate, which has no serde traits.
#[derive(PartialEq, Debug)]
struct Foreign {
    n: u8,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Foreign")]
struct Known {
    #[serde(getter = "get_n")]
    n: u8,
}

fn get_n(foreign: &Foreign) -> &u8 {
    &foreign.n
}

impl From<Known> for Foreign {
    fn from(known: Known) -> Foreign {
        Foreign { n: known.n }
    }
}

#[test]
fn variant_attributes() {
    row!("variant rename": [enum M { #[serde(rename = "x")] A, B }] M::A, Plain; M::B, Plain;);
    row!("variant rename of one side": [
        enum M { #[serde(rename(serialize = "x", deserialize = "y"))] A, B }
    ] M::A, Plain; M::B, Plain;);
    row!("variant alias": [enum M { #[serde(alias = "x", alias = "0")] A, B(u8) }]
        M::A, Plain; M::B(1), Plain;);
    row!("variant rename_all": [enum M { #[serde(rename_all = "UPPERCASE")] A { a: u8 } }]
        M::A { a: 1 }, Plain;);
    row!("variant skip": [enum M { #[serde(skip)] A, B(u8), C(u8) }]
        M::A, Refused(&["M::A"]); M::B(1), Described; M::C(2), Described;);
    row!("variant skip_serializing": [enum M { #[serde(skip_serializing)] A, B(u8), C(u8) }]
        M::A, Refused(&["A"]); M::B(1), Plain; M::C(2), Plain;);
    row!("variant skip_deserializing": [enum M { #[serde(skip_deserializing)] A, B(u8), C(u8) }]
        M::A, Refused(&["A"]); M::B(1), Described; M::C(2), Described;);
    row!("last variant skip": [enum M { A(u8), B(u8), #[serde(skip)] C }]
        M::A(1), Plain; M::B(2), Plain; M::C, Refused(&["C"]););
    row!("variant with": [enum M { #[serde(with = "as_text")] A(u8) }] M::A(1), Plain;);
    row!("variant serialize_with": [
        enum M { #[serde(serialize_with = "as_text::serialize")] A(u8) }
    ] M::A(1), Refused(&["`A`", "a string", "serialize_with"]););
    row!("variant deserialize_with": [
        enum M { #[serde(deserialize_with = "as_text::deserialize")] A(u8) }
    ] M::A(1), Refused(&["`A`", "a u8", "deserialize_with"]););
    row!("variant other": [enum M { A, #[serde(other)] B }] M::A, Plain; M::B, Plain;);
    row!("variant other, tag": [#[serde(tag = "t")] enum M { A, #[serde(other)] B }]
        M::A, Described; M::B, Described;);
    row!("variant untagged": [enum M { A(u8), #[serde(untagged)] B(String) }]
        M::A(1), Described; M::B("x".into()), Described;);
}

#[test]
fn field_attributes() {
    row!("field rename": [struct M { #[serde(rename = "x")] a: u8, b: u8 }]
        M { a: 1, b: 2 }, Plain;);
    row!("field rename of one side": [
        struct M { #[serde(rename(serialize = "x", deserialize = "y"))] a: u8, b: u8 }
    ] M { a: 1, b: 2 }, Refused(&["`M`", "rename"]););
    row!("field alias": [struct M { #[serde(alias = "x", alias = "0")] a: u8, b: u8 }]
        M { a: 1, b: 2 }, Plain;);
    row!("field rename of one side, alias": [
        struct M { #[serde(rename(serialize = "x", deserialize = "y"), alias = "x")] a: u8, b: u8 }
    ] M { a: 1, b: 2 }, Plain;);
    row!("field default": [
        struct M { #[serde(default)] a: u8, #[serde(default = "seven")] b: u8, c: String }
    ] M { a: 1, b: 2, c: "x".into() }, Plain;);
    row!("field flatten": [
        struct M { a: u8, #[serde(flatten)] rest: BTreeMap<String, u64> }
    ] M { a: 1, rest: BTreeMap::from([("x".into(), 1), ("y".into(), 2)]) }, Described;);
    row!("field skip": [struct M { #[serde(skip)] a: u8, b: u8 }]
        M { a: 1, b: 2 } => M { a: 0, b: 2 }, Plain;);
    row!("field skip_serializing": [struct M { #[serde(skip_serializing)] a: u8, b: u8 }]
        M { a: 1, b: 2 }, Refused(&["`M`", "`a`", "skip_serializing"]););
    row!("field skip_serializing, default": [
        struct M { #[serde(skip_serializing, default)] a: u8, b: u8 }
    ] M { a: 1, b: 2 } => M { a: 0, b: 2 }, Described;);
    row!("field skip_deserializing": [struct M { #[serde(skip_deserializing)] a: u8, b: u8 }]
        M { a: 1, b: 2 }, Refused(&["`M`", "`a`", "skip_deserializing"]););
    row!("field skip_serializing_if": [
        struct M { #[serde(skip_serializing_if = "Option::is_none")] a: Option<String>, b: u8 }
    ]
        M { a: None, b: 2 }, Described;
        M { a: Some("x".into()), b: 2 }, Plain;
    );
    row!("field skip_serializing_if, default": [
        struct M { #[serde(skip_serializing_if = "is_seven", default = "seven")] a: u8, b: u8 }
    ] M { a: 7, b: 2 }, Described; M { a: 0, b: 2 }, Plain;);
    row!("field skip_serializing_if without default": [
        struct M { #[serde(skip_serializing_if = "is_seven")] a: u8, b: u8 }
    ]
        M { a: 0, b: 2 }, Plain;
        M { a: 7, b: 2 }, Refused(&["`M`", "`a`", "skip_serializing_if", "#[serde(default)]"]);
    );
    row!("field skip_serializing_if in a variant": [
        enum M { A { #[serde(skip_serializing_if = "Option::is_none")] a: Option<u8> }, B }
    ] M::A { a: None }, Described; M::A { a: Some(1) }, Plain; M::B, Plain;);
    // The error is the one of the form in which it would be sent.
    row!("field skip_serializing_if before a refused one": [
        struct M {
            #[serde(skip_serializing_if = "is_seven", default = "seven")] a: u8,
            list: Vec<String>,
            even: Even,
        }
    ] M { a: 7, list: vec![], even: Even(1) }, Refused(&["`even` of `M`", "it is odd"]););
    row!("field with": [struct M { #[serde(with = "as_text")] a: u8, b: u8 }]
        M { a: 1, b: 2 }, Plain;);
    row!("field serialize_with": [
        struct M { #[serde(serialize_with = "as_text::serialize")] a: u8, b: u8 }
    ] M { a: 1, b: 2 }, Refused(&["`a` of `M`", "a string", "serialize_with"]););
    row!("field serialize_with, a variant as a string": [
        struct M { #[serde(serialize_with = "as_name")] a: Drink, b: u8 }
    ] M { a: Drink::Milk, b: 2 }, Described; M { a: Drink::Tea, b: 2 }, Described;);
    row!("field deserialize_with": [
        struct M { #[serde(deserialize_with = "as_text::deserialize")] a: u8, b: u8 }
    ] M { a: 1, b: 2 }, Refused(&["`a` of `M`", "a u8", "deserialize_with"]););
    row!("field bound": [struct M { #[serde(bound = "")] a: u8 }] M { a: 1 }, Plain;);
    row!("field with, remote, getter": [struct M { #[serde(with = "Known")] a: Foreign }]
        M { a: Foreign { n: 1 } }, Plain;);
}

#[test]
fn types_that_need_the_described_form() {
    let value = json!({"text": "x", "list": [1, -1, 1.5, null, true], "map": {"a": {}}});
    row!("json": [struct M { name: String, extra: serde_json::Value }]
        M { name: "x".into(), extra: value.clone() }, Described;
        M { name: "x".into(), extra: json!(null) }, Described;
    );
    row!("json, deep inside": [enum M { A, B(Vec<Option<(u8, serde_json::Value)>>) }]
        M::A, Described;
        M::B(vec![None, Some((1, value.clone()))]), Described;
    );
    row!("a large binary beside it": [struct M { large: fika::message::Bytes, extra: serde_json::Value }]
        M { large: vec![7; 100_000].into(), extra: value.clone() }, Described;
    );
}

/// Implements serde's traits by hand: the value that is written, and the value that is read.
macro_rules! by_hand {
    ($name:ident($type:ty) $value:ident $serializer:ident $write:expr, $deserializer:ident $read:expr) => {
        #[derive(PartialEq, Debug, Clone)]
        struct $name($type);

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, $serializer: S) -> Result<S::Ok, S::Error> {
                let $value = &self.0;
                $write
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>($deserializer: D) -> Result<Self, D::Error> {
                $read.map($name)
            }
        }
    };
}

by_hand!(OtherInt(i64) n s s.serialize_i64(*n),
    d u64::deserialize(d).map(|n| n.cast_signed()));
by_hand!(ByValue(u8) n s if *n < 100 { s.serialize_u8(*n) } else { s.serialize_u64(1) },
    d u8::deserialize(d));
by_hand!(Swapped((u8, u8)) n s {
    let mut fields = s.serialize_struct("Swapped", 2)?;
    fields.serialize_field("b", &n.1)?;
    fields.serialize_field("a", &n.0)?;
    fields.end()
}, d {
    #[derive(Deserialize)]
    struct Swapped { a: u8, b: u8 }
    Swapped::deserialize(d).map(|s| (s.a, s.b))
});
by_hand!(LeavesOut((u8, u8)) n s {
    let mut fields = s.serialize_struct("LeavesOut", 1 + usize::from(n.0 != 0))?;
    if n.0 != 0 {
        fields.serialize_field("a", &n.0)?;
    }
    fields.serialize_field("b", &n.1)?;
    fields.end()
}, d {
    #[derive(Deserialize)]
    struct LeavesOut { #[serde(default)] a: u8, b: u8 }
    LeavesOut::deserialize(d).map(|s| (s.a, s.b))
});
by_hand!(Unsized(Vec<u8>) n s s.collect_seq(n.iter().filter(|n| **n > 1)), d Vec::deserialize(d));
by_hand!(Even(u8) n s s.serialize_u8(*n), d u8::deserialize(d).and_then(|n| {
    if n % 2 == 0 { Ok(n) } else { Err(de::Error::custom("it is odd")) }
}));

/// The first value determines the type of the second.
#[derive(PartialEq, Debug, Clone)]
enum Depends {
    Text(String),
    Number(u64),
}

impl Serialize for Depends {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Depends::Text(text) => (0_u8, text).serialize(serializer),
            Depends::Number(n) => (9_u8, n).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Depends {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pair;

        impl<'de> Visitor<'de> for Pair {
            type Value = Depends;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a pair")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Depends, A::Error> {
                let found = match seq.next_element()? {
                    Some(0_u8) => seq.next_element()?.map(Depends::Text),
                    Some(9) => seq.next_element()?.map(Depends::Number),
                    _ => None,
                };
                found.ok_or_else(|| de::Error::custom("no such pair"))
            }
        }

        deserializer.deserialize_tuple(2, Pair)
    }
}

#[test]
fn handwritten_implementations() {
    row!("another number": [struct M { a: OtherInt }] M { a: OtherInt(5) }, Described;
        M { a: OtherInt(-5) }, Refused(&["`a` of `M`"]););
    row!("none at first": [struct M { list: Vec<OtherInt> }]
        M { list: vec![] }, Plain; M { list: vec![OtherInt(-5)] }, Refused(&["`list` of `M`"]););
    row!("by value": [struct M { a: ByValue }] M { a: ByValue(5) }, Plain;);
    row!("swapped": [struct M { a: Swapped }] M { a: Swapped((1, 2)) }, Described;);
    row!("leaves out": [struct M { a: LeavesOut }]
        M { a: LeavesOut((1, 2)) }, Plain; M { a: LeavesOut((0, 2)) }, Described;);
    row!("no length": [struct M { a: Unsized }]
        M { a: Unsized(vec![2, 3]) }, Described; M { a: Unsized(vec![]) }, Plain;);
    row!("checked": [struct M { a: Even }]
        M { a: Even(1) }, Refused(&["`a` of `M`", "it is odd"]); M { a: Even(2) }, Plain;);
    row!("depends": [struct M { a: Depends, b: u8 }]
        M { a: Depends::Number(1), b: 1 }, Plain;
        M { a: Depends::Text("x".into()), b: 1 }, Plain;
    );
    row!("panics": [struct M { a: Panics }] M { a: Panics(7) }, Plain;);
}

by_hand!(Panics(u8) n s s.serialize_u8(*n), d u8::deserialize(d).inspect(|n| assert_eq!(*n, 7)));

/// serde has no implementation for these arrays, and a message may contain them.
#[test]
fn long_arrays() {
    let numbers = || std::array::from_fn(|n| n as u64 * 1000);
    row!("array": [struct M { #[serde(with = "fika::message::array")] a: [u64; 40] }]
        M { a: numbers() }, Plain;);
    row!("array of texts": [
        #[expect(clippy::large_enum_variant, reason = "it is about the array")]
        enum M { A(#[serde(with = "fika::message::array")] [String; 33]), B }
    ]
        M::A(std::array::from_fn(|n| n.to_string())), Plain; M::B, Plain;);
    row!("array, described": [
        struct M { #[serde(with = "fika::message::array")] a: [u8; 1000], b: serde_json::Value }
    ] M { a: std::array::from_fn(|n| n as u8), b: json!([1]) }, Described;);
    row!("array, something left out": [
        struct M {
            #[serde(with = "fika::message::array")]
            a: [u64; 40],
            #[serde(skip_serializing_if = "Option::is_none")]
            b: Option<u8>,
        }
    ]
        M { a: numbers(), b: Some(1) }, Plain;
        M { a: numbers(), b: None }, Described;
    );
    // Shorter arrays are written in serde's own form.
    #[derive(Serialize, Deserialize)]
    struct Short(#[serde(with = "fika::message::array")] [u16; 3]);
    assert_eq!(json!(Short([1, 2, 3])), json!([1, 2, 3]));
    let why = |text| serde_json::from_str::<Short>(text).err().map(|error| error.to_string());
    assert_eq!(why("[1, 2, 3]"), None);
    assert!(why("[1, 2]").unwrap().contains("invalid length 2, expected an array of length 3"));
    assert!(why("[1, 2, 3, 4]").is_some());
}

/// A local message is not encoded. A message to another node has either form.
#[test]
fn long_arrays_between_nodes() {
    #[derive(Message, Serialize, Deserialize)]
    struct Block {
        from: Pid,
        #[serde(with = "fika::message::array")]
        sums: [u64; 64],
        #[serde(skip_serializing_if = "Option::is_none")]
        left_out: Option<u8>,
    }
    let place = support::Place::new();
    let (here, there) = (place.node("here"), place.node("there"));
    let echo = there.spawn(async {
        loop {
            receive! { block: Block => send(block.from, block) }
        }
    });
    there.register("echo", echo.unwrap()).unwrap();
    let name = place.name("there");
    here.block_on(async move {
        let from = self_pid();
        for left_out in [None, Some(1), None] {
            let block = || Block { from, sums: std::array::from_fn(|n| n as u64), left_out };
            send(("echo", name.as_str()), block());
            send(from, block());
            for _ in 0..2 {
                let back = next!(Block);
                assert_eq!((back.sums, back.left_out), (block().sums, left_out));
            }
        }
    });
}

/// Calls `exit` when it is read, unless it is one of some numbers.
#[derive(Serialize, Clone, Copy, PartialEq, Debug)]
struct ExitsRead(u8);

impl<'de> Deserialize<'de> for ExitsRead {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ExitsRead, D::Error> {
        match u8::deserialize(deserializer)? {
            n @ 7..=9 => Ok(ExitsRead(n)),
            _ => exit(ExitReason::Shutdown),
        }
    }
}

/// Calls `exit` when 1 is written.
#[derive(Deserialize, Clone, Copy, PartialEq, Debug)]
struct ExitsWritten(u8);

impl Serialize for ExitsWritten {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 == 1 {
            exit(ExitReason::Shutdown);
        }
        serializer.serialize_u8(self.0)
    }
}

#[derive(Message, Serialize, Deserialize, Clone, Copy, PartialEq, Debug)]
struct Read(ExitsRead);
#[derive(Message, Serialize, Deserialize, Clone, Copy, PartialEq, Debug)]
struct Written(ExitsWritten);

async fn end_of(body: impl Future<Output = ()> + Send + 'static) -> ExitReason {
    let (_, monitor) = spawn_monitor(body);
    receive! { Down { monitor: m, reason, .. } if m == monitor => reason }
}

/// The sender's own code ends the sender, even if the value is only written to try it out.
#[fika::test]
async fn a_serialize_that_exits_ends_the_sender() {
    let to = self_pid();
    let sends = |n| async move { send(to, Written(ExitsWritten(n))) };
    for (n, reason) in [
        (1, ExitReason::Shutdown),
        (2, ExitReason::Normal),
        (1, ExitReason::Shutdown),
        (3, ExitReason::Normal),
    ] {
        assert_eq!(end_of(sends(n)).await, reason, "{n}");
    }
    assert_eq!([next!(Written), next!(Written)].map(|written| written.0.0), [2, 3]);
}

/// The runtime itself reads invented values, and the values of a sender. The running process then
/// continues.
#[fika::test]
async fn a_deserialize_that_exits_in_a_trial_is_an_error() {
    assert_eq!(Encoded::new(&Read(ExitsRead(7))).unwrap().decode(), Ok(Read(ExitsRead(7))));
    sleep(millis(1)).await;
    // Another variant, which was not tried yet.
    #[derive(Message, Serialize, Deserialize, Debug)]
    enum Other {
        A(ExitsRead),
    }
    for _ in 0..2 {
        let error = Encoded::new(&Other::A(ExitsRead(1))).unwrap_err().to_string();
        assert!(error.contains("its `Deserialize` calls `exit` at this value"), "{error}");
        sleep(millis(1)).await;
    }
    // Messages on this node are written and read as if they went to another node, but the sender
    // reads them.
    let error = try_send(self_pid(), Read(ExitsRead(2))).unwrap_err().to_string();
    assert!(error.contains("its `Deserialize` calls `exit` at this value"), "{error}");
    sleep(millis(1)).await;
}

/// The values in a mailbox are copied for other processes, which does not end the mailbox's
/// process.
#[fika::test(encode_messages = false)]
async fn a_serialize_that_exits_makes_no_copy() {
    send(self_pid(), Written(ExitsWritten(1)));
    send(self_pid(), Written(ExitsWritten(2)));
    let copies = fika::inspect::info::messages(self_pid()).await.unwrap();
    let copies: Vec<_> = copies.iter().map(|copy| copy.get::<Written>().is_some()).collect();
    assert_eq!(copies, [false, true]);
    sleep(millis(1)).await;
    next!(Written);
}

#[remote]
async fn takes(read: Read, to: Pid) {
    send(to, read);
    receive! { Read(ExitsRead(n)) => send(to, n) }
}

/// A process that receives a value whose code calls `exit` ends. If no process reads the value, it
/// is lost.
#[test]
fn a_deserialize_that_exits_between_nodes() {
    let place = support::Place::new();
    let (here, there) = (place.node("here"), place.node("there"));
    let name = place.name("there");
    here.block_on(async move {
        for (n, reason) in [(8, ExitReason::Normal), (1, ExitReason::Shutdown)] {
            let (pid, monitor) =
                spawn_monitor_on(&name, takes(Read(ExitsRead(7)), self_pid())).await;
            assert_eq!(next!(Read).0.0, 7);
            send(pid, Read(ExitsRead(n)));
            assert_eq!(support::down(monitor).await, reason);
        }
        assert_eq!(next!(u8), 8);
        let asked = fika::process::try_spawn_on(&name, takes(Read(ExitsRead(1)), self_pid())).await;
        assert_eq!(asked, Err(fika::process::SpawnError::Badarg));
        assert_eq!(nodes().len(), 1);
    });
    assert_eq!(there.undecodable_count(), 1);
}

/// The error names the field, at any depth.
#[test]
fn an_error_names_the_field() {
    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    struct Inner {
        #[serde(serialize_with = "as_text::serialize")]
        wrong: u8,
    }
    row!("the place": [struct M { list: Vec<Option<(u8, Inner)>> }]
        M { list: vec![] }, Plain;
        M { list: vec![None, Some((1, Inner { wrong: 1 }))] },
            Refused(&["message_serde::an_error_names_the_field::M", "`list` of `M`", "`wrong` of `Inner`"]);
    );
}

/// Between two nodes, described messages arrive in order among plain ones.
#[test]
fn all_forms_between_nodes() {
    #[derive(Message, Serialize, Deserialize, PartialEq, Debug)]
    struct Report {
        #[serde(skip_serializing_if = "Option::is_none")]
        from: Option<Pid>,
        to: Pid,
        extra: Vec<u8>,
    }
    #[derive(Message, Serialize, Deserialize)]
    struct Config {
        from: Pid,
        extra: serde_json::Value,
    }
    #[derive(Message, Serialize, Deserialize)]
    #[message(tag = "wrong1")]
    struct Wrong {
        #[serde(skip_serializing)]
        #[allow(dead_code)]
        a: u8,
    }
    let place = support::Place::new();
    let (here, there) = (place.node("here"), place.node("there"));
    let echo = there.spawn(async {
        loop {
            receive! {
                Report { from, to, extra } => send(to, Report { from, to, extra }),
                Config { from, extra } => send(from, Config { from, extra }),
            }
        }
    });
    there.register("echo", echo.unwrap()).unwrap();
    let name = place.name("there");
    here.block_on(async move {
        let me = self_pid();
        for n in 0..20_u8 {
            let from = (n % 3 == 0).then_some(me);
            let report = Report { from, to: me, extra: vec![n] };
            send(("echo", name.as_str()), report);
            send(("echo", name.as_str()), Config { from: me, extra: json!({"n": n}) });
        }
        for n in 0..20_u8 {
            let report = next!(Report);
            let from = (n % 3 == 0).then_some(me);
            assert_eq!(report, Report { from, to: me, extra: vec![n] });
            assert_eq!(next!(Config).extra, json!({"n": n}));
        }
        // A value that can't be read at the receiver ends its sender, and the connection stays.
        let sender = spawn(async move { send(("echo", name.as_str()), Wrong { a: 1 }) });
        monitor(sender);
        let reason = next!(Down).reason.to_string();
        assert!(
            reason.contains("`a` of `Wrong`") && reason.contains("skip_serializing"),
            "{reason}"
        );
        assert_eq!(nodes().len(), 1);
    });
}

/// On one node, such a value fails if messages are encoded, and not otherwise.
#[test]
fn undescribed_values_on_one_node() {
    #[derive(Message, Serialize, Deserialize, PartialEq, Debug)]
    #[message(tag = "wrong2")]
    struct Wrong {
        #[serde(skip_serializing)]
        a: u8,
    }
    async fn end_of_sender() -> Option<String> {
        let to = self_pid();
        let sender = spawn(async move {
            send(to, Local(1_u8));
            send(to, (7_u8, "x".to_owned()));
            send(to, Wrong { a: 1 });
        });
        monitor(sender);
        assert_eq!(next!(Local<u8>).0, 1);
        assert_eq!(next!((u8, String)), (7, "x".to_owned()));
        receive! {
            Wrong { a } => assert_eq!(a, 1),
            Down { reason, .. } => return Some(reason.to_string()),
        }
        None
    }
    async fn all_ways() {
        let (me, alias) = (self_pid(), alias());
        register("me", me).unwrap();
        for sent in [
            try_send(me, Wrong { a: 1 }),
            try_send(alias, Wrong { a: 1 }),
            try_send("me", Wrong { a: 1 }),
            send_wait(me, Wrong { a: 1 }).await,
        ] {
            let error = sent.unwrap_err().to_string();
            assert!(error.contains("`a` of `Wrong`"), "{error}");
        }
    }
    let node = Node::builder().build().unwrap();
    assert_eq!(node.block_on(end_of_sender()), None);
    let node = Node::builder().encode_messages(true).build().unwrap();
    let reason = node.block_on(end_of_sender()).expect("it is an error");
    assert!(reason.contains("`a` of `Wrong`"), "{reason}");
    node.block_on(all_ways());
}

#[fika::test]
#[should_panic(expected = "`a` of `Wrong`")]
async fn fika_test_encodes_messages() {
    #[derive(Message, Serialize, Deserialize)]
    #[message(tag = "wrong3")]
    struct Wrong {
        #[serde(skip_serializing)]
        #[allow(dead_code)]
        a: u8,
    }
    send(self_pid(), Wrong { a: 1 });
}

#[fika::test(sim)]
#[should_panic(expected = "`a` of `Wrong`")]
async fn a_simulation_encodes_messages() {
    #[derive(Message, Serialize, Deserialize)]
    #[message(tag = "wrong4")]
    struct Wrong {
        #[serde(skip_serializing)]
        #[allow(dead_code)]
        a: u8,
    }
    send(self_pid(), Wrong { a: 1 });
}

#[fika::test(encode_messages = false)]
async fn fika_test_without_encoding() {
    #[derive(Message, Serialize, Deserialize)]
    #[message(tag = "wrong5")]
    struct Wrong {
        #[serde(skip_serializing)]
        a: u8,
    }
    send(self_pid(), Wrong { a: 1 });
    assert_eq!(next!(Wrong).a, 1);
}
