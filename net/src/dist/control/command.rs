//! What functions of the program and other processes tell net_kernel.

use std::time::Duration;

use fika_runtime::{NodeName, Pid};

use super::ticktime::{NetTicktime, SetTicktime};
use crate::dist::state::Caller;

/// What net_kernel is told by processes of this node.
pub(crate) enum Command {
    /// A user asks for a connection; the answer says whether there is one.
    ConnectNode {
        node: NodeName,
        request: Request,
        caller: Caller<bool>,
    },
    /// A user ends a connection; the answer says whether there was one.
    DisconnectNode {
        node: NodeName,
        caller: Caller<bool>,
    },
    /// A process watches a node, or takes one of its watches back.
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
    /// The process has subscribed, and is to be forgotten when it ends.
    Subscribed(Pid),
    /// The node has its name: the same for all processes that subscribed before.
    Named,
    /// An earlier net_kernel has ended.
    TakeOver,
    /// Answered with the number of attempts, and of candidates.
    Attempts(Caller<(usize, usize)>),
}

/// How a user asks for a connection (DIST-6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Request {
    /// Whatever `dist_auto_connect` says.
    Explicit,
    /// As far as `dist_auto_connect` allows it.
    Automatic,
}

/// The nodes that a node is connected to, which two nodes tell each other when they connect. So all
/// nodes of a cluster connect to each other.
#[derive(serde::Serialize, serde::Deserialize, fika_macros::Message)]
#[message(tag = "fika::Mesh")]
pub(crate) struct Mesh {
    pub(crate) nodes: Vec<NodeName>,
}
