//! What the frames of an established connection say: signals, requests to spawn, and
//! definitions of numbers.
//!
//! | frame | then |
//! |---|---|
//! | `DEFINE_NODE` | number, creation (32 bits), name |
//! | `DEFINE_NAME` | number, name |
//! | `DEFINE_TYPE` | number, fingerprint (64 bits), tag |
//! | `LARGE` | sequence (8 bits), and a frame with a payload, without its bytes |
//! | `PIECE` | sequence (8 bits), bytes |
//! | `UNDECODABLE` | part (0, 1, 2), sender, sender (of this frame), tag, why, how many more |
//! | `MESSAGE` | target, sender, type number, payload |
//! | `LINK` | target, from |
//! | `UNLINK`, `UNLINK_ACK` | target, from, id |
//! | `EXIT` | target, from, by link (0, 1), reason |
//! | `MONITOR`, `DEMONITOR` | target, from, the sender's reference |
//! | `DOWN` | target, whether there is a from (0, 1), from, the receiver's reference, reason |
//! | `SPAWN_REPLY` | target, the receiver's reference, 0 and the process, or the error |
//! | `GROUP_LEADER` | target, group leader |
//! | `SPAWN` | flags, the sender's reference, from, group leader, function number, type number, payload |
//!
//! A target is a process of the receiver, or with [`TO_NAME`] in the frame's kind the number of a
//! name, or with [`TO_ALIAS`] an alias of the receiver: its owner's slot, its serial, and whether
//! it goes ahead of ordinary messages (0, 1). An alias is a target for `MESSAGE`, and for an `EXIT`
//! that comes by no link. A process is its slot and its generation, a sender is 0, or its slot plus
//! one and its generation, a group leader the number of its node and its process, a reference its
//! serial and 0, or the slot of its owner and one more. A payload is the number of nodes that it
//! names, their numbers, its length (32 bits), and its bytes; a reason is a payload. Whatever is
//! not said to have a width is a varint.
//!
//! No frame has a place for the node of a `from`, of a new process, or of a reference:
//! it is the sender's or the receiver's by the kind of frame. So a peer can't speak for
//! the processes of another node, and a sender that is asked to is refused here, by
//! [`SendError`]. A group leader and the pids *inside* a payload may be of any node: they are
//! only spoken of.
//!
//! Wire constants are in this table and nowhere else; `net/PROTOCOL.md`, "Frames".

mod decoder;
mod encoder;
mod event;
mod writer;

pub(super) use decoder::{Decoded, Decoder, Large, PIECE_HEAD_BYTES};
pub(super) use encoder::Encoder;
pub(crate) use event::{Event, Events, NotTaken};

use std::ops::RangeInclusive;

use fika_runtime::{EncodeError, NodeId, Priority, SpawnError, UndecodablePart};

const DEFINE_NODE: u8 = 0x01;
const DEFINE_NAME: u8 = 0x02;
const DEFINE_TYPE: u8 = 0x03;

/// The head of a message that goes in pieces.
const LARGE: u8 = 0x04;
const PIECE: u8 = 0x05;

/// A value that the receiver of this frame has sent did not decode.
const UNDECODABLE: u8 = 0x06;

/// The parts of which `UNDECODABLE` tells, by number.
const PARTS: [UndecodablePart; 3] =
    [UndecodablePart::Message, UndecodablePart::Arguments, UndecodablePart::Reason];

const MESSAGE: u8 = 0x10;
const LINK: u8 = 0x11;
const UNLINK: u8 = 0x12;
const UNLINK_ACK: u8 = 0x13;
const EXIT: u8 = 0x14;
const MONITOR: u8 = 0x15;
const DEMONITOR: u8 = 0x16;
const DOWN: u8 = 0x17;
const SPAWN_REPLY: u8 = 0x18;
const GROUP_LEADER: u8 = 0x19;

/// The kinds of signals.
const SIGNALS: RangeInclusive<u8> = MESSAGE..=GROUP_LEADER;

const SPAWN: u8 = 0x20;

/// Set in the kind of a signal's frame whose target is a name.
const TO_NAME: u8 = 0x80;

/// Set in the kind of a signal's frame whose target is an alias.
const TO_ALIAS: u8 = 0x40;

const SPAWN_LINK: u8 = 1 << 0;
const SPAWN_MONITOR: u8 = 1 << 1;

/// Above the flags stands a number for the new process's priority.
const SPAWN_PRIORITY_SHIFT: u32 = 2;
const SPAWN_PRIORITIES: [Priority; 4] =
    [Priority::Normal, Priority::Low, Priority::High, Priority::Max];

/// What `SPAWN_REPLY` says in place of an error.
const SPAWNED: u8 = 0;
const SPAWN_NOTSUP: u8 = 2;
const SPAWN_ERRORS: [(SpawnError, u8); 4] = [
    (SpawnError::Noconnection, 1),
    (SpawnError::Notsup, SPAWN_NOTSUP),
    (SpawnError::SystemLimit, 3),
    (SpawnError::Badarg, 4),
];

/// Why a signal was not put into the output. Effect: the output is unchanged, and the
/// connection goes on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SendError {
    /// The value can't leave this node.
    #[error(transparent)]
    Encode(#[from] EncodeError),

    /// It is larger than the limit for messages.
    #[error("a message of {bytes} bytes is above the limit of {max}; raise it on all nodes")]
    TooLarge { bytes: usize, max: usize },

    /// It names more nodes than one message may.
    #[error(
        "a message that names {nodes} nodes is above the limit of {max}; send several messages"
    )]
    TooManyNodes { nodes: usize, max: usize },

    /// A name or a type's tag is longer than the limit.
    #[error("{what} of {bytes} bytes is above the limit of {max}")]
    NameTooLong { what: &'static str, bytes: usize, max: usize },

    /// It is for a process or a reference that is not the peer's: of another life of the
    /// peer, most likely, so that there is no such process any more.
    #[error("it belongs to {0:?}, and this connection is not with that node")]
    NotThePeers(NodeId),

    /// It comes from a process or has a reference that is not ours.
    #[error("it comes from {0:?}, for which this node can't speak")]
    NotOurs(NodeId),

    /// It is sent by an alias, and is neither a message nor an exit signal without a link.
    #[error("this signal goes to a process or a name, never to an alias")]
    NotByAlias,

    /// It is of a kind that stays on its node.
    #[error("this signal never leaves its node")]
    LocalOnly,
}
