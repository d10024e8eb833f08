//! Runs models under loom.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Tries everything that the threads of `check` can do with two preemptions, which is said to find
/// most bugs. `LOOM_MAX_PREEMPTIONS` sets another number.
pub(crate) fn model(check: impl Fn() + Send + Sync + 'static) {
    model_with_preemptions(2, check);
}

/// Runs a model as [`model`] does, with at least this many preemptions.
#[allow(clippy::disallowed_methods, reason = "measures a model, not a node")]
pub(crate) fn model_with_preemptions(least: usize, check: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(builder.preemption_bound.unwrap_or(0).max(least));
    builder.max_branches = 100_000;
    let (begun, executions) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let counts = executions.clone();
    builder.check(move || {
        counts.fetch_add(1, Ordering::Relaxed);
        check();
    });
    let time = begun.elapsed();
    let name = std::thread::current();
    let name = name.name().unwrap_or("a model");
    println!("{name}: {} executions in {time:.1?}", executions.load(Ordering::Relaxed));
}
