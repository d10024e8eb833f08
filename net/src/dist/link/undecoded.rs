//! Counts of the values that either end of a connection could not decode.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use fika_runtime::{LogRate, Undecodable};
use parking_lot::Mutex;

/// The counts of a connection.
#[derive(Default)]
pub(crate) struct Undecoded {
    here: AtomicU64,
    there: AtomicU64,
    /// Limits the rate of reports to the peer, since it may send any number of such values.
    pub(crate) told: LogRate,
    pub(crate) untold: Mutex<Untold>,
}

/// The values that have not been reported to the peer yet.
#[derive(Default)]
pub(crate) struct Untold {
    pub(crate) count: u64,
    pub(crate) last: Option<Undecodable>,
}

impl Undecoded {
    /// Returns the number of values that could not be decoded here, and at the peer.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.here.load(Relaxed), self.there.load(Relaxed))
    }

    /// Counts a value of the peer that could not be decoded here.
    pub(crate) fn count_here(&self, lost: &Undecodable) {
        self.here.fetch_add(1, Relaxed);
        let mut untold = self.untold.lock();
        untold.count += 1;
        untold.last = Some(lost.clone());
    }

    /// Counts values of this node that the peer could not decode: one, and `more` further ones.
    pub(crate) fn count_there(&self, more: u64) {
        let _ = self.there.fetch_update(Relaxed, Relaxed, |count| {
            Some(count.saturating_add(1).saturating_add(more))
        });
    }
}
