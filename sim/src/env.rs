//! What a simulated node knows of time and chance.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use fika_runtime::{Env, Time};
use parking_lot::Mutex;

use crate::random::Random;

/// The first moment of every simulation: 2026-01-01.
const EPOCH: Duration = Duration::from_secs(1_767_225_600);

/// The time since the simulation began, in nanoseconds. All nodes share it.
#[derive(Debug, Default)]
pub(crate) struct Clock(AtomicU64);

impl Clock {
    pub(crate) fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Never back.
    pub(crate) fn advance_to(&self, time: u64) {
        self.0.fetch_max(time, Ordering::Relaxed);
    }
}

/// The clock and the random source of one life of a node.
#[derive(Debug)]
pub(crate) struct NodeEnv {
    clock: Arc<Clock>,
    /// What the node's clock is ahead of the others.
    ahead: AtomicU64,
    random: Mutex<Random>,
}

impl NodeEnv {
    pub(crate) fn new(clock: Arc<Clock>, ahead: Duration, random: Random) -> NodeEnv {
        let ahead = AtomicU64::new(ahead.as_nanos() as u64);
        NodeEnv { clock, ahead, random: Mutex::new(random) }
    }

    /// The node's clock jumps ahead, as after a sleep of its machine.
    pub(crate) fn jump(&self, by: Duration) {
        self.ahead.fetch_add(by.as_nanos() as u64, Ordering::Relaxed);
    }
}

impl Env for NodeEnv {
    fn now(&self) -> Time {
        let now = self.clock.now() + self.ahead.load(Ordering::Relaxed);
        Time::new(Duration::from_nanos(now))
    }

    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + EPOCH + self.now().since_start()
    }

    fn random(&self) -> u64 {
        self.random.lock().next()
    }

    fn secure_random(&self, bytes: &mut [u8]) {
        self.random.lock().fill(bytes);
    }
}
