//! How a worker sleeps: in the driver, or on its own.

use std::time::Duration;

use super::Driver;
use crate::sync::{AtomicU8, Mutex, Ordering, Parker as ThreadParker, Unparker};

const AWAKE: u8 = 0;
const ON_ITS_OWN: u8 = 1;
const IN_DRIVER: u8 = 2;
const UNPARKED: u8 = 3;

/// A worker's place to sleep. An unpark while the worker is awake makes its next park return at
/// once.
pub(super) struct Parker {
    state: AtomicU8,
    thread: Mutex<ThreadParker>,
    unparker: Unparker,
}

impl Default for Parker {
    fn default() -> Self {
        let thread = ThreadParker::new();
        let unparker = thread.unparker().clone();
        Parker { state: AtomicU8::new(AWAKE), thread: Mutex::new(thread), unparker }
    }
}

impl Parker {
    pub(super) fn park(&self) {
        if self.enter(ON_ITS_OWN) {
            self.thread.lock().park();
        }
        self.leave();
    }

    pub(super) fn park_in(&self, driver: &dyn Driver, timeout: Option<Duration>) {
        if self.enter(IN_DRIVER) {
            driver.park(timeout);
        } else {
            driver.park(Some(Duration::ZERO));
        }
        self.leave();
    }

    fn enter(&self, place: u8) -> bool {
        self.state.compare_exchange(AWAKE, place, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    fn leave(&self) {
        self.state.swap(AWAKE, Ordering::AcqRel);
    }

    pub(super) fn unpark(&self, driver: &dyn Driver) {
        match self.state.swap(UNPARKED, Ordering::AcqRel) {
            ON_ITS_OWN => self.unparker.unpark(),
            IN_DRIVER => driver.unpark(),
            _ => {}
        }
    }
}

/// The driver of a node without sockets. It only waits.
pub(crate) struct ThreadDriver {
    thread: Mutex<ThreadParker>,
    unparker: Unparker,
}

impl Default for ThreadDriver {
    fn default() -> Self {
        let thread = ThreadParker::new();
        let unparker = thread.unparker().clone();
        ThreadDriver { thread: Mutex::new(thread), unparker }
    }
}

impl Driver for ThreadDriver {
    fn park(&self, timeout: Option<Duration>) {
        let thread = self.thread.lock();
        match timeout {
            Some(timeout) => thread.park_timeout(timeout),
            None => thread.park(),
        }
    }

    fn unpark(&self) {
        self.unparker.unpark();
    }
}
