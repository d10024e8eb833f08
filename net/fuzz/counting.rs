//! An allocator that counts, for the fuzz target `payload` and for tests of the memory that a peer
//! can make a node allocate.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, Ordering::Relaxed};

struct Counting;

/// The number of bytes that all threads have allocated and not freed.
static LIVE: AtomicIsize = AtomicIsize::new(0);
/// The maximum of `LIVE` since the last reset.
static PEAK: AtomicIsize = AtomicIsize::new(0);

fn grown(bytes: usize) {
    let live = LIVE.fetch_add(bytes.cast_signed(), Relaxed) + bytes.cast_signed();
    PEAK.fetch_max(live, Relaxed);
}

// SAFETY: every call is passed on to the system's allocator.
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

/// Returns the number of bytes that are allocated now.
#[allow(dead_code, reason = "not all who count need it")]
pub(crate) fn live() -> isize {
    LIVE.load(Relaxed)
}

/// Returns the maximum number of bytes allocated while `work` runs, beyond those allocated before.
#[allow(dead_code, reason = "not all who count need it")]
pub(crate) fn peak_of(work: impl FnOnce()) -> usize {
    let before = LIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    work();
    usize::try_from(PEAK.load(Relaxed) - before).unwrap_or(0)
}
