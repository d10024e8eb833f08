use fika::prelude::*;

#[derive(Message, serde::Serialize, serde::Deserialize)]
struct Ping(u64);
#[derive(Message, serde::Serialize, serde::Deserialize)]
struct Pong(u64);

async fn no_type() {
    receive! {
        (a, b) => drop((a, b)),
        5 => {}
        1..=5 => {}
        "text" => {}
        true => {}
        [a, b] => drop((a, b)),
        &x => drop(x),
        Some(x) => drop(x),
        name @ (_, _) => drop(name),
    }
}

async fn borrowed() {
    receive! {
        Ping(ref n) => drop(n),
        ref any => drop(any),
    }
}

async fn two_types() {
    receive! {
        Ping(n) | Pong(n) => drop(n),
    }
    receive! {
        Ping(_) | _ => {}
    }
}

fn main() {}
