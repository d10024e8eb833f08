//! A process that spawns another process on another node, and watches it.

use fika::message::Reference;
use fika::node::NodeName;
use fika::prelude::*;
use serde::{Deserialize, Serialize};

use super::witness::{Event, tell};

/// A greeting, which is sent back to its sender.
#[derive(Message, Serialize, Deserialize)]
pub(crate) struct Hello {
    pub(crate) from: Pid,
    pub(crate) reference: Reference,
}

/// Answers greetings.
#[remote]
pub(crate) async fn echo() {
    loop {
        receive! { Hello { from, reference } => send(from, Hello { from: self_pid(), reference }) }
    }
}

/// Spawns an echo on a node, links to it and monitors it, and tells the demo of its end. The link
/// gives an `Exit`, since this process traps exits, and the monitor gives a `Down`.
#[remote]
pub(crate) async fn guard(node: NodeName, demo: Pid) {
    trap_exit(true);
    let echo = spawn_on(&node, echo()).await;
    link(echo);
    monitor(echo);
    tell(demo, Event::Guards(echo));
    loop {
        receive! {
            Exit { from, reason } => tell(demo, Event::Exit(from, reason)),
            Down { reason, .. } => tell(demo, Event::Down(echo, reason)),
        }
    }
}
