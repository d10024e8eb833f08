//! Missing bounds, and type parameters that the pattern leaves out.
use fika::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Message, Serialize, Deserialize)]
struct Wrapped<T> {
    inner: T,
}

async fn sends<T>(to: Pid, value: T) {
    send(to, value);
}

async fn sends_wrapped<T>(to: Pid, inner: T) {
    send(to, Wrapped { inner });
}

async fn sends_a_pair<T: Message>(to: Pid, value: T) {
    send(to, (1_u64, value));
}

async fn receives<T>() -> T {
    receive! { value: T => value }
}

async fn receives_wrapped<T: Message>() -> T {
    receive! { Wrapped::<T> { inner } => inner }
}

fn main() {}
