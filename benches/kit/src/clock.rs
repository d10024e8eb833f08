//! The clock. A benchmark measures real time, so this file asks the operating system.

use std::time::{Duration, Instant, SystemTime};

/// A clock that starts when it is created.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

#[allow(clippy::disallowed_methods, reason = "benchmarks measure real time")]
impl Clock {
    /// Starts a clock.
    #[must_use]
    pub fn start() -> Clock {
        Clock(Instant::now())
    }

    /// Returns the time since the start.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }

    /// Returns the time since the start in nanoseconds.
    #[must_use]
    pub fn ns(self) -> u64 {
        u64::try_from(self.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// Blocks this thread, for cases without an event to wait for, such as memory that settles.
#[allow(clippy::disallowed_methods, reason = "there is no event to wait for")]
pub fn block_ms(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

/// Returns milliseconds since 1970, from the clock that all OS processes share.
#[must_use]
#[allow(clippy::disallowed_methods, reason = "several OS processes start at the same time by it")]
pub fn epoch_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
