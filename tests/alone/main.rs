//! Tests that measure or count properties of the whole operating system process: its heap, its
//! threads, its panics. They run one at a time, whatever the number of test threads, and share the
//! allocator that counts.
#![allow(unsafe_code, reason = "an allocator that counts")]

#[path = "../../net/fuzz/counting.rs"]
mod counting;
#[macro_use]
#[path = "../support/mod.rs"]
mod support;
#[allow(dead_code, reason = "other test binaries use the rest")]
#[path = "../support/wait.rs"]
mod wait;

mod fuzz_corpus;
mod half_open;
mod leaks;
mod lookups;
mod members;
mod overload;
mod siege;
mod slow_peer;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Waits until no other test of this binary runs. Each test holds the guard until it ends.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
