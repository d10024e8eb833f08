//! The report of a simulation that failed.

use std::fmt;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::log::SHOW_RUNTIME;
use crate::node::Member;
use crate::replay::{replay, test, write};
use crate::sim::Sim;

/// Why a simulation failed, when, and how to run it again.
///
/// ```
/// # use fika_sim::{Failure, Sim};
/// fn scenario(seed: u64) -> Result<(), Failure> {
///     let sim = Sim::new(seed);
///     sim.check(seed != 7, "seven is bad luck")?;
///     sim.finish()
/// }
///
/// let failure: Failure = scenario(7).unwrap_err();
/// assert_eq!((failure.seed, &*failure.why), (7, "seven is bad luck"));
/// println!("{failure}"); // with the log, and how to run it again
/// ```
pub struct Failure {
    /// The seed of the simulation.
    pub seed: u64,
    /// The simulated time of the failure.
    pub at: Duration,
    /// The simulation's [`trace_hash`](Sim::trace_hash). A run with another hash was a different
    /// run.
    pub trace_hash: u64,
    /// The reason for the failure.
    pub why: String,
    /// The location of the failure, as `file:line:column`: the place where the program panicked, or
    /// else the place in the scenario that found the failure.
    pub location: Box<str>,
    /// The quality of the network and the faults, as the seed decided. Also says whether the log
    /// leaves out fika's own processes.
    pub options: Box<str>,
    /// The last events, one per line: time, node, process, event. Events of fika's own processes,
    /// such as `net_kernel`, are included only if `FIKA_SIM_RUNTIME` is set.
    pub log: Box<[String]>,
    /// The file with the whole log, if the simulation kept its log.
    pub file: Option<Box<Path>>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.log {
            writeln!(f, "{line}")?;
        }
        writeln!(f)?;
        writeln!(f, "seed {} failed after {:?}: {}", self.seed, self.at, self.why)?;
        writeln!(f, "  at {}", self.location)?;
        writeln!(f, "  {}", self.options)?;
        writeln!(f, "  trace {:016x}", self.trace_hash)?;
        if let Some(file) = &self.file {
            writeln!(f, "  the whole log: {}", file.display())?;
        }
        write!(f, "  to see it again: {}", replay(self.seed))
    }
}

/// The same text as `Display`: a test that returns an error prints its `Debug`.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{self}")
    }
}

impl std::error::Error for Failure {}

impl Sim {
    /// Returns a failure of this simulation, now, at the place of the call.
    ///
    /// ```
    /// # use fika_sim::{Failure, Sim, SimNode};
    /// fn leader(sim: &Sim, nodes: &[SimNode]) -> Result<SimNode, Failure> {
    ///     let leader = nodes.iter().copied().find(|node| sim.is_up(*node));
    ///     leader.ok_or_else(|| sim.failure("no node leads"))
    /// }
    ///
    /// let mut sim = Sim::new(1);
    /// assert!(leader(&sim, &[]).is_err());
    /// let a = sim.node("a@host1", std::future::pending::<()>);
    /// assert_eq!(leader(&sim, &[a])?, a);
    /// # Ok::<(), Failure>(())
    /// ```
    #[must_use]
    #[track_caller]
    pub fn failure(&self, why: &str) -> Failure {
        self.failure_at(Location::caller(), why)
    }

    pub(crate) fn failure_at(&self, location: &Location<'_>, why: &str) -> Failure {
        let failed = |member: &Member| {
            let error = member.failure.as_ref()?;
            Some(format!("; {} could not start: {error}", member.name))
        };
        let also: String = self.members.iter().filter_map(failed).collect();
        let blocked = self.blocking.all().iter().map(|blocked| format!("; {blocked}"));
        let also: String = blocked.fold(also, |also, blocked| also + &blocked);
        let violation = self.checks.first();
        let at = violation.as_ref().map_or(self.now(), |violation| violation.at);
        let log = violation.map_or_else(|| self.log.tail(), |violation| violation.log);
        let seed = self.seed();
        let file = if self.log.is_kept() { write(&self.log.text(), seed) } else { None };
        let (mut options, trace_hash) = (self.options.clone(), self.trace_hash());
        if self.log.is_shortened() {
            let left_out = "the log above omits fika's own processes";
            options += &format!("\n  {left_out}; {SHOW_RUNTIME}=1 shows them");
        }
        self.told.store(trace_hash, Ordering::Relaxed);
        Failure {
            seed,
            at,
            trace_hash,
            why: format!("{why}{also}"),
            location: location.to_string().into(),
            options: options.into(),
            log: log.into(),
            file: file.map(PathBuf::into_boxed_path),
        }
    }

    /// Returns an error if `is_so` is false.
    ///
    /// ```
    /// # use fika_sim::Sim;
    /// let mut sim = Sim::new(1);
    /// let a = sim.node("a@host1", std::future::pending::<()>);
    /// sim.check(sim.is_up(a), "the node did not start")?;
    /// # Ok::<(), fika_sim::Failure>(())
    /// ```
    ///
    /// # Errors
    /// If `is_so` is false, with the text `otherwise`.
    #[track_caller]
    pub fn check(&self, is_so: bool, otherwise: &str) -> Result<(), Failure> {
        if is_so { Ok(()) } else { Err(self.failure(otherwise)) }
    }

    /// Adds what the seed or the scenario has decided to the report of a failure.
    pub(crate) fn add_options(&mut self, more: &str) {
        self.options.push_str("\n  ");
        self.options.push_str(more);
    }

    /// Prints the trace hash if `FIKA_SIM_TRACE` is set, so that runs can be compared.
    pub(crate) fn tell_trace(&self) {
        if std::env::var_os("FIKA_SIM_TRACE").is_some() {
            let test = test().map_or(String::new(), |test| format!(" of {test}"));
            println!("trace {:016x} of seed {}{test}", self.trace_hash(), self.seed());
        }
    }

    /// Prints the seed when a panic unwinds through the simulation, unless a failure has just
    /// printed it.
    pub(crate) fn tell_of_panic(&self) {
        if std::thread::panicking() && self.told.load(Ordering::Relaxed) != self.trace_hash() {
            eprintln!("{}", self.failure("a panic, see above"));
        }
    }
}
