//! Measures wall time and CPU time.

use std::time::Duration;

use crate::clock::Clock;
use crate::usage::{cpu, cpu_of};

/// Measures the time from its start to its stop.
#[derive(Debug)]
pub struct Stopwatch {
    clock: Clock,
    cpu: Duration,
    peers: Vec<u32>,
}

/// The time between start and stop.
#[derive(Clone, Copy, Debug)]
pub struct Elapsed {
    /// Wall time.
    pub wall: Duration,
    /// CPU time of all OS processes that were named.
    pub cpu: Duration,
}

impl Stopwatch {
    /// Starts, for this OS process alone.
    #[must_use]
    pub fn start() -> Stopwatch {
        Stopwatch::start_with(&[])
    }

    /// Starts. The CPU time includes this OS process and `peers`.
    #[must_use]
    pub fn start_with(peers: &[u32]) -> Stopwatch {
        let peers = peers.to_vec();
        let cpu = total(&peers);
        Stopwatch { clock: Clock::start(), cpu, peers }
    }

    /// Stops.
    #[must_use]
    pub fn stop(self) -> Elapsed {
        let wall = self.clock.elapsed();
        Elapsed { wall, cpu: total(&self.peers).saturating_sub(self.cpu) }
    }
}

fn total(peers: &[u32]) -> Duration {
    peers.iter().copied().map(cpu_of).fold(cpu(), |sum, cpu| sum + cpu)
}

impl Elapsed {
    /// Returns nanoseconds per operation, of `n` operations.
    #[must_use]
    pub fn ns_each(self, n: u64) -> f64 {
        self.wall.as_secs_f64() * 1e9 / n as f64
    }

    /// Returns operations per second, of `n` operations.
    #[must_use]
    pub fn per_s(self, n: u64) -> f64 {
        n as f64 / self.wall.as_secs_f64()
    }

    /// Returns the wall time in milliseconds.
    #[must_use]
    pub fn ms(self) -> f64 {
        self.wall.as_secs_f64() * 1e3
    }

    /// Returns microseconds of CPU time per operation, of `n` operations.
    #[must_use]
    pub fn cpu_us_each(self, n: u64) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / n as f64
    }
}
