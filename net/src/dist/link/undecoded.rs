//! Counts of the values that did not decode at either end of a connection.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use fika_runtime::{LogRate, Undecodable};
use parking_lot::Mutex;

/// The counts of a connection.
#[derive(Default)]
pub(crate) struct Undecoded {
    here: AtomicU64,
    there: AtomicU64,
    /// Limits how often the peer is told, since it may send any number of such values.
    pub(crate) told: LogRate,
    pub(crate) untold: Mutex<Untold>,
}

/// The values of which the peer has not been told yet.
#[derive(Default)]
pub(crate) struct Untold {
    pub(crate) count: u64,
    pub(crate) last: Option<Undecodable>,
}

impl Undecoded {
    /// Returns how many values did not decode here, and at the peer.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.here.load(Relaxed), self.there.load(Relaxed))
    }

    /// Counts a value of the peer that did not decode here.
    pub(crate) fn count_here(&self, lost: &Undecodable) {
        self.here.fetch_add(1, Relaxed);
        let mut untold = self.untold.lock();
        untold.count += 1;
        untold.last = Some(lost.clone());
    }

    /// Counts values of this node that did not decode at the peer: one, and so many more.
    pub(crate) fn count_there(&self, more: u64) {
        let _ = self.there.fetch_update(Relaxed, Relaxed, |count| {
            Some(count.saturating_add(1).saturating_add(more))
        });
    }
}
