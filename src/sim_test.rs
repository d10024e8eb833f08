//! The functions that run the code of `#[fika::test(sim)]`.

use std::ops::{Bound, RangeBounds};
use std::panic::Location;
use std::process::{ExitCode, Termination};
use std::sync::Arc;
use std::time::Duration;

use fika_sim::{Failure, Sim, seeds};

/// How long a test may take, in its own time.
const LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Runs a test with each of the seeds, as the main process of a simulated node.
#[track_caller]
pub fn run_sim_test<F>(
    which: impl RangeBounds<u64>,
    limit: Option<Duration>,
    test: impl Fn() -> F + Send + Sync + 'static,
) where
    F: Future<Output: Termination + Send> + Send + 'static,
{
    let first = match which.start_bound() {
        Bound::Included(first) => *first,
        Bound::Excluded(before) => before + 1,
        Bound::Unbounded => 0,
    };
    let end = match which.end_bound() {
        Bound::Included(last) => last + 1,
        Bound::Excluded(end) => *end,
        Bound::Unbounded => u64::MAX,
    };
    let (test, at) = (Arc::new(test), Location::caller());
    seeds(first..end, |seed| {
        let mut sim = Sim::new(seed);
        let test = test.clone();
        let run = || {
            let value = sim.run_main("test@localhost", limit.unwrap_or(LIMIT), move || test())?;
            // `report` prints an `Err`.
            let is_good = value.report() == ExitCode::SUCCESS;
            sim.check(is_good, "the test has returned an error")?;
            sim.finish()
        };
        run().map_err(|failure| match failure.location.starts_with(file!()) {
            // The test itself is the scenario, so name its place.
            true => Failure { location: at.to_string().into(), ..failure },
            false => failure,
        })
    });
}
