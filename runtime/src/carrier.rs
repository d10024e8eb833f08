//! The seam to other nodes: the interface that carries the runtime's signals.
//!
//! The runtime knows no network. `fika-net` implements [`Carrier`]. The simulator implements the
//! transport below `fika-net`. A node without distribution has [`NoCarrier`].

use std::fmt;
use std::sync::Arc;

use crate::message::{EncodeError, Encoded, Envelope};
use crate::node_id::NodeId;
use crate::node_name::NodeName;
use crate::pid::Pid;
use crate::priority::Priority;
use crate::reference::Reference;
use crate::signal::{Alias, Signal, Target};
use crate::undecodable::Undecodable;

/// Distinguishes the successive connections of a node, including attempts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ConnectionId(pub u64);

/// The destination of a signal for another node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RemoteDest {
    /// A process on another node.
    Pid(Pid),
    /// The process on another node that made this alias.
    Alias(Alias),
    /// A name on another node.
    Name(crate::Name, NodeName),
}

impl RemoteDest {
    /// Returns the destination as its own node sees it.
    #[must_use]
    pub fn target(&self) -> Target {
        match self {
            RemoteDest::Pid(pid) => Target::Pid(*pid),
            RemoteDest::Alias(alias) => Target::Alias(*alias),
            RemoteDest::Name(name, _) => Target::Name(name.clone()),
        }
    }

    /// Returns the destination's node with its creation. `None` for a name on a node.
    #[must_use]
    pub fn node(&self) -> Option<NodeId> {
        match self {
            RemoteDest::Pid(pid) => Some(pid.node()),
            RemoteDest::Alias(alias) => Some(alias.reference.node()),
            RemoteDest::Name(..) => None,
        }
    }

    /// Returns the name of the destination's node.
    #[must_use]
    pub fn node_name(&self) -> NodeName {
        match self {
            RemoteDest::Pid(pid) => pid.node().name(),
            RemoteDest::Alias(alias) => alias.reference.node().name(),
            RemoteDest::Name(_, node) => node.clone(),
        }
    }
}

impl From<Pid> for RemoteDest {
    fn from(pid: Pid) -> RemoteDest {
        RemoteDest::Pid(pid)
    }
}

/// A request to run a `#[remote]` function in a new process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SpawnRequest {
    /// The request, and the monitor if one is requested.
    pub reference: Reference,
    /// The process that sends the request.
    pub from: Pid,
    /// The group leader of the requesting process, which the new process gets as well.
    pub group_leader: Pid,
    /// The function's stable name.
    pub function: crate::Name,
    /// The function's arguments.
    pub args: Encoded,
    /// Whether to link the new process to the requesting one.
    pub link: bool,
    /// Whether the requesting process monitors the new one.
    pub monitor: bool,
    /// The new process's priority.
    pub priority: Priority,
}

/// A signal that the carrier has accepted.
pub struct Carried {
    /// The connection that the signal was sent over.
    pub connection: ConnectionId,
    /// Set if the connection is congested: the sender must then wait until there is room.
    pub congested: Option<Arc<dyn Congested>>,
}

/// A connection with a backlog.
pub trait Congested: Send + Sync {
    /// Returns the node at the other end.
    fn node(&self) -> NodeName;

    /// Registers a process to be notified by one [`Signal::ConnectionRoom`] when there is room
    /// again or the connection is lost. Returns false, and does not notify, if there is room
    /// already or the connection is already lost.
    fn wait(&self, pid: Pid) -> bool;
}

/// A connection that has no room for a signal.
#[derive(Clone)]
pub struct Busy {
    /// The congested connection.
    pub connection: ConnectionId,
    /// Notifies a process when there is room.
    pub congested: Arc<dyn Congested>,
}

impl fmt::Debug for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Busy({})", self.connection.0)
    }
}

/// The conditions under which a signal is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Conditions {
    /// Send only if the sender does not have to wait.
    pub nosuspend: bool,
    /// Send only if there is a connection, or one is being made.
    pub noconnect: bool,
}

/// A signal that was not sent.
#[derive(Debug)]
pub enum NotCarried {
    /// The signal's sender would have to wait for room in this connection.
    Nosuspend(Signal, Busy),
    /// There is no connection.
    Noconnect(Signal),
    /// The signal can't be encoded.
    Encode(EncodeError),
}

/// Carries signals to other nodes.
///
/// `send` and `spawn` connect if there is no connection yet, and keep signals in order for each
/// pair of processes. They return the connection that the signal was sent over. When that
/// connection is lost, or can't be made, each process that had sent a link, a monitor or a spawn
/// request over it receives [`Signal::ConnectionLost`] with its id.
///
/// They never wait. They accept every signal, and report congestion.
pub trait Carrier: Send + Sync + 'static {
    /// Sends a signal. It may be encoded immediately or later. Everything that one `sender` sends
    /// stays in order. A signal with a `from` comes from that process.
    ///
    /// # Errors
    /// If it is clear at once that the signal can't be encoded. Nothing was sent then.
    fn send(
        &self,
        sender: Option<Pid>,
        to: RemoteDest,
        signal: Signal,
    ) -> Result<Carried, EncodeError>;

    /// Sends a message to a process. This is the most frequent signal.
    ///
    /// # Errors
    /// Fails as `send` does.
    fn send_message(
        &self,
        sender: Option<Pid>,
        to: Pid,
        message: Envelope,
    ) -> Result<Carried, EncodeError> {
        self.send(sender, RemoteDest::Pid(to), Signal::Message(message))
    }

    /// Sends a signal if the conditions hold.
    ///
    /// # Errors
    /// If a condition does not hold, or it is clear at once that the signal can't be encoded.
    /// Nothing was sent then.
    fn send_if(
        &self,
        sender: Option<Pid>,
        to: RemoteDest,
        signal: Signal,
        conditions: Conditions,
    ) -> Result<Carried, NotCarried>;

    /// Asks another node to spawn a process. The answer is a [`Signal::SpawnReply`].
    fn spawn(&self, node: &NodeName, request: SpawnRequest) -> Carried;

    /// Sends the gathered output. Workers call this at the end of a turn.
    fn flush(&self);

    /// Writes the rest of the output and closes all connections, since the node is about to stop.
    fn halt(&self) {}

    /// Returns whether the node currently has a name, and so can have connections.
    fn is_alive(&self) -> bool {
        true
    }

    /// Tells a node that something it sent over this connection could not be decoded and was
    /// dropped. The carrier limits how often it does so. It does nothing if the connection has
    /// ended meanwhile, even if there is a later connection to the same node.
    fn undecodable(&self, node: NodeId, connection: ConnectionId, lost: &Undecodable);
}
