//! Where the task that a worker runs was spawned, for the monitor's reports.

use std::panic::Location;

use crossbeam_utils::atomic::AtomicCell;

/// A place in the source code that the worker writes and other threads read. It is one word, so
/// neither side takes a lock.
#[derive(Default)]
pub(crate) struct Origin(AtomicCell<Option<&'static Location<'static>>>);

impl Origin {
    pub(crate) fn set(&self, location: &'static Location<'static>) {
        self.0.store(Some(location));
    }

    pub(super) fn get(&self) -> Option<&'static Location<'static>> {
        self.0.load()
    }
}

#[cfg(test)]
const _: () = assert!(AtomicCell::<Option<&'static Location<'static>>>::is_lock_free());
