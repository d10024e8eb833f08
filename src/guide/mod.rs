//! Chapters about what concerns more than one function.
//!
//! - [`back_pressure`]: what becomes of a sender that is faster than its receiver.

pub mod back_pressure;
