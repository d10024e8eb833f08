//! Pauses before the restarts of one child: [`Backoff`].
//!
//! A supervisor of OTP restarts a child at once, and this is the default here, too. But a child
//! that can't start because a service that it needs is down then uses up its supervisor's intensity
//! at once. With pauses, the tree survives until the service is back.

use std::time::Duration;

use fika_runtime::Time;

/// Pauses before the restarts of a child. Each failure doubles the pause, up to the longest one.
/// During a pause, the child is listed as [`Restarting`](crate::supervisor::ChildState::Restarting). OTP has no
/// equivalent: it restarts a child at once.
///
/// ```
/// use fika::prelude::*;
/// use fika::supervisor::{Backoff, ChildSpec};
/// # async fn connect() { std::future::pending().await }
///
/// // Pauses of 0.1, 0.2, 0.4 s and so on, up to 30 s, of which up to a half is random.
/// let pauses = Backoff::exponential(millis(100), secs(30)).jitter(0.5).reset_after(secs(60));
/// let client = ChildSpec::new("client", || async { spawn_link(connect()) }).backoff(pauses);
/// # let _ = client;
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
#[must_use = "it does nothing by itself"]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    jitter: f64,
    quiet: Duration,
}

impl Backoff {
    /// Returns pauses from `first` to `longest`. A fifth of each pause is random. After a child has
    /// run for twice the longest pause, its next pause is the first one again.
    pub fn exponential(first: Duration, longest: Duration) -> Backoff {
        Backoff { first, longest, jitter: 0.2, quiet: longest.saturating_mul(2) }
    }

    /// Sets the random part of each pause, from 0 to 1, so that children that fail together are not
    /// restarted together. With 0.5, a pause of 10 s becomes one between 5 s and 10 s. A smaller or
    /// larger part counts as 0 or 1.
    pub fn jitter(mut self, part: f64) -> Backoff {
        self.jitter = part.clamp(0.0, 1.0);
        self
    }

    /// Sets how long a child has to run until its next pause is the first one again.
    pub fn reset_after(mut self, quiet: Duration) -> Backoff {
        self.quiet = quiet;
        self
    }

    /// Returns the pause after this many failures in a row; `random` is 64 random bits.
    fn pause(&self, failures: u32, random: u64) -> Duration {
        let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
        let most = self.first.saturating_mul(doubled).min(self.longest);
        let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
        // `jitter` is at most 1, so this is at most `nanos`.
        let random_nanos = (nanos as f64 * self.jitter) as u64;
        let less = ((u128::from(random_nanos.min(nanos)) * u128::from(random)) >> 64) as u64;
        Duration::from_nanos(nanos - less)
    }
}

/// The failures of a child that has a backoff.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failures {
    backoff: Backoff,
    count: u32,
    /// When the child was last started.
    started: Option<Time>,
}

impl Failures {
    pub(crate) fn new(backoff: Backoff) -> Failures {
        Failures { backoff, count: 0, started: None }
    }

    pub(crate) fn started(&mut self, now: Time) {
        self.started = Some(now);
    }

    /// Counts a failure, and returns how long to wait before the next start.
    pub(crate) fn failed(&mut self, now: Time, random: u64) -> Duration {
        let ran = self.started.take().map(|started| now.since(started));
        if ran.is_some_and(|ran| ran >= self.backoff.quiet) {
            self.count = 0;
        }
        self.count = self.count.saturating_add(1);
        self.backoff.pause(self.count, random)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn at(ms: u64) -> Time {
        Time::new(MS(ms))
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let backoff = Backoff::exponential(MS(100), MS(1000)).jitter(0.0);
        let pauses = [1, 2, 3, 4, 5, 6, u32::MAX].map(|failures| backoff.pause(failures, 7));
        assert_eq!(pauses, [100, 200, 400, 800, 1000, 1000, 1000].map(MS));
        assert_eq!(
            Backoff { longest: Duration::MAX, first: Duration::MAX, ..backoff }.pause(9, 1),
            Duration::from_nanos(u64::MAX)
        );
    }

    #[test]
    fn the_jitter_is_the_random_part() {
        let pause = |jitter, random| {
            Backoff::exponential(MS(100), MS(1000)).jitter(jitter).pause(1, random).as_secs_f64()
        };
        for (jitter, random, expected) in [
            (0.5, 0, 0.1),
            (0.5, u64::MAX, 0.05),
            (0.5, 1 << 63, 0.075),
            (1.0, u64::MAX, 0.0),
            (9.0, 1 << 63, 0.05),
        ] {
            assert!((pause(jitter, random) - expected).abs() < 1e-6, "{jitter} {random}");
        }
    }

    #[test]
    fn a_quiet_period_resets_the_pause() {
        let backoff = Backoff::exponential(MS(100), MS(1000)).jitter(0.0).reset_after(MS(5000));
        let mut failures = Failures::new(backoff);
        failures.started(at(0));
        assert_eq!(failures.failed(at(10), 0), MS(100));
        failures.started(at(110));
        assert_eq!(failures.failed(at(5109), 0), MS(200));
        failures.started(at(6000));
        assert_eq!(failures.failed(at(11_000), 0), MS(100));
        // A child whose start failed has not run.
        assert_eq!(failures.failed(at(60_000), 0), MS(200));
    }
}
