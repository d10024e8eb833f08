//! Makes memory ready before a run.
//!
//! A virtual machine returns unused memory to its host. The next program that touches this memory
//! has to get it from the host page by page, which takes many times as long as clearing a page. So
//! before a run, a separate program touches more memory than the run needs, and ends.

use std::hint::black_box;

use crate::leash;
use crate::system::this_program;
use crate::workload::Workload;

/// More than a million processes of the BEAM take.
const LOCAL_BYTES: u64 = 1536 << 20;
const QUICK_LOCAL_BYTES: u64 = 256 << 20;

/// Returns the memory that a workload may need.
pub(crate) fn bytes_for(workload: &Workload, quick: bool) -> u64 {
    match (workload.is_local(), quick) {
        (true, false) => LOCAL_BYTES,
        (true, true) => QUICK_LOCAL_BYTES,
        (false, _) => 0,
    }
}

/// Makes this much memory ready.
pub(crate) fn memory(bytes: u64) {
    if bytes > 0 {
        // If this fails, the run is slower but still valid.
        let _ = leash::output(this_program("warm").arg(bytes.to_string()));
    }
}

/// Touches the memory, in the separate program.
pub(crate) fn run(bytes: usize) {
    black_box(vec![1_u8; bytes]);
}
