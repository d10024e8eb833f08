//! `derive(Message)` from outside: tags, hashes, fingerprints and round trips.
#![deny(warnings)]

use fika::message::Encoded;
use fika::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Message, Serialize, Deserialize, PartialEq, Debug)]
struct Ping {
    n: u64,
}

#[derive(Message, Serialize, Deserialize)]
#[message(tag = "shop::order")]
struct Renamed;

#[derive(Message, Serialize, Deserialize, PartialEq, Debug)]
struct Pair<A, B: Clone>(A, B)
where
    A: Copy;

#[derive(Message, Serialize, Deserialize)]
#[message(tag = "shop::list")]
struct Listed<T = u8> {
    items: Vec<T>,
}

#[derive(Message, Serialize, Deserialize)]
struct Sized<const N: usize>;

#[allow(non_camel_case_types)]
#[derive(Message, Serialize, Deserialize)]
struct r#type;

/// The derive's generated code must not confuse these names with those of std.
#[derive(Message, Serialize, Deserialize)]
enum Result<T, Vec> {
    Ok(T),
    Err(Vec),
    Option { inner: std::string::String },
}

mod inner {
    use super::*;

    #[derive(Message, Serialize, Deserialize)]
    #[message(tag = "macros_message::inner::Ping")]
    pub(crate) struct Ping {
        pub(crate) n: i64,
    }
}

#[test]
fn tags_are_stable_names() {
    let cases = [
        (Ping::tag(), "fika::Ping"),
        (Renamed::tag(), "shop::order"),
        (r#type::tag(), "fika::type"),
        (inner::Ping::tag(), "macros_message::inner::Ping"),
        (Pair::<u8, String>::tag(), "fika::Pair<u8,string>"),
        (Listed::<Listed>::tag(), "shop::list<shop::list<u8>>"),
        (Sized::<3>::tag(), "fika::Sized<3>"),
        (Result::<u8, u16>::tag(), "fika::Result<u8,u16>"),
    ];
    for (found, expected) in cases {
        assert_eq!(found, expected);
    }
}

#[test]
fn the_hash_is_computed_from_the_tag() {
    assert_eq!(Ping::tag_hash(), fika::__private::hash_tag("fika::Ping"));
    assert_eq!(Pair::<u8, u8>::tag_hash(), fika::__private::hash_tag("fika::Pair<u8,u8>"));
    assert_ne!(Pair::<u8, u8>::tag_hash(), Pair::<u8, u16>::tag_hash());
}

#[test]
fn fingerprints_distinguish_shapes() {
    assert_eq!(Ping::fingerprint(), Ping::fingerprint());
    assert_ne!(Ping::fingerprint(), inner::Ping::fingerprint());
    assert_ne!(Pair::<u8, u8>::fingerprint(), Pair::<u8, u16>::fingerprint());
}

#[test]
fn a_message_round_trips() {
    let ping = Encoded::new(&Ping { n: 7 }).expect("it is plain data");
    assert_eq!(ping.decode::<Ping>().expect("it is one"), Ping { n: 7 });
    assert!(ping.decode::<inner::Ping>().is_err());

    let pair = Encoded::new(&Pair(1_u8, "b".to_owned())).expect("it is plain data");
    assert_eq!(pair.decode::<Pair<u8, String>>().expect("it is one"), Pair(1, "b".to_owned()));

    let result = Encoded::new(&Result::<u8, u8>::Option { inner: "x".into() }).expect("plain data");
    let Ok(Result::Option { inner }) = result.decode::<Result<u8, u8>>() else {
        panic!("another variant");
    };
    assert_eq!(inner, "x");
    let others = [Result::<u8, u8>::Ok(1), Result::Err(2)];
    assert!(others.iter().all(|other| Encoded::new(other).is_ok()));

    let list = Encoded::new(&Listed::<u8> { items: vec![1, 2] }).expect("it is plain data");
    assert_eq!(list.decode::<Listed>().map(|list| list.items), Ok(vec![1, 2]));
    // A peer could claim any number of items that have no bytes.
    assert!(Encoded::new(&Listed { items: vec![Renamed] }).is_err());
    assert_eq!(inner::Ping { n: 1 }.n, 1);
}
