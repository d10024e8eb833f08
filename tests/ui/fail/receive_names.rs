//! Names that do not exist are never bindings, and a similar name is suggested.
use fika::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Message, Serialize, Deserialize)]
enum Cmd {
    Get(u64),
    Flush,
}

#[derive(Message, Serialize, Deserialize)]
struct Stop;

const LIMIT: u64 = 3;
const NAME: &str = "a constant text";

async fn misspelled() {
    receive! {
        Stopp => {}
        Cmd::Get(LIMTI) => {}
    }
}

async fn a_variant() {
    receive! { Cmd::Flsh => {} }
    receive! { Cmd::Get => {} }
}

async fn not_a_message() {
    receive! { NAME => {} }
}

async fn two_types() {
    receive! { LIMIT | true => {} }
}

fn main() {}
