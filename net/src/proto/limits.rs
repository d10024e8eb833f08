//! Every maximum of the protocol, with its reason. Those of the handshake are in `handshake`, since
//! they apply before a peer has proved anything.

use std::ops::RangeInclusive;

use fika_runtime::Name;

/// The limits that a user may change. They must be equal at both ends of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Limits {
    /// The largest payload in bytes: of a message, a reason, or the arguments of a function. The
    /// sender refuses a larger one. The receiver closes the connection before any of it is kept.
    pub(crate) message_bytes_max: usize,
}

impl Limits {
    /// Large enough for ordinary messages, and small enough that one such message on each of a
    /// thousand connections does not end the node.
    pub(crate) const MESSAGE_BYTES_MAX: usize = 16 << 20;

    /// Returns the maximum total length of unfinished messages: a few of the largest. The receiver
    /// keeps the pieces that have arrived.
    pub(crate) fn partial_bytes_max(&self) -> usize {
        self.message_bytes_max.saturating_mul(4)
    }

    /// The values that can be set: from the smallest useful one to 2 GiB, half of what a 32-bit
    /// length can express.
    pub(crate) const MESSAGE_BYTES: RangeInclusive<usize> = 4 << 10..=1 << 31;
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { message_bytes_max: Limits::MESSAGE_BYTES_MAX }
    }
}

/// The longest node name in bytes: 255 characters of UTF-8, including the host.
pub(crate) const NODE_NAME_BYTES_MAX: usize = 1020;

/// The longest registered name or function name in bytes.
pub(crate) const NAME_BYTES_MAX: usize = Name::BYTES_MAX;

/// The longest tag of a message type in bytes: a path, with those of its parameters.
pub(crate) const TAG_BYTES_MAX: usize = 1024;

/// The longest text that says why a value could not be decoded, in bytes.
pub(crate) const WHY_BYTES_MAX: usize = 1024;

/// The number of nodes that one message may name in its pids and references.
pub(crate) const MESSAGE_NODES_MAX: usize = 4096;

/// The number of numbers for nodes, per direction. Greater than what one message can name, since
/// all of a frame's definitions come before it.
pub(crate) const NODE_NUMBERS_MAX: usize = 2 * MESSAGE_NODES_MAX;

/// The number of numbers for registered names and function names, per direction. The receiver's
/// table has at most 2 MiB of names.
pub(crate) const NAME_NUMBERS_MAX: usize = 2048;

/// The number of numbers for message types, per direction. The receiver's table has at most 2 MiB
/// of tags.
pub(crate) const TYPE_NUMBERS_MAX: usize = 2048;

/// Payloads of at least this many bytes are written from where they are. Smaller ones are copied to
/// the frames around them, since a separate segment costs as much as copying this many bytes.
pub(crate) const COPIED_BYTES_MAX: usize = 4 << 10;

/// A message with a larger payload is sent in pieces: it is read directly into its own buffer, and
/// other messages come in between.
pub(crate) const WHOLE_BYTES_MAX: usize = 16 << 10;

/// The largest piece: half a millisecond of a link of 1 Gbit/s.
pub(crate) const PIECE_BYTES_MAX: usize = 64 << 10;

/// The largest body of a frame: a piece with its kind and sequence. All other bodies are smaller,
/// whatever names they define and nodes they list.
pub(crate) const FRAME_BYTES_MAX: usize = PIECE_BYTES_MAX + 2;

/// The number of unfinished messages in pieces, per direction.
pub(crate) const SEQUENCES_MAX: usize = 64;

/// The number of pieces that are sent before other output is looked at.
pub(crate) const BATCH_PIECES: usize = 8;

/// The rest of a piece is read directly into its buffer if it is at least this long. A shorter rest
/// is copied.
pub(crate) const DIRECT_BYTES_MIN: usize = 4 << 10;

/// Small frames of this many bytes together become a segment. A longer segment would not save
/// system calls.
pub(crate) const GATHERED_BYTES: usize = 64 << 10;

/// The number of segments whose memory is kept for reuse: what a fast sender writes in one call.
pub(crate) const SPARE_BUFFERS_MAX: usize = 2;
