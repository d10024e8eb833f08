//! From a destination to a queue.

mod bounded;
mod congestion;
mod guard;
mod orphans;
mod route;
mod timer_action;
mod undecodable;

pub use bounded::mailbox_limit;
pub(in crate::process) use congestion::{HeldUp, WaitsForRoom};
pub(crate) use orphans::Orphans;
pub(in crate::process) use route::Found;
pub use route::SendError;
pub(crate) use timer_action::Action;
