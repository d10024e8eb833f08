//! The protocol, without input and output: bytes in, events out; signals in, bytes out.
//!
//! No file here uses a socket, a clock, a thread or a random source. Their results are arguments,
//! so the same code runs below the real driver, the simulator and the fuzzers. `net/PROTOCOL.md`
//! says what every byte means.

mod assembly;
mod atom_cache;
mod codec;
pub(crate) mod connection;
pub(crate) mod control;
pub(crate) mod epmd;
pub(crate) mod error;
mod frame;
pub(crate) mod handshake;
mod lanes;
pub(crate) mod limits;
mod loopback;
pub(crate) mod output;
pub(crate) mod parcel;
mod receiving;
mod sending;
pub(crate) mod tick;

pub use loopback::Loopback;
