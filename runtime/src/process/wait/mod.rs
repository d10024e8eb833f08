//! Futures that wait without the mailbox.

mod sleep;
mod waiting;

pub(crate) use sleep::Blocking;
pub use sleep::{Elapsed, Sleep, SpawnBlocking, run_lookup, sleep, spawn_blocking, timeout};
pub use waiting::{Ended, Waiting};
