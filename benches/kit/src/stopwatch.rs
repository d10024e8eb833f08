//! Wall and CPU time of a stretch of work.

use std::time::Duration;

use crate::clock::Clock;
use crate::usage::{cpu, cpu_of};

/// Measures from its start to its stop.
#[derive(Debug)]
pub struct Stopwatch {
    clock: Clock,
    cpu: Duration,
    peers: Vec<u32>,
}

/// What a stretch of work took.
#[derive(Clone, Copy, Debug)]
pub struct Elapsed {
    /// Time on the wall.
    pub wall: Duration,
    /// CPU time, of all OS processes that were named.
    pub cpu: Duration,
}

impl Stopwatch {
    /// Starts, for this OS process alone.
    #[must_use]
    pub fn start() -> Stopwatch {
        Stopwatch::start_with(&[])
    }

    /// Starts; the CPU time is this OS process's and that of these others.
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
    /// Nanoseconds for each of `n`.
    #[must_use]
    pub fn ns_each(self, n: u64) -> f64 {
        self.wall.as_secs_f64() * 1e9 / n as f64
    }

    /// How many of `n` in a second.
    #[must_use]
    pub fn per_s(self, n: u64) -> f64 {
        n as f64 / self.wall.as_secs_f64()
    }

    /// Milliseconds for all.
    #[must_use]
    pub fn ms(self) -> f64 {
        self.wall.as_secs_f64() * 1e3
    }

    /// Microseconds of CPU time for each of `n`.
    #[must_use]
    pub fn cpu_us_each(self, n: u64) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / n as f64
    }
}
