//! Chapters on topics that concern more than one function.
//!
//! - [`back_pressure`]: what happens if a sender is faster than its receiver.

pub mod back_pressure;
