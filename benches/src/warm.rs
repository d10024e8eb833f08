//! Memory that is ready before a run.
//!
//! A virtual machine gives memory that it does not use back to its host, and has to be given it
//! anew, page by page, by whoever touches it next: that takes many times as long as to clear
//! the page. So a program of its own touches more memory than any run needs, and ends.

use std::hint::black_box;

use crate::leash;
use crate::system::this_program;
use crate::workload::Workload;

/// A million processes of the BEAM take less.
const LOCAL_BYTES: u64 = 1536 << 20;
const QUICK_LOCAL_BYTES: u64 = 256 << 20;

/// What a workload may need.
pub(crate) fn bytes_for(workload: &Workload, quick: bool) -> u64 {
    match (workload.is_local(), quick) {
        (true, false) => LOCAL_BYTES,
        (true, true) => QUICK_LOCAL_BYTES,
        (false, _) => 0,
    }
}

/// Has so much memory made ready.
pub(crate) fn memory(bytes: u64) {
    if bytes > 0 {
        // Without it the run is slower, and no less right.
        let _ = leash::output(this_program("warm").arg(bytes.to_string()));
    }
}

/// The program that does it.
pub(crate) fn run(bytes: usize) {
    black_box(vec![1_u8; bytes]);
}
