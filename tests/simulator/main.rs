//! The promises of the simulator itself: a seed gives the same run again, each fault has its
//! effect, and a report shows what happened. The scenarios that are run by seed are in `tests/sim`.

mod determinism;
mod faults;
mod reports;
