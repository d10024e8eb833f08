//! The pauses before retries that no process waits for.
//!
//! Exponential back-off with full jitter: each failure doubles the longest pause, and the pause is
//! a random time up to the longest pause. So nodes that fail together do not retry together, and
//! their load falls quickly.
//!
//! Prior art: Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.

use std::time::Duration;

/// The pauses between attempts.
pub(crate) struct Backoff {
    /// The longest pause after the first failure.
    pub(crate) first: Duration,
    /// The longest pause after any failure.
    pub(crate) longest: Duration,
}

impl Backoff {
    /// Returns the pause after `failures` failures in a row. `failures` is at least 1; `random` is
    /// 64 random bits.
    pub(crate) fn pause(&self, failures: u32, random: u64) -> Duration {
        let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
        let most = self.first.saturating_mul(doubled).min(self.longest);
        // The upper half of the product is uniform between 0 and `most`.
        let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(((u128::from(nanos) * u128::from(random)) >> 64) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff =
        Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(120) };

    #[test]
    fn the_longest_pause_doubles() {
        let longest = |failures| BACKOFF.pause(failures, u64::MAX).as_secs_f64().round();
        let seconds: Vec<_> = (1..=9).map(longest).collect();
        assert_eq!(seconds, [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 120.0, 120.0]);
        for failures in [0, 31, 32, 33, 64, u32::MAX] {
            assert!(BACKOFF.pause(failures, u64::MAX) <= BACKOFF.longest, "{failures}");
        }
        let endless = Backoff { first: Duration::MAX, longest: Duration::MAX };
        assert!(endless.pause(u32::MAX, u64::MAX) > Duration::from_secs(1 << 33));
    }

    /// All pauses up to the longest one are equally likely.
    #[test]
    fn the_jitter_is_full() {
        for failures in 1..12 {
            assert_eq!(BACKOFF.pause(failures, 0), Duration::ZERO);
            let most = BACKOFF.pause(failures, u64::MAX).as_secs_f64();
            for part in 1..8_u32 {
                let pause = BACKOFF.pause(failures, u64::from(part) << 61).as_secs_f64();
                assert!((pause / most - f64::from(part) / 8.0).abs() < 1e-6, "{pause}");
            }
        }
    }
}
