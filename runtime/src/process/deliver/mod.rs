//! Delivery, from a destination to the queue of a process or to the carrier. It includes full
//! mailboxes, congested connections, processes of the runtime that refuse some signals, and
//! receivers that have ended.

mod bounded;
mod congestion;
mod demonitor;
mod guard;
mod orphans;
mod route;
mod system_monitor;
mod timer_action;
mod undecodable;

pub(in crate::process) use self::bounded::{bound_new, deliver_asked};
pub(crate) use self::orphans::Orphans;
pub(in crate::process) use self::route::Found;
pub use self::route::SendError;
pub use self::system_monitor::{SystemMonitor, system_monitor};
pub(crate) use self::timer_action::Action;
pub(crate) use self::undecodable::undecodable;
