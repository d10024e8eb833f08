//! The compiler reports a problem with a binding once, where the user wrote it.
#![deny(warnings)]

use fika::prelude::*;

#[derive(Message, serde::Serialize, serde::Deserialize)]
struct Ping {
    n: u64,
    text: String,
}

#[derive(Message, serde::Serialize, serde::Deserialize)]
enum Account {
    Deposit(u64),
    Close,
}

pub async fn unused() {
    receive! {
        Ping { n, text } if n > 0 => {}
        Ping { n, text: renamed } => assert!(n > 0),
        unused: u64 => {}
    }
}

pub async fn unused_mut() -> u64 {
    receive! {
        Ping { mut n, .. } => n,
        mut any => any.type_name().len() as u64,
    }
}

pub async fn unreachable() -> u64 {
    receive! {
        Account::Deposit(n) => n,
        Account::Deposit(0) => 0,
        Account::Close => 1,
    }
}

fn main() {}
