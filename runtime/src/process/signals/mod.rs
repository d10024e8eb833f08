//! What signals do to the process that receives them.

mod handle;
mod request;

pub(in crate::process) use request::Asked;
