//! Faults by chance: which there may be, and when they happen.

use std::time::Duration;

use crate::failure::Failure;
use crate::network::{Network, Reads};
use crate::node::Life;
use crate::random::Random;
use crate::sim::{Sim, SimNode};

/// A kind of fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// A node is killed, and restarted some time later.
    Crash,
    /// A host loses its power, and has it again some time later.
    PowerLoss,
    /// A node is paused, for less than half of the ticktime or for longer than all of it.
    Pause,
    /// The nodes fall into two halves that hear nothing of each other.
    Partition,
    /// One link between two hosts carries nothing, in both directions or in one.
    Link,
    /// The connections between two hosts are reset.
    Reset,
    /// The connections that there are between two hosts carry nothing for a while.
    Stall,
    /// One host's connections to another break, of which the other is not told.
    HalfOpen,
    /// A host's listeners take no connections for a while.
    Backlog,
    /// A node's clock jumps ahead.
    ClockJump,
    /// The network changes: latency, bandwidth, how reads and writes are cut.
    Weather,
}

impl Fault {
    /// All kinds.
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

/// Which faults there are, and how often.
#[derive(Clone, Debug)]
pub struct Faults {
    /// The kinds.
    pub kinds: Vec<Fault>,
    /// The mean time between two of them.
    pub every: Duration,
    /// The longest time that one lasts.
    pub lasting: Duration,
}

impl Faults {
    /// Faults of these kinds.
    #[must_use]
    pub fn of(kinds: &[Fault]) -> Faults {
        Faults {
            kinds: kinds.to_vec(),
            every: Duration::from_secs(20),
            lasting: Duration::from_secs(120),
        }
    }

    /// Some of these kinds, and how often, by chance.
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

/// What undoes a fault.
#[derive(Clone, Copy, Debug)]
enum Cure {
    Restart(SimNode),
    Resume(SimNode),
    Mend(SimNode, SimNode),
    Heal,
    Drain(SimNode),
}

impl Sim {
    /// Lets this much time pass with faults, and undoes them all at the end: paused nodes go
    /// on, dead ones are restarted, the network is whole and good.
    ///
    /// # Panics
    /// When there are no kinds of faults.
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

    /// The same with faults of some of these kinds, by chance; what was chosen is in the
    /// failure of a simulation that fails.
    pub fn run_with_some_faults(&mut self, time: Duration, kinds: &[Fault]) {
        let faults = Faults::some_of(kinds, &mut self.random);
        self.add_options(&format!("{faults:?}"));
        self.run_with_faults(time, &faults);
    }

    fn pause_before_fault(&mut self, faults: &Faults) -> Duration {
        self.random.within(&(Duration::ZERO..=faults.every * 2))
    }

    fn has_started(&self, node: SimNode) -> bool {
        self.members[node.0].life.as_ref().is_some_and(Life::has_started)
    }

    /// Two nodes of different hosts, if there are any: what a host says to itself is over no
    /// network, and no fault of one touches it.
    fn any_two_hosts(&mut self) -> Option<(SimNode, SimNode)> {
        let node = self.any_node();
        let elsewhere = |other: &SimNode| self.host(*other) != self.host(node);
        let others: Vec<_> = self.nodes().filter(elsewhere).collect();
        (!others.is_empty()).then(|| (node, self.random.one_of(&others)))
    }

    fn any_node(&mut self) -> SimNode {
        let nodes: Vec<_> = self.nodes().collect();
        self.random.one_of(&nodes)
    }

