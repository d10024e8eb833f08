//! The messages of this node's functions and processes to net_kernel.

use std::time::Duration;

use fika_runtime::{NodeName, Pid};

use super::ticktime::{NetTicktime, SetTicktime};
use crate::dist::state::Caller;

/// A message of a process of this node to net_kernel.
pub(crate) enum Command {
    /// Connect to a node. The answer is whether the node is connected.
    ConnectNode {
        node: NodeName,
        request: Request,
        caller: Caller<bool>,
    },
    /// Close the connection to a node. The answer is whether the node was connected.
    DisconnectNode {
        node: NodeName,
        caller: Caller<bool>,
    },
    /// Add or remove one watch of a process for a node.
    MonitorNode {
        pid: Pid,
        node: NodeName,
        on: bool,
    },
    SetTicktime {
        time: Duration,
        transition: Duration,
        caller: Caller<SetTicktime>,
    },
    Ticktime {
        caller: Caller<NetTicktime>,
    },
    /// Monitor a process that has subscribed, to remove its subscriptions when it ends.
    Subscribed(Pid),
    /// The node has its name. Monitor all processes that subscribed before.
    Named,
    /// Continue the work of a net_kernel that has ended.
    TakeOver,
    /// Answer with the number of attempts and the number of candidates.
    Attempts(Caller<(usize, usize)>),
}

/// How the program asks for a connection (DIST-6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Request {
    /// Connect under all settings of `dist_auto_connect`.
    Explicit,
    /// Connect only if `dist_auto_connect` allows it.
    Automatic,
}

/// The visible nodes that a node is connected to. When two nodes connect, each sends this list to
/// the other. So all nodes of a cluster connect to each other.
#[derive(serde::Serialize, serde::Deserialize, fika_macros::Message)]
#[message(tag = "fika::Mesh")]
pub(crate) struct Mesh {
    pub(crate) nodes: Vec<NodeName>,
}

/// The ticktime and the tick intensity of a node, which should be the same on all nodes. When two
/// visible nodes connect, a node whose values are not the defaults sends them to the other. A node
/// with the defaults sends them only as the answer to values that do not fit.
#[derive(serde::Serialize, serde::Deserialize, fika_macros::Message)]
#[message(tag = "fika::Ticks")]
pub(crate) struct Ticks {
    /// The node that sends this.
    pub(crate) node: NodeName,
    pub(crate) time: Duration,
    pub(crate) intensity: u32,
}
