//! What is said when a simulation has not gone as it should.

use std::fmt;
use std::time::Duration;

/// Why a simulation failed, when, and how to see it again.
pub struct Failure {
    /// The seed of the simulation.
    pub seed: u64,
    /// When it was, in simulated time.
    pub at: Duration,
    /// What went wrong.
    pub why: String,
    /// What the seed led to: the network's quality and the faults.
    pub options: String,
    /// The last that happened, where the simulation kept a log.
    pub log: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.log {
            writeln!(f, "{line}")?;
        }
        writeln!(f, "seed {} failed after {:?}: {}", self.seed, self.at, self.why)?;
        writeln!(f, "  {}", self.options)?;
        write!(f, "  to see it again: {}", replay(self.seed))
    }
}

/// As it is displayed: a test that returns it prints this.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{self}")
    }
}

impl std::error::Error for Failure {}

/// The command that runs a seed again, with its log.
pub(crate) fn replay(seed: u64) -> String {
    let test = std::thread::current().name().filter(|name| *name != "main").map(str::to_owned);
    let what = match test {
        Some(test) => format!("cargo test {test} -- --nocapture"),
        None => std::env::args().collect::<Vec<_>>().join(" "),
    };
    format!("FIKA_SIM_SEED={seed} {what}")
}
