//! The turns of a process, and its end.

mod crash;
mod exit;
mod run;

pub use exit::contain_call;
pub(crate) use exit::{catch, contain, drop_each, end};
pub(in crate::process) use exit::{end_in_destructor, leave, raise, refuse};
pub(crate) use run::run;
