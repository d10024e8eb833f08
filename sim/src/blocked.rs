//! Reports blocking calls. A simulated process that makes one holds up the whole simulation.

use std::fmt;
use std::time::Duration;

use crate::sim::{Sim, SimNode};

/// A turn that takes longer than this on the real clock has probably waited for something.
const LIMIT: Duration = Duration::from_millis(500);
/// The number of reports that are kept. More would not help.
const REPORTS_MAX: usize = 20;

/// A turn that took long on the real clock.
///
/// ```
/// # use std::time::Duration;
/// # use fika_sim::{Blocked, Sim};
/// let mut sim = Sim::new(1);
/// sim.set_blocking_limit(Duration::from_millis(20));
/// sim.node("a@host1", || async {
///     // A mistake: `fika::time::sleep` does not block the thread.
///     std::thread::sleep(Duration::from_millis(40));
/// });
/// sim.run_for(Duration::from_secs(1));
/// let Blocked { name, took, .. } = &sim.blocked()[0];
/// println!("a process of {name} blocked its thread for {took:?}");
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Blocked {
    /// The node whose process had the turn.
    pub node: SimNode,
    /// The node's name.
    pub name: String,
    /// The process's name and number. `None` for a call of `spawn_blocking`, which may block, but
    /// still holds up the simulation.
    pub process: Option<String>,
    /// The time that the turn took, in real time.
    pub took: Duration,
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, ms) = (&self.name, self.took.as_millis());
        match &self.process {
            Some(process) => write!(
                f,
                "the process {process} of {name} has kept the simulation waiting for {ms} ms: \
                 does it make a call that blocks?"
            ),
            None => write!(f, "a call of `spawn_blocking` on {name} has taken {ms} ms"),
        }
    }
}

/// The reports so far.
pub(crate) struct Blocking {
    pub(crate) limit: Duration,
    all: Vec<Blocked>,
}

impl Default for Blocking {
    fn default() -> Blocking {
        Blocking { limit: LIMIT, all: Vec::new() }
    }
}

impl Blocking {
    pub(crate) fn add(&mut self, blocked: Blocked) {
        if self.all.len() < REPORTS_MAX {
            self.all.push(blocked);
        }
    }

    pub(crate) fn all(&self) -> &[Blocked] {
        &self.all
    }
}

impl Sim {
    /// Sets how long a turn may take on the real clock before it is reported as blocking. The
    /// default is half a second. Reports do not affect the run or its hash.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use fika_sim::Sim;
    /// let mut sim = Sim::new(1);
    /// // For a debugger, which stops the thread.
    /// sim.set_blocking_limit(Duration::from_secs(3600));
    /// sim.node("a@host1", std::future::pending::<()>);
    /// sim.run_for(Duration::from_secs(1));
    /// assert!(sim.blocked().is_empty());
    /// ```
    pub fn set_blocking_limit(&mut self, limit: Duration) {
        self.blocking.limit = limit;
    }

    /// Returns the first 20 turns that exceeded the blocking limit. They are also in the log and in
    /// failures, and `tracing` reports them as warnings. A turn that never ends is not included,
    /// since the simulation has no other thread that could notice it.
    #[must_use]
    pub fn blocked(&self) -> &[Blocked] {
        self.blocking.all()
    }
}
