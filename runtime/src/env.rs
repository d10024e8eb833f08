//! The time and the randomness of a node.
//!
//! No other part of fika asks the operating system for them. So a simulated node sees a simulated
//! clock and a seeded sequence.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// A point on a node's monotonic clock: the time since some fixed start.
///
/// ```
/// # use std::time::Duration;
/// use fika_runtime::Time;
///
/// let start = Time::new(Duration::from_secs(5));
/// let later = start + Duration::from_millis(300);
/// assert_eq!(later.since(start), Duration::from_millis(300));
/// assert_eq!(start.since(later), Duration::ZERO);
/// assert_eq!(later.since_start(), Duration::from_millis(5300));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct Time(Duration);

impl Time {
    /// Returns the point in time `since_start` after the clock's start.
    #[must_use]
    pub const fn new(since_start: Duration) -> Time {
        Time(since_start)
    }

    /// Returns the time since the clock's start.
    #[must_use]
    pub const fn since_start(self) -> Duration {
        self.0
    }

    /// Returns the time that has passed since `earlier`. Zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Time) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl std::ops::Add<Duration> for Time {
    type Output = Time;

    fn add(self, by: Duration) -> Time {
        Time(self.0.saturating_add(by))
    }
}

/// The clock and the random source of a node.
///
/// ```
/// use std::sync::Arc;
/// use std::time::SystemTime;
/// use fika_runtime::{Env, Node, SystemEnv, Time};
///
/// /// The system's clock, with the same random numbers in each run.
/// struct Repeatable(SystemEnv);
///
/// impl Env for Repeatable {
///     fn now(&self) -> Time {
///         self.0.now()
///     }
///     fn wall(&self) -> SystemTime {
///         self.0.wall()
///     }
///     fn random(&self) -> u64 {
///         4
///     }
///     fn secure_random(&self, bytes: &mut [u8]) {
///         self.0.secure_random(bytes);
///     }
/// }
///
/// let node = Node::builder().env(Arc::new(Repeatable(SystemEnv::new()))).build()?;
/// # node.stop();
/// # Ok::<(), fika_runtime::BuildError>(())
/// ```
pub trait Env: Send + Sync + 'static {
    /// Returns the time of the monotonic clock.
    fn now(&self) -> Time;

    /// Returns the time of day.
    fn wall(&self) -> SystemTime;

    /// Returns a random number, which may be guessable.
    fn random(&self) -> u64;

    /// Fills `bytes` with random bytes that can't be guessed. [`SystemEnv`] panics if the operating
    /// system no longer provides any. This ends the process that makes or accepts a connection.
    fn secure_random(&self, bytes: &mut [u8]);
}

/// The clock and the random source of the operating system.
///
/// ```
/// use fika_runtime::{Env, SystemEnv};
///
/// let env = SystemEnv::new();
/// let before = env.now();
/// assert!(env.now() >= before);
/// ```
#[derive(Debug)]
pub struct SystemEnv {
    start: Instant,
    /// The state of a SplitMix64 sequence (Steele, Lea and Flood, "Fast Splittable
    /// Pseudorandom Number Generators", 2014).
    state: AtomicU64,
}

impl SystemEnv {
    /// Returns a clock that starts now, and a sequence with a random seed.
    ///
    /// # Panics
    /// If the operating system gives no random bytes. [`try_new`](SystemEnv::try_new) returns an
    /// error instead.
    #[must_use]
    pub fn new() -> SystemEnv {
        SystemEnv::try_new().expect("the operating system has a random source")
    }

    /// Returns a clock that starts now, and a sequence with a random seed.
    ///
    /// ```
    /// use fika_runtime::{Env, SystemEnv};
    ///
    /// let env = SystemEnv::try_new()?;
    /// let dice = env.random() % 6 + 1;
    /// println!("{dice} at {:?}", env.wall());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the operating system gives no random bytes.
    #[allow(clippy::disallowed_methods, reason = "this is where they come from")]
    pub fn try_new() -> io::Result<SystemEnv> {
        SystemEnv::seeded(|seed| getrandom::fill(seed).map_err(io::Error::from))
    }

    fn seeded(fill: impl FnOnce(&mut [u8]) -> io::Result<()>) -> io::Result<SystemEnv> {
        let mut seed = [0; 8];
        fill(&mut seed)?;
        let env = SystemEnv::unseeded();
        env.state.store(u64::from_le_bytes(seed), Ordering::Relaxed);
        Ok(env)
    }

    /// Returns a clock whose random numbers are always the same, for code that only needs the time.
    #[allow(clippy::disallowed_methods, reason = "this is where it comes from")]
    pub(crate) fn unseeded() -> SystemEnv {
        SystemEnv { start: Instant::now(), state: AtomicU64::new(0) }
    }
}

impl Default for SystemEnv {
    fn default() -> SystemEnv {
        SystemEnv::new()
    }
}

#[allow(clippy::disallowed_methods, reason = "this is where they come from")]
impl Env for SystemEnv {
    fn now(&self) -> Time {
        Time(self.start.elapsed())
    }

    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    fn random(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn secure_random(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system has a random source");
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn a_system_without_random_bytes_is_an_error() {
        let error = SystemEnv::seeded(|_| Err(io::ErrorKind::Unsupported.into())).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
        let [one, other] = [7, 8].map(|byte| {
            let env = SystemEnv::seeded(|seed| {
                seed.fill(byte);
                Ok(())
            });
            env.unwrap().random()
        });
        assert_ne!(one, other, "the seed counts");
    }
}
