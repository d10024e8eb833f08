//! Chapters on topics that concern more than one function.
//!
//! - [`requests`]: how to ask a process and wait for its reply.
//! - [`back_pressure`]: what happens if a sender is faster than its receiver.

pub mod back_pressure;
pub mod requests;
