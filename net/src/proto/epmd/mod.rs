//! The port mapper's protocol, which tells the port of the node with a given name.
//!
//! It is Erlang's, byte for byte, so that our nodes and an Erlang installation share one mapper.
//! There are no sockets and no time here; `io/epmd_client.rs` and `io/epmd_server.rs` have them.
//! All integers are big-endian. A request is preceded by its length in two bytes.
//!
//! | request | | reply | and then |
//! |---|---|---|---|
//! | register | `x` port, type, protocol, versions, name, extra | `v` (or `y`) result, creation | stays open: its end unregisters |
//! | look up | `z` name | `w` result, what was registered | closed |
//! | names | `n` | port of the mapper, lines of text | closed |
//! | dump (local peers only) | `d` | port of the mapper, lines of text | closed |
//! | kill (local) | `k` | `OK` or `NO` | closed |
//! | stop (local, relaxed mode) | `s` name | `STOPPED` or `NOEXIST` | closed |
//!
//! Prior art: the section on EPMD in the Erlang distribution protocol; `epmd_srv.c`.

mod connection;
mod info;
mod mark;
mod registry;
mod reply;
mod request;
mod wire;

pub(crate) use connection::{ServerConnection, Step};
pub(crate) use info::is_local;
pub use info::{NodeInfo, NodeInfoError, PublishedType};
pub(crate) use mark::Mark;
pub(crate) use registry::{ClientId, Registry};
pub(crate) use reply::{NAMES_BYTES_MAX, Registered, decode_found, decode_registered};
pub use reply::{Names, ReplyError};
pub(crate) use request::Request;

/// The default TCP port of a mapper.
pub const DEFAULT_PORT: u16 = 4369;
