//! The targets of the fuzzer. Each is a function that takes any bytes, and panics if something that
//! must always hold does not.
//!
//! `net/fuzz` has the programs and the corpus, which `tests/alone/fuzz_corpus.rs` runs through the
//! same functions. They know no fuzzer.
//!
//! | target | the bytes are | what must hold |
//! |---|---|---|
//! | `frames` | a peer's bytes after the handshake | the events do not depend on the pieces; little is kept |
//! | `initiator`, `responder` | a stranger's bytes to that role | the stranger is never authenticated |
//! | `handshake` | the actions of an attacker in the middle | both ends get what they sent, or one refuses |
//! | `epmd_server` | the requests of the port mapper's clients | the table keeps its limits, and is empty at the end |
//! | `epmd_client` | a port mapper's reply | it is refused, or decoded |
//! | `payload` | a message of one of several types | it is refused, or can be encoded again; the heap is limited, see [`PAYLOAD_HEAP`] |
//! | `node` | a peer's bytes after the handshake | a node whose processes receive them continues to work |

mod epmd;
mod frames;
mod handshake;
mod node;
mod payload;

pub use epmd::{epmd_client, epmd_server};
pub use frames::frames;
pub use handshake::{handshake, initiator, responder};
pub use node::node;
pub use payload::{PAYLOAD_HEAP, payload};

/// A target: takes any bytes, and panics if something is wrong.
pub type Target = fn(&[u8]);

/// All targets, by name.
pub const TARGETS: [(&str, Target); 8] = [
    ("frames", frames),
    ("initiator", initiator),
    ("responder", responder),
    ("handshake", handshake),
    ("epmd_server", epmd_server),
    ("epmd_client", epmd_client),
    ("payload", payload),
    ("node", node),
];
