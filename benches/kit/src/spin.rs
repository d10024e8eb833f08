//! Work that never yields, and a watchdog for programs that such work blocks.

use std::time::Duration;

use crate::clock::{Clock, block_ms};
use crate::report::hung;

/// Computes for this long without yielding.
pub fn spin_for(time: Duration) {
    let clock = Clock::start();
    let mut x = 1_u64;
    while clock.elapsed() < time {
        for _ in 0..100 {
            x = std::hint::black_box(x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        }
    }
}

/// Ends the program after this time and reports that it hung, even if loops that never yield block
/// its scheduler.
#[allow(clippy::disallowed_methods, reason = "a thread of the benchmark")]
pub fn watchdog(seconds: u64, why: &'static str) {
    std::thread::spawn(move || {
        block_ms(seconds * 1000);
        hung(why);
        std::process::exit(0);
    });
}
