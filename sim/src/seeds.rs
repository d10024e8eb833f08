//! Runs one scenario with many seeds.

use crate::failure::Failure;

/// Runs a scenario with each of these seeds. If `FIKA_SIM_SEED` is set, it runs only that seed,
/// with its log. `FIKA_SIM_SEEDS` sets the number of seeds.
///
/// ```no_run
/// # use std::time::Duration;
/// # use fika_sim::{Sim, seeds};
/// seeds(0..500, |seed| {
///     let mut sim = Sim::new(seed);
///     let a = sim.node("a@host1", std::future::pending::<()>);
///     sim.run_until(|sim| sim.is_up(a), Duration::from_secs(1))
/// });
/// ```
///
/// # Panics
/// If a seed fails: with the failure of the first one, at the place of the call.
#[track_caller]
pub fn seeds(range: std::ops::Range<u64>, run: impl Fn(u64) -> Result<(), Failure>) {
    if let Some(failure) = first_failure(range, run) {
        panic!("{failure}");
    }
}

/// Runs a scenario with each of these seeds, as [`seeds`] does, and returns the failure of the
/// first seed that fails.
///
/// ```
/// # use fika_sim::{Sim, first_failure};
/// let scenario = |seed| Sim::new(seed).check(seed != 7, "seven is bad luck");
/// let failure = first_failure(0..100, scenario).expect("a seed fails");
/// assert_eq!(failure.seed, 7);
/// ```
///
/// # Panics
/// If the scenario panics, in which case its simulation prints the seed, or if one of the variables
/// is not a number.
pub fn first_failure(
    range: std::ops::Range<u64>,
    run: impl Fn(u64) -> Result<(), Failure>,
) -> Option<Failure> {
    let number = |name: &str| {
        let text = std::env::var(name).ok()?;
        Some(text.parse::<u64>().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
    };
    let mut range = match (number("FIKA_SIM_SEED"), number("FIKA_SIM_SEEDS")) {
        (Some(seed), _) => return run(seed).err(),
        (None, Some(count)) => range.start..range.start.saturating_add(count),
        (None, None) => range,
    };
    range.find_map(|seed| run(seed).err())
}
