//! A seeded random sequence that never changes between versions.
//!
//! SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014),
//! implemented here so that a seed gives the same run with any version of the dependencies.

use std::ops::RangeInclusive;
use std::time::Duration;

#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        // Small seeds differ in few bits.
        let mut random = Random(seed);
        Random(random.next())
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a sequence of its own, so that the draws of one part do not affect other parts.
    pub(crate) fn fork(&mut self) -> Random {
        Random(self.next())
    }

    /// Returns a number below `n`, which is not 0.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }

    /// Returns true with a probability of `times` in a thousand.
    pub(crate) fn in_1000(&mut self, times: u32) -> bool {
        self.below(1000) < times as usize
    }

    pub(crate) fn within(&mut self, range: &RangeInclusive<Duration>) -> Duration {
        let (from, to) = (range.start().as_nanos() as u64, range.end().as_nanos() as u64);
        let span = to.saturating_sub(from).saturating_add(1);
        Duration::from_nanos(from + ((u128::from(self.next()) * u128::from(span)) >> 64) as u64)
    }

    /// Returns a time within the range whose logarithm is about uniform: most times are short, and
    /// some are very long.
    pub(crate) fn log_within(&mut self, range: &RangeInclusive<Duration>) -> Duration {
        let (from, to) = (range.start().as_nanos().max(1), range.end().as_nanos());
        let doublings = (to / from).max(1).ilog2() as usize;
        let from = from << self.below(doublings + 1);
        let ns = |n: u128| Duration::from_nanos(u64::try_from(n).unwrap_or(u64::MAX));
        self.within(&(ns(from)..=ns((2 * from - 1).min(to).max(from))))
    }

    /// Returns a random element of `these`, which must not be empty.
    pub(crate) fn one_of<T: Clone>(&mut self, these: &[T]) -> T {
        these[self.below(these.len())].clone()
    }

    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let word = self.next().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_a_seed_never_change() {
        let mut random = Random::new(7);
        let first = [random.next(), random.next()];
        assert_eq!(first, [0xb8b4_c297_7eab_ce45, 0xa653_05fd_338e_c8fe]);
        let range = Duration::from_millis(3)..=Duration::from_millis(5);
        for _ in 0..1000 {
            assert!(random.below(3) < 3 && range.contains(&random.within(&range)));
        }
        assert_eq!(random.within(&(range.start().to_owned()..=*range.start())), *range.start());
        let range = Duration::from_micros(1)..=Duration::from_millis(1);
        let all: Vec<_> = (0..9000).map(|_| random.log_within(&range)).collect();
        assert!(all.iter().all(|time| range.contains(time)));
        // From 1 to 1000 there are about ten doublings.
        let short = all.iter().filter(|time| **time < 2 * *range.start()).count();
        let long = all.iter().filter(|time| 4 * **time > *range.end()).count();
        assert!((800..1200).contains(&short) && (1600..2400).contains(&long), "{short} {long}");
        assert!(random.in_1000(1000) && !random.in_1000(0));
    }
}
