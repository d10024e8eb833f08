//! An allocator that counts: for the fuzz target `payload`, and for tests of what a peer can
//! make a node allocate.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, Ordering::Relaxed};

struct Counting;

/// What is allocated, by all threads.
static LIVE: AtomicIsize = AtomicIsize::new(0);
/// The most that was since it was set.
static PEAK: AtomicIsize = AtomicIsize::new(0);

fn grown(bytes: usize) {
    let live = LIVE.fetch_add(bytes.cast_signed(), Relaxed) + bytes.cast_signed();
    PEAK.fetch_max(live, Relaxed);
}

// SAFETY: the system's allocator does it all.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        // SAFETY: the caller's contract is the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size().cast_signed(), Relaxed);
        // SAFETY: the caller's contract is the system's.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static HEAP: Counting = Counting;

/// What is allocated now.
#[allow(dead_code, reason = "not all who count need it")]
pub(crate) fn live() -> isize {
    LIVE.load(Relaxed)
}

/// How much more was allocated while `work` ran than before it, at the most.
#[allow(dead_code, reason = "not all who count need it")]
pub(crate) fn peak_of(work: impl FnOnce()) -> usize {
    let before = LIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    work();
    usize::try_from(PEAK.load(Relaxed) - before).unwrap_or(0)
}
