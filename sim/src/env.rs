//! The clocks and random numbers of a simulated node.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use fika_runtime::{Env, Time};
use parking_lot::Mutex;

use crate::random::Random;

/// The wall time at which every simulation starts: 2026-01-01.
const EPOCH: Duration = Duration::from_secs(1_767_225_600);

/// The time since the simulation began, in nanoseconds. All nodes share it.
#[derive(Debug, Default)]
pub(crate) struct Clock(AtomicU64);

impl Clock {
    pub(crate) fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Moves the clock forward to `time`, never back.
    pub(crate) fn advance_to(&self, time: u64) {
        self.0.fetch_max(time, Ordering::Relaxed);
    }
}

/// The errors of a node's clocks, in all of its lives.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Wrong {
    /// How far both clocks are ahead of the simulation's.
    pub(crate) ahead: Duration,
    /// Parts per million by which the clocks are too fast, or too slow if negative.
    pub(crate) drift_ppm: i32,
    /// Nanoseconds that were added to the wall clock.
    pub(crate) wall_ns: i64,
}

impl Wrong {
    /// Returns the time of the node's clock when the simulation's clock is at `now`.
    fn time(self, now: u64) -> Duration {
        let gained = i128::from(now) * i128::from(self.drift_ppm) / 1_000_000;
        let shown = i128::from(now) + gained;
        Duration::from_nanos(u64::try_from(shown).unwrap_or(0)) + self.ahead
    }

    /// Returns the simulated time until the node's clock has advanced by `by`.
    pub(crate) fn until(self, by: Duration) -> u64 {
        let pace = u128::try_from(1_000_000 + i64::from(self.drift_ppm)).unwrap_or(1).max(1);
        let time = (by.as_nanos() * 1_000_000).div_ceil(pace);
        u64::try_from(time).unwrap_or(u64::MAX)
    }

    fn wall(self, now: u64) -> SystemTime {
        let shown = SystemTime::UNIX_EPOCH + EPOCH + self.time(now);
        let by = Duration::from_nanos(self.wall_ns.unsigned_abs());
        if self.wall_ns < 0 { shown - by } else { shown + by }
    }

    /// Sets the wall clock.
    pub(crate) fn set_wall(&mut self, now: u64, to: SystemTime) {
        self.wall_ns = 0;
        let ns = |by: Duration| i64::try_from(by.as_nanos()).unwrap_or(i64::MAX);
        self.wall_ns = match to.duration_since(self.wall(now)) {
            Ok(ahead) => ns(ahead),
            Err(behind) => -ns(behind.duration()),
        };
    }
}

/// The clock and the random source of one life of a node.
#[derive(Debug)]
pub(crate) struct NodeEnv {
    clock: Arc<Clock>,
    wrong: Mutex<Wrong>,
    random: Mutex<Random>,
}

impl NodeEnv {
    pub(crate) fn new(clock: Arc<Clock>, wrong: Wrong, random: Random) -> NodeEnv {
        NodeEnv { clock, wrong: Mutex::new(wrong), random: Mutex::new(random) }
    }

    pub(crate) fn set_wrong(&self, wrong: Wrong) {
        *self.wrong.lock() = wrong;
    }

    /// Returns the simulated time until the node's clock has advanced by `by`.
    pub(crate) fn until(&self, by: Duration) -> u64 {
        self.wrong.lock().until(by)
    }
}

impl Env for NodeEnv {
    fn now(&self) -> Time {
        Time::new(self.wrong.lock().time(self.clock.now()))
    }

    fn wall(&self) -> SystemTime {
        self.wrong.lock().wall(self.clock.now())
    }

    fn random(&self) -> u64 {
        self.random.lock().next()
    }

    fn secure_random(&self, bytes: &mut [u8]) {
        self.random.lock().fill(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_on_a_drifting_clock_ends_in_time() {
        for drift_ppm in [-500, -1, 0, 1, 500, 100_000] {
            let wrong = Wrong { drift_ppm, ..Wrong::default() };
            for (now, ns) in [(0, 1), (7, 999_999), (1_234_567_891, 1_000_000_007), (3, 1 << 40)] {
                let by = Duration::from_nanos(ns);
                let later = wrong.time(now + wrong.until(by) + 1);
                let gone = later - wrong.time(now);
                assert!(gone >= by && gone <= by + Duration::from_nanos(3), "{drift_ppm} {gone:?}");
            }
        }
    }

    #[test]
    fn the_wall_clock_is_set_forward_and_back() {
        let mut wrong = Wrong { ahead: Duration::from_secs(5), ..Wrong::default() };
        for to in [Duration::ZERO, EPOCH, EPOCH + Duration::from_secs(10)] {
            wrong.set_wall(1_000, SystemTime::UNIX_EPOCH + to);
            assert_eq!(wrong.wall(1_000), SystemTime::UNIX_EPOCH + to);
            assert_eq!(wrong.time(1_000), Duration::new(5, 1_000));
        }
    }
}
