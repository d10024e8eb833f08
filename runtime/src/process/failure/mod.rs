//! Panics: how they are printed and contained; and the ways in which a process leaves its code.

mod contain;
mod leave;
mod panic;

pub use self::contain::contain_call;
pub(crate) use self::contain::{catch, contain, drop_each};
pub(in crate::process) use self::leave::{leave, raise, refuse};
pub(crate) use self::panic::install_panic_hook;
pub(in crate::process) use self::panic::{__rust_begin_short_backtrace, reason_of};
