//! What all programs that run a workload have in common, fika's own and the other systems'
//! alike: how they read their parameters, measure, and print their figures.
//!
//! A program runs one workload once and ends:
//!
//! ```text
//! PROGRAM local.pingpong n=1000000
//! ```
//!
//! It prints JSON, one object a line:
//!
//! | line | means |
//! |---|---|
//! | `{"metric": "ns_per_hop", "value": 58.1}` | a figure |
//! | `{"latency": "round_trip", "ns": [..]}` | every single time; percentiles are made of them elsewhere |
//! | `{"metric": "us_by_ref", "cannot": ".."}` | this figure can't be had of this system |
//! | `{"cannot": ".."}` | the system has nothing that does this workload |
//! | `{"failed": ".."}` | it has, and it did not work |
//! | `{"hung": ".."}` | it has, and would do so for ever: it is not run again |
//!
//! CPU time and peak memory of the whole are measured from outside, by whoever started it.

#![forbid(unsafe_code)]

mod clock;
mod life;
mod params;
mod peer;
mod report;
mod spin;
mod stopwatch;
mod usage;

pub use clock::{Clock, block_ms, epoch_ms};
pub use life::{die_with_parent, end_group_with_stdin, tie, until_stdin_ends};
pub use params::Params;
pub use peer::{Peer, free_port};
pub use report::{cannot, cannot_metric, failed, hung, latency, metric, not_noticed};
pub use spin::{spin_for, watchdog};
pub use stopwatch::{Elapsed, Stopwatch};
pub use usage::{pss_bytes, rss_bytes, rss_bytes_of};

/// The allocator of all Rust programs here, the other systems' as well as fika's own: message
/// passing allocates on one thread what another frees, which the C library's is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
