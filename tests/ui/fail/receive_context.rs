use fika::prelude::*;

struct NoMessage(u64);

async fn not_a_message() -> u64 {
    receive! {
        NoMessage(n) => n,
        n: &'static str => n.len() as u64,
    }
}

fn not_async() -> u64 {
    receive! { n: u64 => n }
}

async fn wrong_types() -> u64 {
    receive! {
        (a, b): (u64, u64, u64) => a + b,
        text: String => text,
        Missing => 0,
    }
}

fn main() {}
