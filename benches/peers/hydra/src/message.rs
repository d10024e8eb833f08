//! What the processes say to each other. A process that gets a message of another type ends,
//! so there is one type for all.

use bytes::Bytes;
use hydra::{Message, Pid, Process, Reference};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(crate) enum Say {
    Ping(Pid),
    Pong,
    /// Begin: everybody has been spawned.
    Go,
    Done,
    Next(Pid),
    Token(u64),
    Item(u64),
    Members(Vec<Pid>),
    Call(Pid, Reference),
    Answer(Reference),
    /// When a timer was to fire.
    Due(u64),
    Data(Pid, Bytes),
    Ack,
    /// Ask a node for so many processes that answer.
    Echoes(Pid, u64),
    /// Ask a node for a process that acknowledges every so many messages.
    Sink(Pid, u64),
    /// Ask a node for a process that says `Done`.
    SayDone(Pid),
}

pub(crate) async fn hear() -> Say {
    loop {
        if let Message::User(said) = Process::receive::<Say>().await {
            return said;
        }
    }
}

/// Waits for so many messages, whatever they say.
pub(crate) async fn hear_times(n: u64) {
    for _ in 0..n {
        hear().await;
    }
}

/// Answers.
pub(crate) async fn echo() {
    loop {
        match hear().await {
            Say::Ping(from) => Process::send(from, Say::Pong),
            Say::Call(from, reference) => Process::send(from, Say::Answer(reference)),
            _ => {}
        }
    }
}

pub(crate) async fn wait_forever() {
    hear().await;
}

pub(crate) async fn ping_times(to: Pid, n: u64) {
    let me = Process::current();
    for _ in 0..n {
        Process::send(to, Say::Ping(me));
        hear().await;
    }
}
