use fika::prelude::*;
use serde::Serialize;

#[message]
#[derive(Clone, Serialize)]
struct DerivedTwice;

#[message]
fn function() {}

#[message(name = "x")]
struct UnknownSetting;

#[message(tag = "")]
struct EmptyTag;

#[message(tag = "a", tag = "b")]
struct TwoTags;

#[message(crate = 5)]
struct NoPath;

#[message]
struct Borrowed<'a> {
    text: &'a str,
}

#[message]
union Either {
    a: u64,
    b: f64,
}

fn main() {}
