//! The processes that decide which connections are made and closed, and which processes are
//! notified.
//!
//! - `net_kernel` decides about connections and sends `nodeup` and `nodedown`.
//! - `net_sup` starts and stops the distribution, and restarts its processes.
//! - `command` defines the messages that other processes send to net_kernel. `membership` notifies
//!   subscribers when nodes connect and disconnect.
//! - `candidates` decides when to connect to nodes that peers know.
//! - `ticktime` decides how often connections are checked.

mod candidates;
mod command;
mod membership;
mod net_kernel;
mod net_sup;
mod ticktime;

pub(crate) use command::{Command, Request};
pub use ticktime::{NetTicktime, SetTicktime};
