//! What an attempt to make a connection tells net_kernel, and what it is told.

use std::sync::Arc;

use fika_runtime::{NodeName, Pid};

use super::framed::Framed;
use crate::dist::link::Channel;
use crate::dist::state::Caller;
use crate::proto::handshake::Established;

/// A message of an attempt, of this node or of a peer, to net_kernel.
pub(crate) enum Attempt {
    /// Our attempt is about to prove itself; the answer says whether it is still wanted.
    Prove { channel: Arc<Channel>, caller: Caller<bool> },
    /// A peer has said hello. The answer says whether there is a connection to the peer, or is
    /// about to be.
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
        /// The process whose attempt it is.
        by: Pid,
    },
    /// Our attempt has failed.
    SetupFailed { channel: Arc<Channel>, failure: SetupFailure },
    /// The peer's attempt in this process has failed, possibly before the answer to its claim.
    ClaimFailed { peer: NodeName, by: Pid },
}

/// How an attempt of ours has failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SetupFailure {
    /// The peer refused it in favour of its own attempt.
    Nok,
    /// One of the nodes refuses the other, or can't talk to it. A retry would fail in the same way.
    Final,
    /// The peer was not reached, or did not answer in time.
    Other,
}

/// What becomes of the connection of a peer that has proved itself.
pub(crate) enum Claimed {
    /// It is the one for this channel.
    Yes(Arc<Channel>),
    /// It is not wanted: the peer has another one, or will have.
    Superfluous,
    /// This node's own list does not have the peer (HS-13).
    NotAllowed,
    /// Our own attempt survives (HS-5). The peer is to keep what waits for its connection until
    /// ours is there.
    OursSurvives,
}

/// A connection whose handshake is over.
pub(crate) struct Handshaken {
    pub(crate) established: Established,
    pub(crate) framed: Framed,
}
