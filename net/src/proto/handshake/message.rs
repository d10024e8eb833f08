//! The frames of the handshake as values, and their bytes.
//!
//! Only this file knows the layout of the bytes. A hello ends with room for extensions: bytes that
//! a later version may fill. This version does not read them, but the proofs cover them.

use fika_runtime::{Creation, NodeName};

use super::keys::{NONCE_BYTES, PROOF_BYTES, Proof};
use super::versions::Versions;
use super::{Flags, NAME_BYTES_MAX};
use crate::proto::codec::{Put as _, Reader};
use crate::proto::error::InvalidMessage;

/// The beginning of hello_i. An Erlang node sends another first byte (`N` or `n`), and no text
/// begins with this one. The rest detects a transport that changes line ends.
const MAGIC: [u8; 8] = *b"\xf1fika\r\n\0";

const HELLO_R: u8 = 0xf2;
const PROOF_I: u8 = 0xf3;
const PROOF_R: u8 = 0xf4;
const REFUSAL: u8 = 0xf5;

/// More than the frame can hold, so only the frame's own limit counts.
const EXTENSIONS_BYTES_MAX: usize = super::frame::BODY_BYTES_MAX;

/// The responder's answer to the initiator's request (HS-4), by its number on the wire.
///
/// A status that depends on the nodes that the responder is, or may be, connected to is only sent
/// in a [`Refusal`], to an initiator that has proved itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Status {
    /// Continue. In hello_r.
    Ok = 0,
    /// Refused: the responder's own attempt is in progress, and survives (HS-5). In a refusal.
    Nok = 2,
    /// Refused: in hello_r because the nodes do not fit together, in a refusal because of the allow
    /// list.
    NotAllowed = 3,
    /// Refused, in hello_r: no version in common. The version in the hello is the highest that the
    /// responder speaks.
    OtherVersion = 5,
    /// Continue, under the name that comes with it (DIST-4). In hello_r.
    Named = 6,
}

impl Status {
    /// The statuses allowed in hello_r.
    const OF_HELLO: &[Status] =
        &[Status::Ok, Status::NotAllowed, Status::OtherVersion, Status::Named];

    /// The statuses allowed in a refusal.
    const OF_REFUSAL: &[Status] = &[Status::Nok, Status::NotAllowed];

    /// Returns whether the status ends the handshake.
    pub(crate) fn is_refusal(self) -> bool {
        matches!(self, Status::Nok | Status::NotAllowed | Status::OtherVersion)
    }

    pub(super) fn byte(self) -> u8 {
        self as u8
    }

    fn read(reader: &mut Reader<'_>, allowed: &[Status]) -> Result<Status, InvalidMessage> {
        let what = "the status";
        let value = reader.u8(what)?;
        let status = allowed.iter().find(|status| status.byte() == value);
        status.copied().ok_or(InvalidMessage::UnknownValue { what, value })
    }
}

/// Step 1.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct HelloI {
    pub(super) versions: Versions,
    pub(super) flags: Flags,
    pub(super) creation: Creation,
    pub(super) nonce: [u8; NONCE_BYTES],
    pub(super) name: NodeName,
    /// The node that the initiator wants to reach.
    pub(super) peer: NodeName,
}

impl HelloI {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut body = MAGIC.to_vec();
        body.put_u16(self.versions.lowest);
        body.put_u16(self.versions.highest);
        body.put_u64(self.flags.bits());
        body.put_u32(self.creation.0);
        body.extend_from_slice(&self.nonce);
        body.put_bytes(self.name.as_str().as_bytes());
        body.put_bytes(self.peer.as_str().as_bytes());
        body.put_bytes(&[]);
        body
    }

    pub(super) fn decode(body: &[u8]) -> Result<HelloI, InvalidMessage> {
        let mut reader = Reader::new(body);
        if reader.array("the magic")? != MAGIC {
            return Err(InvalidMessage::NotFika);
        }
        let hello = HelloI {
            versions: Versions {
                lowest: reader.u16("the lowest version")?,
                highest: reader.u16("the highest version")?,
            },
            flags: Flags::from_bits(reader.u64("the flags")?),
            creation: Creation(reader.u32("the creation")?),
            nonce: reader.array("the nonce")?,
            name: node_name(&mut reader, "the initiator's name")?,
            peer: node_name(&mut reader, "the name of the peer")?,
        };
        reader.bytes("the extensions", EXTENSIONS_BYTES_MAX)?;
        reader.finish("the initiator's hello")?;
        Ok(hello)
    }
}

