//! Every maximum of the protocol, with its reason. The handshake's own are in
//! `handshake`, since they hold before a peer has proved anything.

use std::ops::RangeInclusive;

use fika_runtime::Name;

/// What a user may change; it must be the same on both ends of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Limits {
    /// The largest payload in bytes: of a message, a reason, or the arguments of a function. A
    /// larger one is refused at the sender, and ends the connection at the receiver
    /// before any of it is kept.
    pub(crate) message_bytes_max: usize,
}

impl Limits {
    /// Large enough for what processes tell each other, small enough that a peer which
    /// sends one to each of a thousand connections does not end the node.
    pub(crate) const MESSAGE_BYTES_MAX: usize = 16 << 20;

    /// How long all messages may be together that have been begun and are not whole: a few of
    /// the largest. What has come of them is kept by their receiver.
    pub(crate) fn partial_bytes_max(&self) -> usize {
        self.message_bytes_max.saturating_mul(4)
    }

    /// What can be set: from where it is of any use to 2 GiB, as lengths have
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

/// The longest text that says why a value did not decode, in bytes.
pub(crate) const WHY_BYTES_MAX: usize = 1024;

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

/// Payloads of at least this many bytes are written from where they are, smaller ones are copied
/// to the frames around them: a segment of its own costs as much as copying this.
pub(crate) const COPIED_BYTES_MAX: usize = 4 << 10;

/// A message with a larger payload goes in pieces: it is read straight into its own buffer, and
/// others come in between.
pub(crate) const WHOLE_BYTES_MAX: usize = 16 << 10;

/// The largest piece: half a millisecond of a link of 1 Gbit/s.
pub(crate) const PIECE_BYTES_MAX: usize = 64 << 10;

/// The largest body of a frame: a piece with its kind and sequence. All others are smaller,
/// whatever names they define and nodes they list.
pub(crate) const FRAME_BYTES_MAX: usize = PIECE_BYTES_MAX + 2;

/// Messages in pieces that are under way at the same time, per direction.
pub(crate) const SEQUENCES_MAX: usize = 64;

/// So many pieces of messages go out between two looks at what else there is.
pub(crate) const BATCH_PIECES: usize = 8;

/// The rest of a piece is read to its place if it is at least this long; less is copied.
pub(crate) const DIRECT_BYTES_MIN: usize = 4 << 10;

/// So many bytes of small frames are gathered before they become a segment: longer ones take
/// no fewer system calls.
pub(crate) const GATHERED_BYTES: usize = 64 << 10;

/// The memory of so many segments is kept for the next ones: what is written at once when a
/// sender is fast.
pub(crate) const SPARE_BUFFERS_MAX: usize = 2;
