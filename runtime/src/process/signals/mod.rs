//! The effect of signals on the process that receives them. The process runs this code itself.

mod handle;
mod in_call;
mod request;
mod suspended;
mod told;

pub(in crate::process) use self::told::info;
