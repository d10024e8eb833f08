//! Memory that is ready before a run.
//!
//! A virtual machine gives memory that it does not use back to its host, and has to be given it
//! anew, page by page, by whoever touches it next: that takes many times as long as to clear
//! the page. So a program of its own touches more memory than any run needs, and ends.

use std::hint::black_box;

use crate::leash;
use crate::system::this_program;

/// A million processes of the BEAM take less.
const BYTES: usize = 1536 << 20;

/// Has memory made ready.
pub(crate) fn memory() {
    // Without it the run is slower, and no less right.
    let _ = leash::output(&this_program("warm"));
}

/// The program that does it.
pub(crate) fn run() {
    black_box(vec![1_u8; BYTES]);
}
