//! The side that accepts the connection.

use fika_runtime::NodeName;

use super::frame::framed;
use super::keys::{Key, NONCE_BYTES, Proof, Prover, Secret, Transport, matches};
use super::message::{HelloI, HelloR, Refusal, Role};
use super::versions::Versions;
use super::{Agreed, Established, Flags, HandshakeError, Identity, NAME_BYTES_MAX, Status};
use crate::proto::error::{PeerIncompatible, PeerMisbehaved};

/// The responder waits for the initiator's hello.
pub(crate) struct AwaitHello {
    identity: Identity,
}

/// The responder has the initiator's hello, and waits for the caller's decision, since only the
/// caller knows the cookie for this peer. Nothing is proved yet.
pub(crate) struct Greeted {
    identity: Identity,
    /// The bytes of the initiator's hello.
    hello_i: Vec<u8>,
    agreed: Agreed,
    asks_for_name: bool,
    /// The name that the initiator is given.
    given: Option<NodeName>,
}

/// The responder has answered, and waits for the initiator's proof.
pub(crate) struct AwaitProof {
    prover: Prover,
    agreed: Agreed,
}

/// The responder has the initiator's proof, which is right, and waits for the caller's decision:
/// only the caller knows the allow list, our own pending attempt and an older connection.
pub(crate) struct Proved {
    prover: Prover,
    agreed: Agreed,
    proof_i: Proof,
}

impl AwaitHello {
    pub(crate) fn new(identity: Identity) -> AwaitHello {
        AwaitHello { identity: Identity { flags: identity.flags | Flags::MANDATORY, ..identity } }
    }

    /// Handles the initiator's hello.
    ///
    /// # Errors
    /// If the connection must be closed, after the error's [`answer`](HandshakeError::answer) if it
    /// has one.
    pub(crate) fn handle(self, frame: &[u8]) -> Result<Greeted, HandshakeError> {
        let AwaitHello { identity } = self;
        let theirs = HelloI::decode(frame)?;
        let answer = |status, version| {
            let fits = identity.name.as_str().len() <= NAME_BYTES_MAX;
            fits.then(|| hello_r(&identity, status, version, [0; NONCE_BYTES], None).1)
        };
        if theirs.peer != identity.name {
            let answer = answer(Status::NotAllowed, 0);
            let (wanted, found) = (theirs.peer, identity.name);
            return Err(HandshakeError::WrongName { wanted, found, answer });
        }
        if theirs.name == identity.name {
            return Err(PeerMisbehaved::OurName.into());
        }
        let asks_for_name = theirs.flags.contains(Flags::NAME_ME);
        match agree(&identity, theirs) {
            Ok(agreed) => Ok(Greeted {
                identity,
                hello_i: frame.to_vec(),
                agreed,
                asks_for_name,
                given: None,
            }),
            Err(why) => {
                let answer = match why {
                    PeerIncompatible::NoCommonVersion { our_highest, .. } => {
                        answer(Status::OtherVersion, our_highest)
                    }
                    _ => answer(Status::NotAllowed, 0),
                };
                Err(HandshakeError::Incompatible { why, answer })
            }
        }
    }
}

impl Greeted {
    /// Returns the name that the initiator claims.
    pub(crate) fn peer(&self) -> &NodeName {
        &self.agreed.0.peer
    }

    /// Returns whether the initiator has no name and asks for one. Its name then only contains its
    /// host, and the caller must call [`named`](Greeted::named).
    pub(crate) fn asks_for_name(&self) -> bool {
        self.asks_for_name
    }

    /// Gives the initiator the name that it has requested (DIST-4).
    pub(crate) fn named(mut self, name: NodeName) -> Greeted {
        debug_assert!(self.asks_for_name, "others have one");
        self.agreed.0.peer = name.clone();
        self.given = Some(name);
        self
    }

    /// Continues with a status that is not a refusal, over the transport that the hello came by.
    /// The caller sends the returned frame. The nonce must come from a secure source, and be used
    /// once. For an initiator that was given a name, the status is [`Status::Named`].
    pub(crate) fn accept(
        self,
        status: Status,
        secret: &Secret,
        transport: Transport,
        nonce: [u8; NONCE_BYTES],
    ) -> (AwaitProof, Vec<u8>) {
        debug_assert!(!status.is_refusal(), "the initiator would go no further");
        let Greeted { identity, hello_i, agreed, given, .. } = self;
        debug_assert_eq!(status == Status::Named, given.is_some(), "the two go together");
        let (body, frame) = hello_r(&identity, status, agreed.0.version, nonce, given);
        let prover = Key::of(secret).bind(&hello_i, &body, transport);
        (AwaitProof { prover, agreed }, frame)
    }

    /// Ends the handshake with a refusal. The caller sends the returned frame, and then closes the
    /// connection.
    pub(crate) fn refuse(self, status: Status) -> Vec<u8> {
        debug_assert!(status.is_refusal(), "the initiator would go on");
        hello_r(&self.identity, status, self.agreed.0.version, [0; NONCE_BYTES], None).1
    }
}

impl AwaitProof {
    /// Handles the initiator's proof.
    ///
    /// # Errors
    /// If the connection must be closed.
    pub(crate) fn handle(self, frame: &[u8]) -> Result<Proved, HandshakeError> {
        let AwaitProof { prover, agreed } = self;
        let proof_i = Role::Initiator.decode(frame)?;
        if !matches(&prover.initiator(), &proof_i) {
            return Err(HandshakeError::BadProof { peer: agreed.0.peer });
        }
        Ok(Proved { prover, agreed, proof_i })
    }
}

impl Proved {
    /// Returns the initiator's name.
    pub(crate) fn peer(&self) -> &NodeName {
        &self.agreed.0.peer
    }

    /// Accepts the connection, which is now up. The caller sends the returned frame, and may send
    /// anything after it. An older connection to the same peer is replaced now, and not before
    /// (HS-7).
    pub(crate) fn accept(self) -> (Established, Vec<u8>) {
        let answer = framed(&Role::Responder.encode(&self.prover.responder(&self.proof_i)));
        (self.agreed.proved(), answer)
    }

    /// Ends the handshake with a refusal. The caller sends the returned frame, and then closes the
    /// connection.
    pub(crate) fn refuse(self, status: Status) -> Vec<u8> {
        let proof = self.prover.refusal(&self.proof_i, status.byte());
        framed(&Refusal { status, proof }.encode())
    }
}

fn agree(identity: &Identity, theirs: HelloI) -> Result<Agreed, PeerIncompatible> {
    if theirs.name.is_long() != identity.name.is_long() {
        return Err(PeerIncompatible::ShortAndLongNames);
    }
    if let Some(missing) = theirs.flags.lacks(Flags::MANDATORY) {
        return Err(PeerIncompatible::MissingFlags(missing));
    }
    Ok(Agreed(Established {
        version: Versions::OURS.agree(theirs.versions)?,
        flags: identity.flags.agree(theirs.flags),
        peer: theirs.name,
        creation: theirs.creation,
        given: None,
    }))
}

/// Returns our hello: its body, which the transcript needs, and the frame.
fn hello_r(
    identity: &Identity,
    status: Status,
    version: u16,
    nonce: [u8; NONCE_BYTES],
    given: Option<NodeName>,
) -> (Vec<u8>, Vec<u8>) {
    let Identity { name, creation, flags } = identity.clone();
    let body = HelloR { version, flags, creation, nonce, status, name, given }.encode();
    let frame = framed(&body);
    (body, frame)
}
