//! The targets of agents' links and monitors, and processes that link to targets themselves and end
//! soon.

use fika::net::{monitor_node, monitor_nodes};
use fika::prelude::*;
use fika::process::{SpawnOpts, spawn_request_on, unlink};
use serde::{Deserialize, Serialize};

/// Tells a target to link itself to this process, and to report that.
#[derive(Message, Serialize, Deserialize)]
pub(crate) struct LinkBack(pub(crate) Pid);

#[derive(Message, Serialize, Deserialize)]
pub(crate) struct Linked(pub(crate) Pid);

/// Tells a target to remove its half of a link.
#[derive(Message, Serialize, Deserialize)]
pub(crate) struct Unlink(pub(crate) Pid);

/// Ends its receiver.
#[derive(Message, Serialize, Deserialize)]
#[message(tag = "sim::target::Enough")]
pub(crate) struct Enough;

/// The number of names for targets.
pub(crate) const NAMES: usize = 3;

pub(crate) fn name(n: usize) -> String {
    format!("target{n}")
}

/// The properties of a target.
#[derive(Message, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Child {
    pub(crate) trap: bool,
    /// The number of its name, if the name is free.
    pub(crate) name: usize,
}

/// Lives until it is told to end, or until a process ends that it is linked to.
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
            // For the requester, this looks like the end of a process that does not trap exits, but
            // comes later.
            Exit { .. } => {}
            Enough => return,
            // The requester no longer exists.
            after secs(300) => return,
        }
    }
}

/// Spawns a linked child, and ends at about the time when the answer arrives.
pub(crate) async fn parent(node: String, child: Child, pause: Duration, reason: ExitReason) {
    spawn_request_on(node, SpawnOpts::new().link(), target(child));
    sleep(pause).await;
    exit(reason);
}

/// Watches nodes, and ends with its watches.
pub(crate) async fn watcher(node: String, pause: Duration) {
    monitor_node(node, true).expect("the node has a name");
    monitor_nodes(true);
    sleep(pause).await;
}
