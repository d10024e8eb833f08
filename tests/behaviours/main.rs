//! Servers and supervisors from outside, where a peer of the network takes part.
#![deny(warnings)]

#[macro_use]
#[path = "../support/mod.rs"]
mod support;

mod hostile;
mod lost;
