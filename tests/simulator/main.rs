//! What the simulator itself promises: that a seed gives the same run again, what a fault does, and
//! what a report shows. The scenarios that are run by seed are in `tests/sim`.

mod determinism;
mod faults;
mod reports;
