//! The state that the processes and functions of a node's distribution share.
//!
//! - [`Distribution`] is the node's distribution, started or not, and its `carrier`. [`Net`] is one
//!   period with a name, with its settings (`config`, `cookies`, `allowed`) and rules
//!   (`admission`). [`Base`] is the state that outlives the periods.
//! - `connections` has the channel to each node, and `known` the nodes that this one has heard of.
//! - `subscriptions` and `told` record which processes are notified of which nodes. `telling` sends
//!   the messages.
//! - `handler` calls the program's own handler. `logs` limits the log lines that a peer can cause.
//! - `ask` sends a question to a process and waits for the answer.

mod admission;
mod allowed;
mod ask;
mod base;
mod carrier;
mod config;
mod connections;
mod cookies;
mod distribution;
mod handler;
mod known;
mod logs;
mod net;
mod subscriptions;
mod telling;
mod told;

pub(crate) use ask::{Caller, ask, ask_linked};
pub(crate) use base::Base;
pub use config::{AutoConnect, Config};
pub(crate) use config::{INTENSITIES, TICKS, TIMES};
pub use distribution::Distribution;
pub(crate) use distribution::Started;
pub use handler::{BadCookie, Decision, NetHandler, SentToName, SpawnAsked};
pub(crate) use known::Heard;
pub(crate) use net::{Net, Notice};
pub(crate) use subscriptions::Wanted;
pub(crate) use telling::not_connected;
