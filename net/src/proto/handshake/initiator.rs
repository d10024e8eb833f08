//! The side that opens the connection.

use fika_runtime::NodeName;

use super::frame::framed;
use super::keys::{Key, NONCE_BYTES, Proof, Prover, Secret, Transport, matches};
use super::message::{HelloI, HelloR, Refusal, Role};
use super::versions::Versions;
use super::{Agreed, Established, Flags, HandshakeError, Identity, NAME_BYTES_MAX, Status};
use crate::proto::error::{PeerIncompatible, PeerMisbehaved};

/// The initiator has sent its hello, and waits for the responder's.
pub(crate) struct AwaitHello {
    hello: HelloI,
    key: Key,
}

/// The initiator has proved itself, and waits for the responder's proof.
pub(crate) struct AwaitProof {
    prover: Prover,
    proof_i: Proof,
    agreed: Agreed,
}

impl AwaitHello {
    /// Begins a handshake with `peer`. The caller sends the frame. The nonce must come from a
    /// secure source, and be used once.
    ///
    /// # Errors
    /// If the two names can't be on one connection. Nothing has been sent then.
    pub(crate) fn start(
        identity: Identity,
        peer: NodeName,
        secret: &Secret,
        nonce: [u8; NONCE_BYTES],
    ) -> Result<(AwaitHello, Vec<u8>), HandshakeError> {
        for name in [&identity.name, &peer] {
            if name.as_str().len() > NAME_BYTES_MAX {
                return Err(HandshakeError::NameTooLong(name.clone()));
            }
        }
        if identity.name.is_long() != peer.is_long() {
            return Err(PeerIncompatible::ShortAndLongNames.into());
        }
        let hello = HelloI {
            versions: Versions::OURS,
            flags: identity.flags | Flags::MANDATORY,
            creation: identity.creation,
            nonce,
            name: identity.name,
            peer,
        };
        let frame = framed(&hello.encode());
        Ok((AwaitHello { hello, key: Key::of(secret) }, frame))
    }

    /// Handles the responder's hello, which came over this transport. The caller sends the returned
    /// frame.
    ///
    /// # Errors
    /// If the connection must be closed.
    pub(crate) fn handle(
        self,
        frame: &[u8],
        transport: Transport,
    ) -> Result<(AwaitProof, Vec<u8>), HandshakeError> {
        let AwaitHello { hello: ours, key } = self;
        let theirs = HelloR::decode(frame)?;
        if theirs.name != ours.peer {
            let (wanted, found) = (ours.peer, theirs.name);
            return Err(HandshakeError::WrongName { wanted, found, answer: None });
        }
        if theirs.status == Status::OtherVersion {
            let (highest, Versions { lowest: our_lowest, highest: our_highest }) =
                (theirs.version, ours.versions);
            let why = PeerIncompatible::OtherVersion { highest, our_lowest, our_highest };
            return Err(why.into());
        }
        if theirs.status.is_refusal() {
            return Err(HandshakeError::Refused(theirs.status));
        }
        if !ours.versions.contains(theirs.version) {
            return Err(PeerMisbehaved::VersionNotOffered(theirs.version).into());
        }
        if let Some(missing) = theirs.flags.lacks(Flags::MANDATORY) {
            return Err(PeerIncompatible::MissingFlags(missing).into());
        }
        check_given(&ours, theirs.given.as_ref())?;
        let prover = key.bind(&ours.encode(), frame, transport);
        let proof_i = prover.initiator();
        let agreed = Agreed(Established {
            peer: theirs.name,
            creation: theirs.creation,
            flags: ours.flags.agree(theirs.flags),
            version: theirs.version,
            given: theirs.given,
        });
        let answer = framed(&Role::Initiator.encode(&proof_i));
        Ok((AwaitProof { prover, proof_i, agreed }, answer))
    }
}

/// Checks that a name is given if it was requested, and only then, and that its host is ours
/// (DIST-4).
fn check_given(ours: &HelloI, given: Option<&NodeName>) -> Result<(), HandshakeError> {
    match (ours.flags.contains(Flags::NAME_ME), given) {
        (false, None) => Ok(()),
        (false, Some(_)) => Err(PeerMisbehaved::NameNotAsked.into()),
        (true, None) => Err(PeerIncompatible::GivesNoName.into()),
        (true, Some(given)) if given.host() != ours.name.host() || given.is_undefined() => {
            Err(PeerMisbehaved::OtherName(given.clone()).into())
        }
        (true, Some(_)) => Ok(()),
    }
}

impl AwaitProof {
    /// Handles the responder's proof. If it is right, the connection is up on this side. On the
    /// other side it has been up since the responder sent the proof.
    ///
    /// # Errors
    /// If the connection must be closed. Also if the responder, which knows the cookie, does not
    /// want the connection.
    pub(crate) fn handle(self, frame: &[u8]) -> Result<Established, HandshakeError> {
        let AwaitProof { prover, proof_i, agreed } = self;
        if Refusal::is(frame) {
            let Refusal { status, proof } = Refusal::decode(frame)?;
            return Err(match matches(&prover.refusal(&proof_i, status.byte()), &proof) {
                true => HandshakeError::Refused(status),
                false => HandshakeError::BadProof { peer: agreed.0.peer },
            });
        }
        let proof_r = Role::Responder.decode(frame)?;
        if !matches(&prover.responder(&proof_i), &proof_r) {
            return Err(HandshakeError::BadProof { peer: agreed.0.peer });
        }
        Ok(agreed.proved())
    }
}
