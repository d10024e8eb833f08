//! Mistakes that beginners make.
use fika::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Message, Serialize, Deserialize)]
struct Wrapped<T>(T);

async fn turbofish() {
    receive! { Wrapped<u64>(n) => drop(n) }
}

async fn semicolon() {
    receive! {
        n: u64 => drop(n);
        _ => {}
    }
}

async fn arrow() {
    receive! { n: u64 -> drop(n) }
}

async fn two_patterns() {
    receive! { n: u64, m: u32 => drop(n) }
}

async fn no_body() {
    receive! { n: u64 }
}

async fn no_body_after_the_arrow() {
    receive! { n: u64 => }
}

async fn no_body_of_the_timeout() {
    receive! { n: u64 => {}, after secs(1) }
}

async fn another_word() {
    receive! { n: u64 => {}, timeout secs(1) => {} }
}

async fn condition() {
    receive! { if let Some(n) = next() => {} }
}

async fn list() {
    receive! { [first, ..]: Vec<u64> => drop(first) }
}

async fn a_match_of_something() {
    receive!(match mailbox {
        n: u64 => drop(n),
    })
}

async fn no_duration() {
    receive!(match _ {
        _ if after() => {}
    })
}

fn main() {}
