//! What becomes of a panic, and how a process leaves its code.

mod panic;

pub(crate) use panic::install_panic_hook;
pub(in crate::process) use panic::{__rust_begin_short_backtrace, Raised, reason_of};
