//! The seam to other nodes: what the runtime asks of whatever carries its signals away.
//!
//! The runtime knows no network. `fika-net` implements [`Carrier`]; the simulator
//! implements the transport beneath `fika-net`; a node without distribution has
//! [`NoCarrier`].

use std::any::Any;
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

/// Tells the successive connections of a node apart, attempts included.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ConnectionId(pub u64);

/// Where a signal for another node goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RemoteDest {
    /// To a process of another node.
    Pid(Pid),
    /// To the process of another node that made this alias.
    Alias(Alias),
    /// To a name on another node.
    Name(crate::Name, NodeName),
}

impl RemoteDest {
    /// What it is to the node that it is on.
    #[must_use]
    pub fn target(&self) -> Target {
        match self {
            RemoteDest::Pid(pid) => Target::Pid(*pid),
            RemoteDest::Alias(alias) => Target::Alias(*alias),
            RemoteDest::Name(name, _) => Target::Name(name.clone()),
        }
    }

    /// The life of the node that it is on, where the destination says it.
    #[must_use]
    pub fn node(&self) -> Option<NodeId> {
        match self {
            RemoteDest::Pid(pid) => Some(pid.node()),
            RemoteDest::Alias(alias) => Some(alias.reference.node()),
            RemoteDest::Name(..) => None,
        }
    }

    /// The name of the node that it is on.
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
    /// The request, and the monitor if one is asked for.
    pub reference: Reference,
    /// The process that sends the request.
    pub from: Pid,
    /// The group leader of who asks, and of the new process.
    pub group_leader: Pid,
    /// The function's stable name.
    pub function: crate::Name,
    /// Its arguments.
    pub args: Encoded,
    /// Whether the new process is linked to who asks.
    pub link: bool,
    /// Whether who asks monitors it.
    pub monitor: bool,
    /// The new process's priority.
    pub priority: Priority,
}

/// A signal that the carrier has taken.
pub struct Carried {
    /// Where it went.
    pub connection: ConnectionId,
    /// There, if more waits than is good: its sender is to wait until there is room.
    pub congested: Option<Arc<dyn Congested>>,
}

/// A connection over which more was sent than goes out.
pub trait Congested: Send + Sync {
    /// The node at its other end.
    fn node(&self) -> NodeName;

    /// The process is told by one [`Signal::ConnectionRoom`] when there is room again, or the
    /// connection is no more. False if that is so already: it is not told then.
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

/// On what conditions a signal is sent at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Conditions {
    /// Not where its sender would have to wait.
    pub nosuspend: bool,
    /// Not where there is no connection, nor one under way.
    pub noconnect: bool,
}

/// A signal that was not sent.
#[derive(Debug)]
pub enum NotCarried {
    /// The signal's sender would have to wait for room in this connection.
    Nosuspend(Signal, Busy),
    /// There is no connection.
    Noconnect(Signal),
    /// It can't be encoded.
    Encode(EncodeError),
}

/// Carries signals to other nodes.
///
/// `send` and `spawn` connect where there is no connection yet, and keep the order per
/// pair of processes. They say over which connection the signal went: when it is
/// lost, or could not be made, each process that had sent a link, a monitor or a spawn
/// request over it is told by [`Signal::ConnectionLost`] with its id.
///
/// They never wait: all is taken, and where it is too much they say so.
pub trait Carrier: Send + Sync + 'static {
    /// Takes a signal away. It may be encoded at once, or later. What one `sender` sends stays
    /// in order, whatever it is; a signal that says whom it is from comes from that process.
    ///
    /// # Errors
    /// When it is clear at once that the signal can't be encoded; nothing was sent then.
    fn send(
        &self,
        sender: Option<Pid>,
        to: RemoteDest,
        signal: Signal,
    ) -> Result<Carried, EncodeError>;

    /// Sends a message to a process, which is what is sent most often.
    ///
    /// # Errors
    /// As for `send`.
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
    /// When one of them does not hold, and as for `send`; nothing was sent then.
    fn send_if(
        &self,
        sender: Option<Pid>,
        to: RemoteDest,
        signal: Signal,
        conditions: Conditions,
    ) -> Result<Carried, NotCarried>;

    /// Asks another node to spawn a process; the answer is a [`Signal::SpawnReply`].
    fn spawn(&self, node: &NodeName, request: SpawnRequest) -> Carried;

    /// Sends what has been gathered. Workers call this at the end of a turn.
    fn flush(&self);

    /// Writes what is left and closes all connections, since the node is about to stop.
    fn halt(&self) {}

    /// Whether the node has a name now, and so can have connections.
    fn is_alive(&self) -> bool {
        true
    }

    /// Tells a node that something it sent over this connection did not decode and was dropped. The
    /// carrier limits how often it does so. If the connection has ended meanwhile, it does nothing:
    /// a later connection to the same node is another matter.
    fn undecodable(&self, node: NodeId, connection: ConnectionId, lost: &Undecodable);

    /// The carrier itself, for the functions of its own crate.
    fn as_any(&self) -> &dyn Any;
}
