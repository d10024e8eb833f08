//! The timer that the waits of a process share; see `wait::within`, which starts it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Wake, Waker};

/// The state of the timer: twice the number of times that it has fired, plus one while it runs.
#[derive(Debug)]
pub(in crate::process) struct Tick {
    state: AtomicU64,
    process: Waker,
}

/// How often a tick had fired.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::process) struct Round(u64);

impl Tick {
    pub(in crate::process) fn new(process: Waker) -> Tick {
        Tick { state: AtomicU64::new(0), process }
    }

    /// Returns whether its timer runs.
    pub(in crate::process) fn runs(&self) -> bool {
        self.state.load(Ordering::Acquire) & 1 == 1
    }

    /// Returns how often it has fired.
    pub(in crate::process) fn round(&self) -> Round {
        Round(self.state.load(Ordering::Acquire) / 2)
    }

    /// Notes that its timer is about to start. Only its process calls this, while it does not run.
    pub(in crate::process) fn start(&self) {
        self.state.fetch_or(1, Ordering::Relaxed);
    }
}

/// The timer fires.
impl Wake for Tick {
    fn wake(self: Arc<Self>) {
        self.state.fetch_add(1, Ordering::Release);
        self.process.wake_by_ref();
    }
}
