//! The state of one process, with its operations.
//!
//! Nothing here sends a signal. The control block (`control`) has what every process has. Few
//! processes have the rest, which is in a separate allocation (`rare`), and still fewer have the
//! `extras` in it. `parts` leads from the control block to them.

mod asker;
mod budget;
mod control;
pub mod dictionary;
mod extras;
mod growth;
mod held_up;
mod label;
mod memory;
mod messages;
mod parts;
mod rare;
pub(in crate::process) mod relations;
mod suspensions;
mod tasks;
mod tick;

pub use self::budget::{bump_reductions, is_in_destructor, yield_now, yield_to_driver};
pub(in crate::process) use self::budget::{gives_way, stops};
pub(crate) use self::control::{Body, Control, NewProcess, Running};
pub(in crate::process) use self::control::{Site, SlotRef};
pub(in crate::process) use self::held_up::WaitsForRoom;
pub use self::label::set_label;
pub(in crate::process) use self::tick::{Round, Tick};
