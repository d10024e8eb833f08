use fika::prelude::*;

#[derive(Message)]
struct Borrowed<'a> {
    text: &'a str,
}

#[derive(Message)]
union Either {
    a: u64,
    b: f64,
}

#[derive(Message)]
#[message(name = "x")]
struct UnknownSetting;

#[derive(Message)]
#[message(tag = "")]
struct EmptyTag;

#[derive(Message)]
#[message(tag = "a", tag = "b")]
struct TwoTags;

#[derive(Message)]
#[message(tag = 5)]
struct NumberTag;

fn main() {}
