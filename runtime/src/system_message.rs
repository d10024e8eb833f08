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

/// A monitored process has ended, or can no longer be observed (Erlang's `DOWN`).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Down {
    /// The monitor, as `monitor` returned it.
    pub monitor: Reference,
    /// The target of the monitor.
    pub object: Object,
    /// The exit reason.
    pub reason: ExitReason,
}

/// The target of a monitor.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Object {
    /// A process.
    Pid(Pid),
    /// The process that had this name on this node when the monitor was made.
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
    /// Whether the node is visible or hidden.
    pub node_type: NodeType,
    /// The number of the connection, which distinguishes it from the node's other connections.
    pub connection: u64,
}

/// The connection to a node was lost, or could not be made (Erlang's `nodedown`).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NodeDown {
    /// The node.
    pub node: NodeName,
    /// Whether the node is visible or hidden.
    pub node_type: NodeType,
    /// The number of the lost connection. 0 if no connection could be made.
    pub connection: u64,
    /// Why the connection ended.
    pub reason: NodeDownReason,
}

/// Visible nodes form a full mesh. Hidden nodes connect only on request.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub enum NodeType {
    Visible,
    Hidden,
}

/// Why a connection ended.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum NodeDownReason {
    /// The peer went away, or closed the connection.
    ConnectionClosed,
    /// This node closed the connection, on request.
    Disconnect,
    /// Nothing was heard from the peer for the whole ticktime.
    NetTickTimeout,
    /// The connection could not be made.
    ConnectionSetupFailed,
    /// Distribution was stopped on this node.
    NetKernelTerminated,
    /// This node no longer accepts connections, since its acceptor has ended. It has no name then.
    NoNetwork,
    /// A tick, which keeps the connection alive, could not be sent: the transport accepts nothing
    /// more.
    SendNetTickFailed,
    /// A user's own transport ended the connection for this reason.
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
            // The text may come from a peer.
            NodeDownReason::Other(reason) => return write!(f, "{}", Printable(reason)),
        })
    }
}

/// A process was suspended because it sent over a congested connection (Erlang's `{monitor, Pid,
/// busy_dist_port, Port}`). Sent to the process that [`system_monitor`](crate::system_monitor())
/// names.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BusyDist {
    /// The process.
    pub pid: Pid,
    /// The node at the other end.
    pub node: NodeName,
    /// The number of the connection, as in [`NodeUp`].
    pub connection: u64,
}

/// The answer to a request to spawn on another node.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SpawnReply {
    /// The request, and the monitor if one was requested.
    pub reference: Reference,
    /// The new process, or the reason why it was not spawned.
    pub result: Result<Pid, SpawnError>,
}
