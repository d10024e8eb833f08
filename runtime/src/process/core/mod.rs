//! The state of a process: its control block, and all that hangs from it.

mod budget;
mod control;
pub mod dictionary;
mod extras;
mod growth;
mod label;
mod memory;
mod messages;
mod rare;
pub(in crate::process) mod relations;

pub use budget::{bump_reductions, is_in_destructor, yield_now};
pub(in crate::process) use budget::{gives_way, leave_destructor, stops};
pub(crate) use control::{Body, Control, NewProcess, Running};
pub(in crate::process) use control::{Site, SlotRef};
pub use label::set_label;
