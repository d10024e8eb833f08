//! Those that agents relate themselves to, and others that do so and end soon.

use fika::net::{monitor_node, monitor_nodes};
use fika::prelude::*;
use fika::process::{SpawnOpts, spawn_request_on, unlink};

/// A target is to link itself to this process, and to say so.
#[derive(Message, Serialize, Deserialize)]
pub(crate) struct LinkBack(pub(crate) Pid);

#[derive(Message, Serialize, Deserialize)]
pub(crate) struct Linked(pub(crate) Pid);

/// A target is to take its half of a link back.
#[derive(Message, Serialize, Deserialize)]
pub(crate) struct Unlink(pub(crate) Pid);

/// Whoever gets it comes to an end.
#[derive(Message, Serialize, Deserialize)]
#[message(tag = "sim::target::Enough")]
pub(crate) struct Enough;

/// How many names targets have.
pub(crate) const NAMES: usize = 3;

pub(crate) fn name(n: usize) -> String {
    format!("target{n}")
}

/// What a target is to be.
#[derive(Message, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Child {
    pub(crate) trap: bool,
    /// The number of the name that it has, if that is free.
    pub(crate) name: usize,
}

/// Lives until it is told to end, or is linked to somebody who does.
#[remote(name = "sim_agent_target")]
pub(crate) async fn target(child: Child) {
    trap_exit(child.trap);
    let _ = register(name(child.name), self_pid());
    loop {
        receive! {
            LinkBack(to) => {
                link(to);
                send(to, Linked(self_pid()));
            }
            Unlink(from) => unlink(from),
            // The same to it as the end of a process that does not trap exits, but later.
            Exit { .. } => {}
            Enough => return,
            // Whoever has asked for it is no more.
            after secs(300) => return,
        }
    }
}

/// Asks for a linked child, and ends at about the time when the answer comes.
pub(crate) async fn parent(node: String, child: Child, pause: Duration, reason: ExitReason) {
    spawn_request_on(node, SpawnOpts::new().link(), target(child));
    sleep(pause).await;
    exit(reason);
}

/// Ends with its watches.
pub(crate) async fn watcher(node: String, pause: Duration) {
    monitor_node(node, true).expect("the node has a name");
    monitor_nodes(true);
    sleep(pause).await;
}
