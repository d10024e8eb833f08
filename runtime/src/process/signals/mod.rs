//! Handles the signals that a process receives. Each process runs this code itself.

mod handle;
mod in_call;
mod request;
mod suspended;
mod told;

pub(in crate::process) use self::told::info;
