//! Which workers sleep, and whom to wake.
//!
//! A worker that is awake and looks for work is *searching*. While one is searching
//! nobody needs to be woken: it will find whatever is queued, and when it finds
//! something it wakes the next. Two orders make sure that nothing is left lying about
//! with all asleep: who queues work looks for sleepers *after* it has queued, and who
//! goes to sleep looks at the queues once more *after* it has said so. A sequentially
//! consistent fence between the two steps on both sides makes one of them see the other.

use std::sync::Arc;

use super::seat::Seat;
use crate::sync::{AtomicUsize, Mutex, Ordering, fence};

pub(super) struct Idle {
    sleepers: Mutex<Vec<Arc<Seat>>>,
    /// The length of `sleepers`, to be read without the lock.
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

    /// Whether somebody sleeps and nobody is searching, at a glance.
    pub(super) fn may_take(&self) -> bool {
        self.searching() == 0 && self.sleeping() > 0
    }

    /// After work was queued: whom to wake for it. The worker counts as searching.
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

    /// An awake worker begins to search.
    pub(super) fn begin_search(&self) {
        self.searching.fetch_add(1, Ordering::SeqCst);
    }

    /// A worker stops to search; true if it was the last one that did.
    pub(super) fn end_search(&self) -> bool {
        self.searching.fetch_sub(1, Ordering::SeqCst) == 1
    }

    /// A worker is about to sleep; it must look at the queues once more after this.
    pub(super) fn enter(&self, seat: &Arc<Seat>) {
        let mut sleepers = self.sleepers.lock();
        sleepers.push(seat.clone());
        self.sleeping.store(sleepers.len(), Ordering::Relaxed);
        drop(sleepers);
        fence(Ordering::SeqCst);
    }

    /// A worker is awake. False if `take_for_work` had taken it, so that it counts as
    /// searching already.
    pub(super) fn leave(&self, seat: &Arc<Seat>) -> bool {
        let mut sleepers = self.sleepers.lock();
        let at = sleepers.iter().position(|sleeper| Arc::ptr_eq(sleeper, seat));
        let Some(at) = at else { return false };
        sleepers.swap_remove(at);
        self.sleeping.store(sleepers.len(), Ordering::Relaxed);
        true
    }
}
