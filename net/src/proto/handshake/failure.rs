//! Why a handshake failed, in words fit for one line of a log.

use fika_runtime::NodeName;

use super::{NAME_BYTES_MAX, Status};
use crate::proto::error::{InvalidMessage, PeerIncompatible, PeerMisbehaved};

/// Why a handshake failed. Every failure closes its connection, and gives neither
/// `nodeup` nor `nodedown` (HS-8, HS-14).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HandshakeError {
    /// The peer's bytes do not parse.
    #[error("the handshake failed, invalid message: {0}")]
    Invalid(#[from] InvalidMessage),

    /// The peer's bytes parse, but are not allowed.
    #[error("the handshake failed, the peer misbehaved: {0}")]
    Misbehaved(#[from] PeerMisbehaved),

    /// The two have too little in common.
    #[error("the handshake failed: {why}")]
    Incompatible {
        why: PeerIncompatible,
        /// See [`HandshakeError::answer`].
        answer: Option<Vec<u8>>,
    },

    /// The proof is wrong.
    #[error("the handshake failed: {peer} has another cookie, or belongs to another cluster")]
    BadProof { peer: NodeName },

    /// The peer has another name than the initiator wanted (HS-9).
    #[error("the handshake failed: expected node `{wanted}`, found `{found}`")]
    WrongName {
        wanted: NodeName,
        found: NodeName,
        /// See [`HandshakeError::answer`].
        answer: Option<Vec<u8>>,
    },

    /// A name is too long for the handshake: ours, or that of the wanted peer.
    #[error("the node name `{0}` is too long to connect with: the limit is {NAME_BYTES_MAX} bytes")]
    NameTooLong(NodeName),

    /// The responder refused. After `nok` its own attempt follows. The responder's hello proves
    /// nothing, so a refusal there means no more than a closed connection.
    #[error("the peer refused the connection: {0:?}")]
    Refused(Status),
}

impl HandshakeError {
    /// Returns a last frame for the peer, so that it can log the reason too. Sending it before
    /// closing the connection is a courtesy.
    pub(crate) fn answer(&self) -> Option<&[u8]> {
        match self {
            HandshakeError::Incompatible { answer, .. }
            | HandshakeError::WrongName { answer, .. } => answer.as_deref(),
            _ => None,
        }
    }
}

impl From<PeerIncompatible> for HandshakeError {
    fn from(why: PeerIncompatible) -> HandshakeError {
        HandshakeError::Incompatible { why, answer: None }
    }
}
