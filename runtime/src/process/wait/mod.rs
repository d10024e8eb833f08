//! Futures that wait for something other than a message. A process may wait for several at a time.

mod blocking;
mod sleep;
mod waiting;
mod within;

pub(crate) use self::blocking::Blocking;
pub use self::blocking::{SpawnBlocking, run_lookup, spawn_blocking};
pub use self::sleep::{Elapsed, Sleep, sleep, timeout};
pub use self::waiting::Waiting;
pub use self::within::Within;
