//! The timer wheel: a data structure that knows no clock and no process.

mod wheel;

pub(crate) use wheel::{Key, Wheel};
