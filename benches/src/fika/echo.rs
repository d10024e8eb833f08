//! The process that answers, and the one that asks: most workloads are made of these.

use fika::prelude::*;

#[derive(Message, Serialize, Deserialize)]
pub(super) struct Ping(pub(super) Pid);

#[derive(Message, Serialize, Deserialize)]
pub(super) struct Pong;

/// Begin: everybody has been spawned.
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

/// Waits for a message that does not come.
#[remote]
pub(super) async fn wait_forever() {
    receive! { Go => {} }
}

/// One round trip after the other.
pub(super) async fn ping_times(to: Pid, n: u64) {
    let me = self_pid();
    for _ in 0..n {
        send(to, Ping(me));
        receive! { Pong => {} }
    }
}

/// Waits until so many have done their work.
pub(super) async fn all_done(n: u64) {
    for _ in 0..n {
        receive! { Done => {} }
    }
}
