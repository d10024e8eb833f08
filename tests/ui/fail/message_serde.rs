use fika::prelude::*;

#[derive(Message)]
struct Bare {
    n: u64,
}

#[derive(Message, serde::Serialize)]
enum OneWay {
    A,
}

#[derive(Message)]
struct Generic<T>(T);

fn main() {
    send(self_pid(), Bare { n: 1 });
}
