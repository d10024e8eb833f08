//! Valid fields of a message that look like invalid ones.
#![deny(warnings)]
#![allow(dead_code)]

use std::borrow::Cow;
use std::marker::PhantomData;

use fika::prelude::*;

#[message]
struct Tree {
    kids: Vec<Tree>,
    next: Option<Box<Self>>,
    name: Cow<'static, str>,
}

#[message]
enum Skips {
    Text {
        #[serde(skip)]
        text: &'static str,
        n: u64,
    },
    #[serde(skip)]
    All(u64),
}

#[message]
struct Calls {
    #[serde(skip)]
    call: Option<fn(&str)>,
    n: u64,
}

#[message]
struct Marked<T: Sync + 'static> {
    of: PhantomData<&'static T>,
    what: Vec<T>,
}

#[message]
struct Long<const N: usize>(#[serde(with = "fika::message::array")] [u8; N]);

#[derive(Clone)]
struct Plain(u64);

#[message]
#[derive(Clone)]
#[serde(from = "u64", into = "u64")]
struct Converted(Plain);

impl From<u64> for Converted {
    fn from(n: u64) -> Converted {
        Converted(Plain(n))
    }
}

impl From<Converted> for u64 {
    fn from(converted: Converted) -> u64 {
        converted.0.0
    }
}

#[message(local)]
struct Here(&'static str, Plain);

fn main() {}
