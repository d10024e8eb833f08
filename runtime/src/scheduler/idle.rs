//! The workers that sleep, and the choice of the worker to wake.
//!
//! An awake worker that looks for work is *searching*. While a worker is searching, no other needs
//! to be woken: the searching worker finds whatever is queued, and then wakes the next. Two orders
//! ensure that no work is left while all workers sleep. A thread that queues work looks for
//! sleepers *after* it has queued the work. A worker that goes to sleep looks at the queues once
//! more *after* it has announced its sleep. A sequentially consistent fence between the two steps
//! on both sides ensures that at least one of them sees the other.

use std::sync::Arc;

use super::seat::Seat;
use crate::sync::{AtomicUsize, Mutex, Ordering, fence};

pub(super) struct Idle {
    sleepers: Mutex<Vec<Arc<Seat>>>,
    /// The length of `sleepers`, which can be read without the lock.
    sleeping: AtomicUsize,
    searching: AtomicUsize,
}

impl Default for Idle {
    fn default() -> Self {
        Idle {
            sleepers: Mutex::default(),
            sleeping: AtomicUsize::new(0),
            searching: AtomicUsize::new(0),
        }
    }
}

impl Idle {
    pub(super) fn sleeping(&self) -> usize {
        self.sleeping.load(Ordering::Relaxed)
    }

    pub(super) fn searching(&self) -> usize {
        self.searching.load(Ordering::Relaxed)
    }

    /// Returns whether a worker sleeps and no worker is searching, at a glance.
    pub(super) fn may_take(&self) -> bool {
        self.searching() == 0 && self.sleeping() > 0
    }

    /// Returns the worker to wake for work that was just queued. It counts as searching.
    pub(super) fn take_for_work(&self) -> Option<Arc<Seat>> {
        fence(Ordering::SeqCst);
        if !self.may_take() {
            return None;
        }
        let mut sleepers = self.sleepers.lock();
        let seat = sleepers.pop()?;
        self.sleeping.store(sleepers.len(), Ordering::Relaxed);
        self.searching.fetch_add(1, Ordering::SeqCst);
        Some(seat)
    }

    /// Records that an awake worker begins to search.
    pub(super) fn begin_search(&self) {
        self.searching.fetch_add(1, Ordering::SeqCst);
    }

    /// Records that a worker stops searching. Returns whether it was the last one.
    pub(super) fn end_search(&self) -> bool {
        self.searching.fetch_sub(1, Ordering::SeqCst) == 1
    }

    /// Records that a worker is about to sleep. The worker must then look at the queues once more.
    pub(super) fn enter(&self, seat: &Arc<Seat>) {
        let mut sleepers = self.sleepers.lock();
        sleepers.push(seat.clone());
        self.sleeping.store(sleepers.len(), Ordering::Relaxed);
        drop(sleepers);
        fence(Ordering::SeqCst);
    }

    /// Records that a worker is awake. Returns false if `take_for_work` had taken it, so that it
    /// already counts as searching.
    pub(super) fn leave(&self, seat: &Arc<Seat>) -> bool {
        let mut sleepers = self.sleepers.lock();
        let at = sleepers.iter().position(|sleeper| Arc::ptr_eq(sleeper, seat));
        let Some(at) = at else { return false };
        sleepers.swap_remove(at);
        self.sleeping.store(sleepers.len(), Ordering::Relaxed);
        true
    }
}
