//! The common part of all programs that run a workload, those of fika and those of the other
//! systems: reading parameters, measuring, and printing figures.
//!
//! A program runs one workload once and ends:
//!
//! ```text
//! PROGRAM local.pingpong n=1000000
//! ```
//!
//! It prints JSON, one object per line:
//!
//! | line | meaning |
//! |---|---|
//! | `{"metric": "ns_per_hop", "value": 58.1}` | a figure |
//! | `{"latency": "round_trip", "ns": [..]}` | all single times, from which fika-bench computes percentiles |
//! | `{"metric": "us_by_ref", "cannot": ".."}` | this system can't provide this figure |
//! | `{"cannot": ".."}` | the system has nothing that does this workload |
//! | `{"failed": ".."}` | the system can do the workload, but this run failed |
//! | `{"hung": ".."}` | this run hung, and others would, too: it is not run again |
//!
//! fika-bench measures the CPU time and peak memory of the whole program from outside.

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

/// The allocator of all Rust programs here, those of fika and of the other systems. With message
/// passing, one thread allocates what another frees, which is slow with the C library's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