    /// Lets a fault happen; says what undoes it.
    fn strike(&mut self, kind: Fault) -> Vec<Cure> {
        let node = self.any_node();
        match kind {
            Fault::Crash => {
                self.crash(node);
                vec![Cure::Restart(node)]
            }
            Fault::PowerLoss => {
                self.lose_power(node);
                let host = self.host(node);
                let here = self.nodes().filter(|other| self.host(*other) == host);
                here.map(Cure::Restart).collect()
            }
            // One that is still starting would give that up, and nobody would start it again.
            Fault::Pause | Fault::ClockJump if !self.has_started(node) => Vec::new(),
            Fault::Pause => {
                self.pause(node);
                vec![Cure::Resume(node)]
            }
            Fault::Partition => {
                let (mut these, mut those) = (Vec::new(), Vec::new());
                for node in self.nodes() {
                    let half = if self.random.in_1000(500) { &mut these } else { &mut those };
                    half.push(node);
                }
                self.partition(these, those);
                vec![Cure::Heal]
            }
            Fault::Link => {
                let Some((a, b)) = self.any_two_hosts() else { return Vec::new() };
                self.cut(a, b);
                if self.random.in_1000(500) {
                    self.cut(b, a);
                }
                vec![Cure::Mend(a, b), Cure::Mend(b, a)]
            }
            Fault::Reset => {
                if let Some((a, b)) = self.any_two_hosts() {
                    self.reset(a, b);
                }
                Vec::new()
            }
            Fault::Stall => {
                let Some((a, b)) = self.any_two_hosts() else { return Vec::new() };
                self.stall(a, b);
                vec![Cure::Mend(a, b)]
            }
            Fault::HalfOpen => {
                if let Some((a, b)) = self.any_two_hosts() {
                    self.half_open(a, b);
                }
                Vec::new()
            }
            Fault::Backlog => {
                self.fill_backlog(node);
                vec![Cure::Drain(node)]
            }
            Fault::ClockJump => {
                let by = self.random.within(&(Duration::ZERO..=Duration::from_secs(300)));
                self.jump_clock(node, by);
                Vec::new()
            }
            Fault::Weather => {
                let weather = Network::any(&mut self.random);
                self.change_network(|network| *network = weather);
                Vec::new()
            }
        }
    }

    fn undo(&mut self, cure: Cure) {
        match cure {
            Cure::Restart(node) => self.restart(node),
            Cure::Resume(node) => self.resume(node),
            Cure::Mend(a, b) => self.mend(a, b),
            Cure::Heal => self.heal(),
            Cure::Drain(node) => self.drain_backlog(node),
        }
    }

    /// Undoes all faults.
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

/// Runs a scenario for each of these seeds, or for the one that `FIKA_SIM_SEED` names, with
/// its log. `FIKA_SIM_SEEDS` sets how many there are.
///
/// ```no_run
/// # use std::time::Duration;
/// # use fika_sim::{Sim, seeds};
/// seeds(0..500, |seed| {
///     let mut sim = Sim::new(seed);
///     let a = sim.node("a@host1", || std::future::pending());
///     sim.run_until(|sim| sim.is_up(a), Duration::from_secs(1))
/// });
/// ```
///
/// # Panics
/// With the failure of the first seed that fails.
pub fn seeds(range: std::ops::Range<u64>, run: impl Fn(u64) -> Result<(), Failure>) {
    if let Some(failure) = first_failure(range, run) {
        panic!("{failure}");
    }
}

/// The same, for those who want to go on with the failure: that of the first seed that fails.
///
/// # Panics
/// When a scenario does; then the seed is told, too.
pub fn first_failure(
    range: std::ops::Range<u64>,
    run: impl Fn(u64) -> Result<(), Failure>,
) -> Option<Failure> {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let mut range = match (number("FIKA_SIM_SEED"), number("FIKA_SIM_SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, Some(count)) => range.start..range.start + count,
        (None, None) => range,
    };
    range.find_map(|seed| {
        // A seed that panics is to be known as well.
        let told = Told(seed);
        let failure = run(seed).err();
        std::mem::forget(told);
        failure
    })
}

/// Says which seed it was, when a panic goes by.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        eprintln!("seed {} panicked; to see it again: {}", self.0, crate::failure::replay(self.0));
    }
}
