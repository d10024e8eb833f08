//! The timer wheel: data structures that use no clock and no process.

mod chunks;
mod owners;
mod wheel;

pub(crate) use owners::Owners;
pub(crate) use wheel::{Key, TICKS_MAX, Wheel};
