//! What one process can do to another: the one enum of all signals.
//!
//! A signal goes into the receiver's one queue, in order per sender; the same enum
//! crosses the wire. What a signal does is decided by its receiver, in `process`.
//!
//! Prior art: `erl_proc_sig_queue.h`.

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
        /// Numbers the unlink, for the acknowledgement.
        id: u64,
    },
    /// The unlink number `id` has been received.
    UnlinkAck {
        /// The process that received it.
        from: Pid,
        /// The unlink's number.
        id: u64,
    },
    /// An end of a link, or a call of `exit_process`.
    Exit {
        /// The process that ended, or that called.
        from: Pid,
        /// Why.
        reason: ExitReason,
        /// Whether it comes by a link, and so only counts while the link is there.
        by_link: bool,
    },
    /// `from` monitors the receiver.
    Monitor {
        /// The watcher.
        from: Pid,
        /// The monitor.
        reference: Reference,
    },
    /// `from` takes the monitor back.
    Demonitor {
        /// The watcher.
        from: Pid,
        /// The monitor.
        reference: Reference,
    },
    /// What the receiver monitored has ended.
    Down {
        /// The process that has ended.
        from: Option<Pid>,
        /// The receiver's monitor.
        reference: Reference,
        /// Why it ended.
        reason: ExitReason,
    },
    /// The answer to a request to spawn a process on another node.
    SpawnReply {
        /// The request.
        reference: Reference,
        /// The new process, or the reason why it was not spawned.
        result: Result<Pid, SpawnError>,
    },
    /// The receiver has another group leader from now on.
    GroupLeader {
        /// A process of any node.
        leader: Pid,
    },
    /// Another process of this node asks something of the receiver. Never leaves the node.
    Request(Request),
    /// A connection is gone, and with it the links and monitors that went over it. Made
    /// by the carrier of this node, never by a peer.
    ConnectionLost {
        /// The incarnation of the node that is no longer connected. `None` if it was never up.
        node: Option<NodeId>,
        /// The connection.
        connection: ConnectionId,
    },
    /// There is room again in the output of a connection for which the receiver waits, or the
    /// connection is no more. Made by the carrier of this node, never by a peer.
    ConnectionRoom {
        /// The connection.
        connection: ConnectionId,
    },
}

impl Signal {
    /// Whether a process that waits may be able to go on after this. The others are about
    /// what the process keeps for the runtime, and leave what it waits for as it is.
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

    /// Whether it is the runtime that sends this for a process, which does not wait for it to
    /// go out (BUSY-5).
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

/// Where another node's signal goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// To a process.
    Pid(Pid),
    /// To the process that made this alias. Messages, and exit signals that come by no link.
    Alias(Alias),
    /// The process that has this name when the signal arrives.
    Name(Name),
}

/// An alias that something is sent to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Alias {
    /// The alias.
    pub reference: Reference,
    /// Ahead of the ordinary messages, if the alias allows it.
    pub priority: bool,
}

/// Why a process could not be spawned on another node.
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
    /// The node has no room for a further process.
    #[error("system_limit: the node has no room for a further process: raise its `process_limit`")]
    SystemLimit,
}