/// Step 2.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct HelloR {
    pub(super) version: u16,
    pub(super) flags: Flags,
    pub(super) creation: Creation,
    pub(super) nonce: [u8; NONCE_BYTES],
    pub(super) status: Status,
    pub(super) name: NodeName,
    /// The initiator's name from here on. Present only with [`Status::Named`].
    pub(super) given: Option<NodeName>,
}

impl HelloR {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut body = vec![HELLO_R];
        body.put_u16(self.version);
        body.put_u64(self.flags.bits());
        body.put_u32(self.creation.0);
        body.extend_from_slice(&self.nonce);
        body.put_u8(self.status.byte());
        body.put_bytes(self.name.as_str().as_bytes());
        let mut extensions = Vec::new();
        if let Some(given) = &self.given {
            extensions.put_bytes(given.as_str().as_bytes());
        }
        body.put_bytes(&extensions);
        body
    }

    pub(super) fn decode(body: &[u8]) -> Result<HelloR, InvalidMessage> {
        let mut reader = Reader::new(body);
        expect_kind(&mut reader, HELLO_R)?;
        let mut hello = HelloR {
            version: reader.u16("the version")?,
            flags: Flags::from_bits(reader.u64("the flags")?),
            creation: Creation(reader.u32("the creation")?),
            nonce: reader.array("the nonce")?,
            status: Status::read(&mut reader, Status::OF_HELLO)?,
            name: node_name(&mut reader, "the responder's name")?,
            given: None,
        };
        let extensions = reader.bytes("the extensions", EXTENSIONS_BYTES_MAX)?;
        reader.finish("the responder's hello")?;
        if hello.status == Status::Named {
            let what = "the name that the responder gives";
            hello.given = Some(node_name(&mut Reader::new(extensions), what)?);
        }
        Ok(hello)
    }
}

/// The side that a proof is from: steps 3 and 4.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    Initiator,
    Responder,
}

impl Role {
    fn kind(self) -> u8 {
        match self {
            Role::Initiator => PROOF_I,
            Role::Responder => PROOF_R,
        }
    }

    pub(super) fn encode(self, proof: &Proof) -> Vec<u8> {
        [&[self.kind()], &proof[..]].concat()
    }

    pub(super) fn decode(self, body: &[u8]) -> Result<Proof, InvalidMessage> {
        let mut reader = Reader::new(body);
        expect_kind(&mut reader, self.kind())?;
        let proof: [u8; PROOF_BYTES] = reader.array("the proof")?;
        reader.finish("the proof")?;
        Ok(proof)
    }
}

/// Step 4, if the responder does not want the connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Refusal {
    pub(super) status: Status,
    pub(super) proof: Proof,
}

impl Refusal {
    /// Returns whether a frame is a refusal, and not a proof.
    pub(super) fn is(body: &[u8]) -> bool {
        body.first() == Some(&REFUSAL)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        [&[REFUSAL, self.status.byte()], &self.proof[..]].concat()
    }

    pub(super) fn decode(body: &[u8]) -> Result<Refusal, InvalidMessage> {
        let mut reader = Reader::new(body);
        expect_kind(&mut reader, REFUSAL)?;
        let status = Status::read(&mut reader, Status::OF_REFUSAL)?;
        let proof: [u8; PROOF_BYTES] = reader.array("the proof")?;
        reader.finish("the refusal")?;
        Ok(Refusal { status, proof })
    }
}

fn expect_kind(reader: &mut Reader<'_>, kind: u8) -> Result<(), InvalidMessage> {
    let what = "the next step of the handshake";
    match reader.u8(what)? {
        value if value == kind => Ok(()),
        value => Err(InvalidMessage::UnknownValue { what, value }),
    }
}

fn node_name(reader: &mut Reader<'_>, what: &'static str) -> Result<NodeName, InvalidMessage> {
    Ok(reader.text(what, NAME_BYTES_MAX)?.parse()?)
}
