//! Every maximum of the protocol, with its reason. The handshake's own are in
//! `handshake`, since they hold before a peer has proved anything.

use std::ops::RangeInclusive;

use fika_runtime::Name;

/// What a user may change; it must be the same on both ends of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Limits {
    /// The largest frame's body in bytes: a message with its few bytes of address. A
    /// larger one is refused at the sender, and ends the connection at the receiver
    /// before any of it is kept.
    pub(crate) message_bytes_max: usize,
}

impl Limits {
    /// Large enough for what processes tell each other, small enough that a peer which
    /// sends one to each of a thousand connections does not end the node.
    pub(crate) const MESSAGE_BYTES_MAX: usize = 16 << 20;

    /// What can be set: from where any definition of a name fits to 2 GiB, as lengths have
    /// 32 bits, and half of that is too much.
    pub(crate) const MESSAGE_BYTES: RangeInclusive<usize> = 4 << 10..=1 << 31;
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { message_bytes_max: Limits::MESSAGE_BYTES_MAX }
    }
}

/// The longest node name in bytes: 255 characters of UTF-8, host included.
pub(crate) const NODE_NAME_BYTES_MAX: usize = 1020;

/// The longest registered name or function name in bytes.
pub(crate) const NAME_BYTES_MAX: usize = Name::BYTES_MAX;

/// The longest tag of a message type in bytes: a path, with those of its parameters.
pub(crate) const TAG_BYTES_MAX: usize = 1024;

/// Nodes that one message may name in its pids and references.
pub(crate) const MESSAGE_NODES_MAX: usize = 4096;

/// Numbers for nodes, per direction. More than one message can name, since a frame's
/// definitions all come ahead of it.
pub(crate) const NODE_NUMBERS_MAX: usize = 2 * MESSAGE_NODES_MAX;

/// Numbers for registered names and function names, per direction: 2 MiB of names at
/// most in the receiver's table.
pub(crate) const NAME_NUMBERS_MAX: usize = 2048;

/// Numbers for message types, per direction: 2 MiB of tags at most in the receiver's
/// table.
pub(crate) const TYPE_NUMBERS_MAX: usize = 2048;

/// Lives of nodes that a peer may mention during one connection. They stay in the table
/// of node ids, so this is what a peer gone mad can fill: some 64 MiB.
pub(crate) const NODES_SEEN_MAX: usize = 1 << 16;

/// Payloads below this are copied out of the read buffer, which then can be used again;
/// larger ones keep the memory that they arrived in.
pub(crate) const COPIED_BYTES_MAX: usize = 4 << 10;

/// An output buffer larger than this is given back once it is empty, so that one large
/// message does not keep its size for ever.
pub(crate) const IDLE_OUTPUT_BYTES_MAX: usize = 256 << 10;
