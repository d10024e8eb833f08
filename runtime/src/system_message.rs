//! The messages that the runtime itself puts into a mailbox.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::dest::Dest;
use crate::exit_reason::ExitReason;
use crate::name::Name;
use crate::node_name::NodeName;
use crate::pid::Pid;
use crate::printable::Printable;
use crate::reference::Reference;
use crate::signal::SpawnError;

/// A monitored process has ended, or can no longer be seen (Erlang's `DOWN`).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Down {
    /// The monitor, as `monitor` returned it.
    pub monitor: Reference,
    /// What was monitored.
    pub object: Object,
    /// Why it ended.
    pub reason: ExitReason,
}

/// What a monitor was asked to watch.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Object {
    /// A process.
    Pid(Pid),
    /// Whoever had this name on this node at that time.
    Name(Name, NodeName),
}

impl PartialEq<Pid> for Object {
    fn eq(&self, pid: &Pid) -> bool {
        matches!(self, Object::Pid(object) if object == pid)
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Object::Pid(pid) => write!(f, "{pid}"),
            Object::Name(name, node) => {
                write!(f, "{}", Dest::from((name.as_str(), node)))
            }
        }
    }
}

/// An exit signal that the process trapped (Erlang's `EXIT`).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Exit {
    /// The linked process that ended, or the process that called `exit_process`.
    pub from: Pid,
    /// The signal's reason.
    pub reason: ExitReason,
}

/// A node has been connected (Erlang's `nodeup`).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NodeUp {
    /// The node.
    pub node: NodeName,
    /// Whether it is a visible one.
    pub node_type: NodeType,
    /// Tells this connection to the node from its other ones.
    pub connection: u64,
}

/// The connection to a node was lost, or could not be made (Erlang's `nodedown`).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NodeDown {
    /// The node.
    pub node: NodeName,
    /// Whether it is a visible one.
    pub node_type: NodeType,
    /// The connection that was lost; 0 where none could be made.
    pub connection: u64,
    /// Why.
    pub reason: NodeDownReason,
}

/// Visible nodes form a full mesh; hidden ones connect only when they are asked to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub enum NodeType {
    Visible,
    Hidden,
}

/// Why a connection is no more.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum NodeDownReason {
    /// The peer went away, or closed it.
    ConnectionClosed,
    /// It was closed here, on request.
    Disconnect,
    /// Nothing was heard from the peer for the whole ticktime.
    NetTickTimeout,
    /// It could not be made.
    ConnectionSetupFailed,
    /// Distribution was stopped here.
    NetKernelTerminated,
    /// This node can't accept connections any more: what takes them in has ended. It has no name
    /// then.
    NoNetwork,
    /// The transport takes nothing any more: what is to keep the connection alive could not be
    /// sent over it.
    SendNetTickFailed,
    /// What carries the bytes, a transport of the user's own, has ended it for this reason.
    Other(String),
}

impl fmt::Display for NodeDownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NodeDownReason::ConnectionClosed => "connection_closed",
            NodeDownReason::Disconnect => "disconnect",
            NodeDownReason::NetTickTimeout => "net_tick_timeout",
            NodeDownReason::ConnectionSetupFailed => "connection_setup_failed",
            NodeDownReason::NetKernelTerminated => "net_kernel_terminated",
            NodeDownReason::NoNetwork => "no_network",
            NodeDownReason::SendNetTickFailed => "send_net_tick_failed",
            // It may be the text of a peer.
            NodeDownReason::Other(reason) => return write!(f, "{}", Printable(reason)),
        })
    }
}

/// A process was suspended, since it sent over a congested connection (Erlang's
/// `{monitor, Pid, busy_dist_port, Port}`). For the process that
/// [`system_monitor`](crate::system_monitor()) names.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BusyDist {
    /// The process.
    pub pid: Pid,
    /// The node at the other end.
    pub node: NodeName,
    /// The connection, as in [`NodeUp`].
    pub connection: u64,
}

/// The answer to a request to spawn on another node.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SpawnReply {
    /// The request; the monitor, if one was asked for.
    pub reference: Reference,
    /// The new process, or why there is none.
    pub result: Result<Pid, SpawnError>,
}
