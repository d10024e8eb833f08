//! The processes that decide: which connections are made and end, and who is told of it.
//!
//! - `net_kernel` decides about connections and sends `nodeup` and `nodedown`.
//! - `net_sup` starts and stops the distribution, and restarts its processes.
//! - `candidates` says when to connect to nodes that peers know.
//! - `ticktime` says how often connections are checked.

mod candidates;
mod net_kernel;
mod net_sup;
mod ticktime;

pub(crate) use net_kernel::{Claimed, Command, Handshaken, Legacy, More, Request, SetupFailure};
pub use net_sup::StartError;
pub use ticktime::{NetTicktime, SetTicktime};
