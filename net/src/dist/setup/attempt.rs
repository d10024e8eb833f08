//! The messages between an attempt to make a connection and net_kernel.

use std::sync::Arc;

use fika_runtime::{NodeName, Pid};

use super::framed::Framed;
use crate::dist::link::Channel;
use crate::dist::state::Caller;
use crate::proto::handshake::Established;

/// A message to net_kernel from an attempt of this node or of a peer.
pub(crate) enum Attempt {
    /// Our attempt is about to prove itself. The answer is whether the attempt is still wanted.
    Prove { channel: Arc<Channel>, caller: Caller<bool> },
    /// A peer has sent a hello. The answer is whether the peer is connected, or about to be
    /// connected.
    Hello { peer: NodeName, caller: Caller<bool> },
    /// A peer has proved itself.
    Claim {
        peer: NodeName,
        /// The answer to `Hello`.
        replaces: bool,
        caller: Caller<Claimed>,
    },
    /// The handshake is over.
    Up {
        channel: Arc<Channel>,
        handshaken: Handshaken,
        /// The process that made the attempt.
        by: Pid,
    },
    /// Our attempt has failed.
    SetupFailed { channel: Arc<Channel>, failure: SetupFailure },
    /// The peer's attempt that this process served has failed, possibly before the answer to its
    /// claim.
    ClaimFailed { peer: NodeName, by: Pid },
}

/// The reason why an attempt of this node has failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SetupFailure {
    /// The peer refused our attempt in favour of its own.
    Nok,
    /// One of the nodes refuses the other, or the nodes are incompatible. A retry would also fail.
    Final,
    /// The peer was not reached, or did not answer in time.
    Other,
}

/// The decision about the connection of a peer that has proved itself.
pub(crate) enum Claimed {
    /// The connection becomes the connection of this channel.
    Yes(Arc<Channel>),
    /// The connection is not wanted: the peer has another connection, or will have one.
    Superfluous,
    /// The peer is not in this node's list of allowed nodes (HS-13).
    NotAllowed,
    /// Our own attempt survives (HS-5). The peer keeps its waiting signals until our connection is
    /// up.
    OursSurvives,
}

/// A connection whose handshake is over.
pub(crate) struct Handshaken {
    pub(crate) established: Established,
    pub(crate) framed: Framed,
}
