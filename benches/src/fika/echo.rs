//! The processes that most workloads consist of: one answers pings, the other sends them.

use fika::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Message, Serialize, Deserialize)]
pub(super) struct Ping(pub(super) Pid);

#[derive(Message, Serialize, Deserialize)]
pub(super) struct Pong;

/// The signal to begin, sent when all processes have been spawned.
#[derive(Message, Serialize, Deserialize)]
pub(super) struct Go;

/// A process has done its work.
#[derive(Message, Serialize, Deserialize)]
pub(super) struct Done;

/// Answers every ping.
#[remote]
pub(super) async fn echo() {
    loop {
        receive! { Ping(from) => send(from, Pong) }
    }
}

/// Waits for a message that never comes.
#[remote]
pub(super) async fn wait_forever() {
    receive! { Go => {} }
}

/// Makes one round trip after another.
pub(super) async fn ping_times(to: Pid, n: u64) {
    let me = self_pid();
    for _ in 0..n {
        send(to, Ping(me));
        receive! { Pong => {} }
    }
}

/// Waits until this many processes have done their work.
pub(super) async fn all_done(n: u64) {
    for _ in 0..n {
        receive! { Done => {} }
    }
}
