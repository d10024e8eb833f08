//! The handshake: two nodes prove to each other that they know the cookie, and agree on
//! names, creations, version and flags, all of which the proofs cover.
//!
//! | step | frame | sent by | says |
//! |---|---|---|---|
//! | 1 | hello_i | initiator | magic, versions, flags, creation, nonce, its name, the name it wants |
//! | 2 | hello_r | responder | version, flags, creation, nonce, status, its name |
//! | 3 | proof_i | initiator | HMAC over 1 and 2: the initiator proves itself first |
//! | 4 | proof_r | responder | HMAC over 1, 2 and 3 |
//! | 4 | refusal | responder | in place of proof_r: a status, and an HMAC over it, 1, 2 and 3 |
//!
//! Each state is a struct, and handling a frame consumes it, so the code can't handle frames in
//! another order. Until its last step, a handshake keeps two names and two frames, and changes no
//! table: a stranger can neither fill the table of node ids nor learn more than our name. A status
//! that depends on the responder's other connections is only sent in step 4. The driver handles
//! deadlines and the limit on half-open connections. It also decides when one of two simultaneous
//! connections wins; [`simultaneous`] decides which.
//!
//! Semantics HS-1 to HS-15. Prior art: `dist_util.erl` for the steps, TLS 1.3 and Noise for the
//! transcript, rustls' `client/tls13.rs` for the form.

mod failure;
mod flags;
mod frame;
pub(crate) mod initiator;
mod keys;
mod message;
#[cfg(test)]
mod naming_tests;
pub(crate) mod responder;
mod simultaneous;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
mod versions;

pub(crate) use failure::HandshakeError;
pub(crate) use flags::Flags;
pub(crate) use frame::frame;
pub(crate) use keys::{Secret, Transport};
pub(crate) use message::Status;
pub(crate) use simultaneous::{Verdict, simultaneous};

use fika_runtime::{Creation, NodeName};

/// The longest node name in bytes that a handshake carries: two of them fit into a frame. Domain
/// names and addresses are shorter.
pub(crate) const NAME_BYTES_MAX: usize = 480;

/// The facts that a node states about itself.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) name: NodeName,
    pub(crate) creation: Creation,
    /// The flags in addition to those that every node of this version sets.
    pub(crate) flags: Flags,
}

/// The result of a handshake, which both ends know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Established {
    /// The name of the peer, which has proved that it knows the cookie.
    pub(crate) peer: NodeName,
    /// The peer's creation, which identifies its life.
    pub(crate) creation: Creation,
    /// The features of both nodes, and [`Flags::HIDDEN`] if either is hidden (HS-11).
    pub(crate) flags: Flags,
    /// The protocol's version on this connection.
    pub(crate) version: u16,
    /// Our own name, if we asked for one (DIST-4).
    pub(crate) given: Option<NodeName>,
}

/// The result that both ends have agreed on, and that neither end has proved yet.
struct Agreed(Established);

impl Agreed {
    fn proved(self) -> Established {
        self.0
    }
}

impl Established {
    pub(crate) fn hidden(&self) -> bool {
        self.flags.contains(Flags::HIDDEN)
    }
}
