//! Signals: everything that one process can do to another, in one enum.
//!
//! A signal goes into the receiver's only queue, in order for each sender. Signals to other nodes
//! use the same enum. The receiver decides what a signal does, in `process`.

use crate::carrier::ConnectionId;
use crate::exit_reason::ExitReason;
use crate::message::Envelope;
use crate::name::Name;
use crate::node_id::NodeId;
use crate::pid::Pid;
use crate::reference::Reference;
use crate::request::Request;

/// A signal to a process.
#[derive(Debug)]
pub enum Signal {
    /// A message for its mailbox.
    Message(Envelope),
    /// `from` has linked itself to the receiver.
    Link {
        /// The other end of the link.
        from: Pid,
    },
    /// `from` has removed its link to the receiver.
    Unlink {
        /// The other end of the link.
        from: Pid,
        /// The number of the unlink, for the acknowledgement.
        id: u64,
    },
    /// Acknowledges unlink number `id`.
    UnlinkAck {
        /// The process that received it.
        from: Pid,
        /// The unlink's number.
        id: u64,
    },
    /// An exit signal: a linked process has ended, or a process called `exit_process`.
    Exit {
        /// The process that ended or called.
        from: Pid,
        /// The exit reason.
        reason: ExitReason,
        /// Whether it was sent over a link, so that it only counts while the link exists.
        by_link: bool,
    },
    /// `from` monitors the receiver.
    Monitor {
        /// The watcher.
        from: Pid,
        /// The monitor.
        reference: Reference,
    },
    /// `from` removes its monitor.
    Demonitor {
        /// The watcher.
        from: Pid,
        /// The monitor.
        reference: Reference,
    },
    /// The target of a monitor has ended.
    Down {
        /// The process that has ended.
        from: Option<Pid>,
        /// The receiver's monitor.
        reference: Reference,
        /// The exit reason.
        reason: ExitReason,
    },
    /// The answer to a request to spawn a process on another node.
    SpawnReply {
        /// The connection over which the answer arrived. It must be the connection that the request
        /// was sent over. `None` in an answer that is to be sent: it is not encoded.
        connection: Option<ConnectionId>,
        /// The request.
        reference: Reference,
        /// The new process, or the reason why it was not spawned.
        result: Result<Pid, SpawnError>,
    },
    /// Changes the receiver's group leader.
    GroupLeader {
        /// The new leader, a process on any node.
        leader: Pid,
    },
    /// A request of another process on this node. Never leaves the node.
    Request(Request),
    /// A connection is lost, and with it the links and monitors that used it. Made by the carrier
    /// of this node, never by a peer.
    ConnectionLost {
        /// The life of the node that is no longer connected. `None` if the connection was never up.
        node: Option<NodeId>,
        /// The connection.
        connection: ConnectionId,
    },
    /// The output of a connection for which the receiver waits has room again, or the connection is
    /// lost. Made by the carrier of this node, never by a peer.
    ConnectionRoom {
        /// The connection.
        connection: ConnectionId,
    },
}

impl Signal {
    /// Returns whether a waiting process may be able to continue after this signal. Other signals
    /// only change what the process keeps for the runtime.
    pub(crate) fn may_end_a_wait(&self) -> bool {
        !matches!(
            self,
            Signal::Link { .. }
                | Signal::Unlink { .. }
                | Signal::UnlinkAck { .. }
                | Signal::Monitor { .. }
                | Signal::Demonitor { .. }
                | Signal::GroupLeader { .. }
                | Signal::Request(_)
                | Signal::ConnectionRoom { .. }
        )
    }

    /// Returns whether the runtime sends this signal on behalf of a process, which does not wait
    /// until it is written (BUSY-5).
    pub(crate) fn is_of_the_runtime(&self) -> bool {
        matches!(
            self,
            Signal::UnlinkAck { .. }
                | Signal::Exit { by_link: true, .. }
                | Signal::Down { .. }
                | Signal::SpawnReply { .. }
        )
    }
}

/// The destination of a signal from another node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// To a process.
    Pid(Pid),
    /// The process that made this alias. For messages, and for exit signals that are not sent over
    /// a link.
    Alias(Alias),
    /// The process that has this name when the signal arrives.
    Name(Name),
}

/// An alias as a destination.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Alias {
    /// The alias.
    pub reference: Reference,
    /// Whether the message goes ahead of the ordinary ones, if the alias allows it.
    pub priority: bool,
}

/// Why a process could not be spawned on another node.
///
/// ```
/// use fika_runtime::{ExitReason, SpawnError};
///
/// let error = SpawnError::Noconnection;
/// assert_eq!(ExitReason::from(error), ExitReason::Noconnection);
/// ```
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error, serde::Serialize, serde::Deserialize,
)]
#[non_exhaustive]
pub enum SpawnError {
    /// The node can't be reached, or was lost before it answered.
    #[error("noconnection: the node can't be reached, or was lost before it answered")]
    Noconnection,
    /// The node has no such remote function, or its arguments have another shape there.
    #[error(
        "notsup: the node has no such `#[remote]` function, or one with other arguments: run the \
         same program on both nodes"
    )]
    Notsup,
    /// The function exists, but its own types refuse the arguments: a `Deserialize` returned an
    /// error or panicked. The logs of both nodes say why.
    #[error("badarg: the node could not decode the function's arguments; its log says why")]
    Badarg,
    /// The node has no room for another process.
    #[error("system_limit: the node has no room for another process: raise its `process_limit`")]
    SystemLimit,
}
