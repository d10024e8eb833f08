//! Time: sleeping, time limits, and messages that arrive later.
//!
//! ```
//! use fika::prelude::*;
//! use fika::time::{Timeout, cancel_timer, start_timer};
//!
//! #[fika::main]
//! async fn main() {
//!     sleep(millis(1)).await;
//!
//!     // At most this long.
//!     let answer = timeout(millis(1), async { receive! { n: u64 => n } }).await;
//!     assert!(answer.is_err());
//!
//!     // A message to this process after a time.
//!     let timer = start_timer(millis(1), self_pid(), "tick".to_owned());
//!     receive! { Timeout::<String> { timer: t, message } if t == timer => assert_eq!(message, "tick") }
//!
//!     let timer = send_after(secs(60), self_pid(), 7_u64);
//!     assert!(cancel_timer(timer).is_some());
//! }
//! ```
//!
//! All of this runs on the clock of the node. In a simulation that clock is simulated, so `sleep`
//! takes no time there.
//!
//! For work that repeats, or that is not a message, see [`timer`](crate::timer). For the time at
//! which a `receive!` gives up, use its `after` arm.

use std::time::Duration;

pub use fika_runtime::{
    CancelTimer, Elapsed, ReadTimer, Sleep, Timeout, TimerRef, cancel_timer, cancel_timer_async,
    cancel_timer_no_info, read_timer, read_timer_async, send_after, send_at, sleep, start_timer,
    start_timer_at, timeout,
};

/// Returns a duration of this many seconds.
///
/// ```
/// assert_eq!(fika::time::secs(2), std::time::Duration::from_secs(2));
/// ```
#[must_use]
pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Returns a duration of this many milliseconds.
///
/// ```
/// assert_eq!(fika::time::millis(2), std::time::Duration::from_millis(2));
/// ```
#[must_use]
pub const fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
