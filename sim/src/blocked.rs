//! Calls that block: a simulated process that makes one holds up all of the simulation.

use std::fmt;
use std::time::Duration;

use crate::sim::{Sim, SimNode};

/// A step that takes longer on the real clock has probably waited for something.
const LIMIT: Duration = Duration::from_millis(500);
/// Of more than these nobody wants to hear.
const REPORTS_MAX: usize = 20;

/// A turn that took long on the real clock.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Blocked {
    /// Where it was.
    pub node: SimNode,
    /// The node's name.
    pub name: String,
    /// The process's name and number; none if it was a call of `spawn_blocking`, which may well
    /// block, but holds up the simulation all the same.
    pub process: Option<String>,
    /// How long it took, in real time.
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
    /// How long a turn may take on the real clock before it is reported as one that blocks:
    /// half a second, unless set. What is reported has no part in the run or in its hash.
    pub fn set_blocking_limit(&mut self, limit: Duration) {
        self.blocking.limit = limit;
    }

    /// The turns that took longer than that, the first 20 of them. They are in the log, in
    /// failures, and reported as warnings by `tracing`, too. A turn that never ends is not
    /// among them, since the simulation has no other thread that could see it.
    #[must_use]
    pub fn blocked(&self) -> &[Blocked] {
        self.blocking.all()
    }
}
