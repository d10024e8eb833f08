//! A name that only the guard or only a text reads counts as used.
#![deny(warnings)]

use fika::prelude::*;

#[derive(Message, serde::Serialize, serde::Deserialize)]
struct Ping {
    n: u64,
    text: String,
}

async fn receive() -> u64 {
    receive! {
        Ping { n, text } if n > 1 && text.is_empty() => 1,
        Ping { n: count, text: _text } if format!("{count}") == "0" => 0,
        Ping { n, .. } => format!("{n}").parse().unwrap_or(0),
        #[allow(unused_variables)]
        unused: u64 => 2,
        #[expect(unused_variables)]
        expected: u32 => 3,
        any if any.is::<u8>() => 4,
        _ => 5,
    }
}

#[fika::main]
async fn main() {
    send(self_pid(), Ping { n: 2, text: String::new() });
    assert_eq!(receive().await, 1);
}
