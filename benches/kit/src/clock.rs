//! The clock: a benchmark measures real time, so this asks the operating system.

use std::time::{Duration, Instant, SystemTime};

/// A clock that starts when it is made.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

#[allow(clippy::disallowed_methods, reason = "what is measured is the machine's time")]
impl Clock {
    /// Starts it.
    #[must_use]
    pub fn start() -> Clock {
        Clock(Instant::now())
    }

    /// How long it has run.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }

    /// How many nanoseconds it has run.
    #[must_use]
    pub fn ns(self) -> u64 {
        u64::try_from(self.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// Stops this thread for so long, where nothing can be waited for: memory that settles.
#[allow(clippy::disallowed_methods, reason = "what is waited for has no event")]
pub fn block_ms(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

/// Milliseconds since 1970: the one clock that OS processes share.
#[must_use]
#[allow(clippy::disallowed_methods, reason = "several OS processes start at the same time by it")]
pub fn epoch_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
