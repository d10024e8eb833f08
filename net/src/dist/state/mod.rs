//! What the processes and functions of a node's distribution share.
//!
//! - [`Distribution`] is the node's carrier, whether the node has a name or not; [`Net`] is one
//!   period with a name, with its settings (`config`, `cookies`, `admission`).
//! - `connections` has the channel to each node, and `known` the nodes that this one has heard of.
//! - `subscriptions` and `told` say which process is told of which node.
//! - `handler` calls the program's own handler; `logs` limits what a peer can cause to be logged.
//! - `ask` sends a question to a process and waits for the answer.

mod admission;
mod ask;
mod config;
mod connections;
mod cookies;
mod distribution;
mod handler;
mod known;
mod logs;
mod net;
mod subscriptions;
mod told;

pub(crate) use ask::{Caller, Mesh, ask, ask_linked};
pub(crate) use config::TIMES;
pub use config::{AutoConnect, Config};
pub use distribution::Distribution;
pub(crate) use distribution::Phase;
pub use handler::{BadCookie, Decision, NetHandler, SentToName, SpawnAsked};
pub(crate) use handler::{admit, decide};
pub(crate) use known::Heard;
pub(crate) use logs::Unsent;
pub(crate) use net::Net;
pub(crate) use subscriptions::Wanted;
pub(crate) use told::not_connected;
