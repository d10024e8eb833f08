//! Work that is done later, or again and again (OTP's module `timer`).
//!
//! ```
//! use fika::prelude::*;
//! use fika::timer;
//!
//! #[fika::main]
//! async fn main() -> fika::Result {
//!     let ticks = timer::send_interval(millis(1), self_pid(), 7_u64)?;
//!     for _ in 0..3 {
//!         receive! { n: u64 => assert_eq!(n, 7) }
//!     }
//!     timer::cancel(ticks).await?;
//!
//!     let me = self_pid();
//!     timer::apply_after(millis(1), async move { send(me, "done".to_owned()) })?;
//!     receive! { "done" => {} }
//!     Ok(())
//! }
//! ```
//!
//! Each timer that runs code is a process of its own, so timers do not delay each other, and there
//! is no timer server. A timer does not end with the process that started it, unless its
//! documentation says so. The runs of an interval timer are due at its start plus multiples of the
//! interval: one late run does not make the next one late.
//!
//! For a single message after a time, [`time::send_after`](crate::time::send_after) is cheaper and
//! needs no error handling.

pub use fika_runtime::sleep;
pub use fika_runtime::timer::{
    TRef, TimerError, apply_after, apply_interval, apply_repeatedly, cancel, exit_after,
    kill_after, send_after, send_interval, tc,
};
