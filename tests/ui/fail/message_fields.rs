//! Fields that can't be sent to another node.

use fika::prelude::*;

#[message]
struct Borrowed {
    n: u64,
    text: &'static str,
}

#[message]
struct Deep(Vec<(u64, &'static [u8])>);

#[message]
enum Choice {
    Empty,
    Text(&'static str),
}

fn main() {}
