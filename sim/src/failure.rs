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

/// Why a simulation failed, when, and how to see it again.
pub struct Failure {
    /// The seed of the simulation.
    pub seed: u64,
    /// When it was, in simulated time.
    pub at: Duration,
    /// The simulation's [`trace_hash`](Sim::trace_hash): a run with another one was another run.
    pub trace_hash: u64,
    /// What went wrong.
    pub why: String,
    /// Where it went wrong, as `file:line:column`: the place of the program's panic, or else the
    /// place in the scenario that found the failure.
    pub location: Box<str>,
    /// What the seed led to: the network's quality and the faults. It also says whether fika's own
    /// processes are left out of the log.
    pub options: Box<str>,
    /// The last events, a line each: time, node, process, what. Events of fika's own processes,
    /// such as `net_kernel`, are included only if `FIKA_SIM_RUNTIME` is set.
    pub log: Box<[String]>,
    /// Where all that happened is written, if the simulation kept its log.
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

/// As it is displayed: a test that returns it prints this.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{self}")
    }
}

impl std::error::Error for Failure {}

impl Sim {
    /// Returns a failure of this simulation, now, at the place of the call.
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
            let left_out = "what fika's own processes did is left out of the log above";
            options += &format!("\n  {left_out}; {SHOW_RUNTIME}=1 shows that, too");
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

    /// An error unless this is so.
    ///
    /// # Errors
    /// When it is not.
    #[track_caller]
    pub fn check(&self, is_so: bool, otherwise: &str) -> Result<(), Failure> {
        if is_so { Ok(()) } else { Err(self.failure(otherwise)) }
    }

    /// Adds to the options what the seed, or the scenario, has led to, for the report of a failure.
    pub(crate) fn add_options(&mut self, more: &str) {
        self.options.push_str("\n  ");
        self.options.push_str(more);
    }

    /// For who compares runs: what `FIKA_SIM_TRACE` asks for.
    pub(crate) fn tell_trace(&self) {
        if std::env::var_os("FIKA_SIM_TRACE").is_some() {
            let test = test().map_or(String::new(), |test| format!(" of {test}"));
            println!("trace {:016x} of seed {}{test}", self.trace_hash(), self.seed());
        }
    }

    /// A panic goes by: its seed is to be known as well, unless a failure has just said it.
    pub(crate) fn tell_of_panic(&self) {
        if std::thread::panicking() && self.told.load(Ordering::Relaxed) != self.trace_hash() {
            eprintln!("{}", self.failure("a panic, which is told above"));
        }
    }
}
