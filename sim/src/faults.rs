//! Random faults: which kinds there are, and when they happen.

use std::time::Duration;

use crate::network::{Network, Reads};
use crate::random::Random;
use crate::sim::Sim;
use crate::strike::Cure;

/// A kind of fault.
///
/// ```
/// # use std::time::Duration;
/// # use fika_sim::{Fault, Sim};
/// let mut sim = Sim::new(1);
/// let a = sim.node("a@host1", std::future::pending::<()>);
/// // Everything except for crashes.
/// let kinds: Vec<Fault> =
///     Fault::ALL.into_iter().filter(|kind| !matches!(kind, Fault::Crash | Fault::PowerLoss)).collect();
/// sim.run_with_some_faults(Duration::from_secs(600), &kinds);
/// assert!(sim.is_up(a));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// A node is killed, and restarted some time later.
    Crash,
    /// A host loses power, and gets it back some time later.
    PowerLoss,
    /// A node is paused, either for less than half of the ticktime or for more than all of it.
    Pause,
    /// The network splits the nodes into two halves that can't reach each other.
    Partition,
    /// A link between two hosts carries nothing, in one direction or both.
    Link,
    /// The connections between two hosts are reset.
    Reset,
    /// The existing connections between two hosts carry nothing for a while.
    Stall,
    /// One host's connections to another break, and the other host does not learn of it.
    HalfOpen,
    /// A host's listeners accept no connections for a while.
    Backlog,
    /// A node's clocks jump ahead, or its wall clock is set back.
    ClockJump,
    /// The network changes: latency, bandwidth, and how reads and writes are split.
    Weather,
}

impl Fault {
    /// All kinds of faults.
    pub const ALL: [Fault; 11] = [
        Fault::Crash,
        Fault::PowerLoss,
        Fault::Pause,
        Fault::Partition,
        Fault::Link,
        Fault::Reset,
        Fault::Stall,
        Fault::HalfOpen,
        Fault::Backlog,
        Fault::ClockJump,
        Fault::Weather,
    ];
}

/// The kinds of faults of a run, and how often they happen.
///
/// ```
/// # use std::time::Duration;
/// # use fika_sim::{Fault, Faults, Sim};
/// # use fika_runtime::sleep;
/// let secs = Duration::from_secs;
/// let app = move || async move {
///     loop {
///         fika_net::connect_node("a@host1").await;
///         sleep(secs(1)).await;
///     }
/// };
/// let mut sim = Sim::new(1);
/// let [a, b] = ["a@host1", "b@host2"].map(|name| sim.node(name, app));
/// let faults = Faults { every: secs(10), ..Faults::of(&[Fault::Crash, Fault::Partition]) };
/// sim.run_with_faults(secs(600), &faults);
/// // The faults are over, and the cluster recovers.
/// sim.run_until(|sim| sim.nodes_of(a).contains(&b), secs(60))?;
/// # Ok::<(), fika_sim::Failure>(())
/// ```
#[derive(Clone, Debug)]
pub struct Faults {
    /// The kinds of faults.
    pub kinds: Vec<Fault>,
    /// The mean time between two faults.
    pub every: Duration,
    /// The longest duration of a fault.
    pub lasting: Duration,
}

impl Faults {
    /// Faults of these kinds, with default times.
    #[must_use]
    pub fn of(kinds: &[Fault]) -> Faults {
        Faults {
            kinds: kinds.to_vec(),
            every: Duration::from_secs(20),
            lasting: Duration::from_secs(120),
        }
    }

    /// Chooses some of these kinds, and how often they happen, at random.
    fn some_of(kinds: &[Fault], random: &mut Random) -> Faults {
        let mut some: Vec<Fault> = kinds.iter().filter(|_| random.in_1000(500)).copied().collect();
        if some.is_empty() {
            some.push(random.one_of(kinds));
        }
        let secs = |n| Duration::from_secs(n);
        Faults {
            kinds: some,
            every: random.one_of(&[secs(1), secs(5), secs(20), secs(60)]),
            lasting: random.one_of(&[secs(2), secs(20), secs(120)]),
        }
    }
}

impl Sim {
    /// Lets `time` pass with random faults, and then undoes all of them: resumes paused nodes,
    /// restarts dead ones, and repairs the network.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use fika_sim::{Fault, Faults, Sim};
    /// let mut sim = Sim::new(1);
    /// let a = sim.node("a@host1", std::future::pending::<()>);
    /// sim.run_with_faults(Duration::from_secs(600), &Faults::of(&[Fault::Crash]));
    /// // A node that was down at the end is up again.
    /// assert!(sim.is_up(a));
    /// ```
    ///
    /// # Panics
    /// If `faults` has no kinds.
    pub fn run_with_faults(&mut self, time: Duration, faults: &Faults) {
        let until = self.now() + time;
        let mut cures: Vec<(Duration, Cure)> = Vec::new();
        let mut next = self.now() + self.pause_before_fault(faults);
        while self.now() < until {
            cures.sort_by_key(|(time, _)| *time);
            let first_cure = cures.first().map(|(time, _)| *time);
            let first = first_cure.into_iter().chain([next, until]).min().unwrap_or(until);
            self.run_for(first.saturating_sub(self.now()));
            while let Some((time, cure)) = cures.first().copied()
                && time <= self.now()
            {
                cures.remove(0);
                self.undo(cure);
            }
            if next <= self.now() && self.now() < until {
                let lasts = self.random.within(&(Duration::ZERO..=faults.lasting));
                let kind = self.random.one_of(&faults.kinds);
                let ends = self.now() + lasts;
                cures.extend(self.strike(kind).into_iter().map(|cure| (ends, cure)));
                next = self.now() + self.pause_before_fault(faults);
            }
        }
        self.undo_all();
    }

    /// Lets `time` pass with faults of some of these kinds. The seed chooses the kinds, and the
    /// report of a failure names them.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use fika_sim::{Fault, Sim, seeds};
    /// seeds(0..3, |seed| {
    ///     let mut sim = Sim::new(seed);
    ///     sim.node("a@host1", std::future::pending::<()>);
    ///     sim.run_with_some_faults(Duration::from_secs(600), &Fault::ALL);
    ///     sim.finish()
    /// });
    /// ```
    pub fn run_with_some_faults(&mut self, time: Duration, kinds: &[Fault]) {
        let faults = Faults::some_of(kinds, &mut self.random);
        self.add_options(&format!("{faults:?}"));
        self.run_with_faults(time, &faults);
    }

    fn pause_before_fault(&mut self, faults: &Faults) -> Duration {
        self.random.within(&(Duration::ZERO..=faults.every * 2))
    }

    /// Undoes all faults.
    ///
    /// ```
    /// # use fika_sim::Sim;
    /// let mut sim = Sim::new(1);
    /// let a = sim.node("a@host1", std::future::pending::<()>);
    /// sim.crash(a);
    /// sim.undo_all();
    /// assert!(sim.is_up(a));
    /// ```
    pub fn undo_all(&mut self) {
        for node in self.nodes() {
            self.resume(node);
            self.restart(node);
        }
        self.heal();
        self.change_network(|network| {
            *network = Network { reads: Reads::Whole, ..Network::default() };
        });
    }
}
