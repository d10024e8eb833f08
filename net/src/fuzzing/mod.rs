//! What a fuzzer runs: one function for each target, which takes any bytes, and panics if what
//! must always hold does not.
//!
//! `net/fuzz` has the programs and the corpus, which `tests/alone/fuzz_corpus.rs` runs through the
//! same functions. They know no fuzzer.
//!
//! | target | the bytes are | what must hold |
//! |---|---|---|
//! | `frames` | what a peer sends after the handshake | the same events, however it comes in pieces; little is kept |
//! | `initiator`, `responder` | what a stranger says to that role | it is never authenticated |
//! | `handshake` | what somebody in the middle does | the two end as nobody had been there, or one refuses |
//! | `epmd_server` | what clients of the port mapper say | the table keeps its limits, and is empty at the end |
//! | `epmd_client` | what a port mapper answers | it is refused, or is what it says |
//! | `payload` | a message of one of several types | it is refused, or encoded again; a limited heap, see [`PAYLOAD_HEAP`] |
//! | `node` | what a peer sends after the handshake | a node whose processes get it goes on |

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

/// A target: any bytes, and a panic if something is wrong.
pub type Target = fn(&[u8]);

/// All targets, by their names.
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
