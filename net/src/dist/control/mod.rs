//! The processes that decide: which connections are made and end, and who is told of it.
//!
//! - `net_kernel` decides about connections and sends `nodeup` and `nodedown`.
//! - `net_sup` starts and stops the distribution, and restarts its processes.
//! - `command` is what functions of the program tell net_kernel; `membership` tells subscribers of
//!   nodes that come and go.
//! - `candidates` says when to connect to nodes that peers know.
//! - `ticktime` says how often connections are checked.

mod candidates;
mod command;
mod membership;
mod net_kernel;
mod net_sup;
mod ticktime;

pub(crate) use command::{Command, Request};
pub use ticktime::{NetTicktime, SetTicktime};
