//! The messages of all processes. A process that gets a message of another type ends, so there is
//! one type for all messages.

use bytes::Bytes;
use hydra::{Message, Pid, Process, Reference};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(crate) enum Say {
    Ping(Pid),
    Pong,
    /// The signal to begin, sent when all processes have been spawned.
    Go,
    Done,
    Next(Pid),
    Token(u64),
    Item(u64),
    Members(Vec<Pid>),
    Call(Pid, Reference),
    Answer(Reference),
    /// The time at which a timer should fire.
    Due(u64),
    Data(Pid, Bytes),
    Ack,
    /// Asks a node to spawn this many processes that answer pings.
    Echoes(Pid, u64),
    /// Asks a node to spawn a process that acknowledges messages in batches of this size.
    Sink(Pid, u64),
    /// Asks a node to spawn a process that sends `Done`.
    SayDone(Pid),
}

pub(crate) async fn hear() -> Say {
    loop {
        if let Message::User(said) = Process::receive::<Say>().await {
            return said;
        }
    }
}

/// Waits for this many messages of any kind.
pub(crate) async fn hear_times(n: u64) {
    for _ in 0..n {
        hear().await;
    }
}

/// Answers pings.
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
