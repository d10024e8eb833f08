//! The frames of an established connection: signals, spawn requests, and definitions of numbers.
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
//! A target is a process of the receiver. With [`TO_NAME`] in the frame's kind, it is the number of
//! a name. With [`TO_ALIAS`], it is an alias of the receiver: its owner's slot, its serial number,
//! and whether it goes ahead of ordinary messages (0, 1). An alias is a target for `MESSAGE`, and
//! for an `EXIT` that is not sent over a link. A process is its slot and its generation. A sender
//! is 0, or its slot plus one and its generation. A group leader is the number of its node and its
//! process. A reference is its serial number and 0, or its serial number and the slot of its owner
//! plus one. A payload is the number of nodes that it names, their numbers, its length (32 bits),
//! and its bytes. A reason is a payload. Numbers without a stated width are varints.
//!
//! No frame has a field for the node of a `from`, of a new process, or of a reference: by the kind
//! of frame, it is the sender's or the receiver's node. So a peer can't speak for the processes of
//! another node. If this node is asked to send such a signal, it refuses with a [`SendError`]. A
//! group leader and the pids *inside* a payload may be of any node, since they are only mentioned.
//!
//! Wire constants are in this table and nowhere else; see `net/PROTOCOL.md`, "Frames".

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

/// The head of a message in pieces.
const LARGE: u8 = 0x04;
const PIECE: u8 = 0x05;

/// The sender of this frame could not decode a value from its receiver.
const UNDECODABLE: u8 = 0x06;

/// The kinds of value that `UNDECODABLE` reports, by number.
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

/// Set in the kind of a signal's frame if its target is a name.
const TO_NAME: u8 = 0x80;

/// Set in the kind of a signal's frame if its target is an alias.
const TO_ALIAS: u8 = 0x40;

const SPAWN_LINK: u8 = 1 << 0;
const SPAWN_MONITOR: u8 = 1 << 1;

/// The flags are followed by a number for the new process's priority.
const SPAWN_PRIORITY_SHIFT: u32 = 2;
const SPAWN_PRIORITIES: [Priority; 4] =
    [Priority::Normal, Priority::Low, Priority::High, Priority::Max];

/// Stands in `SPAWN_REPLY` in place of an error.
const SPAWNED: u8 = 0;
const SPAWN_NOTSUP: u8 = 2;
const SPAWN_ERRORS: [(SpawnError, u8); 4] = [
    (SpawnError::Noconnection, 1),
    (SpawnError::Notsup, SPAWN_NOTSUP),
    (SpawnError::SystemLimit, 3),
    (SpawnError::Badarg, 4),
];

/// Why a signal was not put into the output. Effect: the output is unchanged, and the connection
/// continues.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SendError {
    /// The value can't leave this node.
    #[error(transparent)]
    Encode(#[from] EncodeError),

    /// The payload is larger than the limit for messages.
    #[error("a message of {bytes} bytes is above the limit of {max}; raise it on all nodes")]
    TooLarge { bytes: usize, max: usize },

    /// The message names more nodes than allowed.
    #[error(
        "a message that names {nodes} nodes is above the limit of {max}; send several messages"
    )]
    TooManyNodes { nodes: usize, max: usize },

    /// A name or a type's tag is longer than the limit.
    #[error("{what} of {bytes} bytes is above the limit of {max}")]
    NameTooLong { what: &'static str, bytes: usize, max: usize },

    /// The target or a reference does not belong to the peer. It most likely belongs to an earlier
    /// life of the peer, so that the process no longer exists.
    #[error("it belongs to {0:?}, but this connection is with another node")]
    NotThePeers(NodeId),

    /// The signal comes from a process of another node, or has a reference of another node.
    #[error("it comes from {0:?}, and this node can't speak for that node")]
    NotOurs(NodeId),

    /// The target is an alias, but the signal is neither a message nor an exit signal without a
    /// link.
    #[error("this signal can't be sent to an alias, only to a process or a name")]
    NotByAlias,

    /// The signal is of a kind that stays on its node.
    #[error("this signal never leaves its node")]
    LocalOnly,
}
