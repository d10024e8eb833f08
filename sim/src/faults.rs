//! Faults by chance: which there may be, and when they happen.

use std::time::Duration;

use crate::network::{Network, Reads};
use crate::random::Random;
use crate::sim::Sim;
use crate::strike::Cure;

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
    /// A node's clocks jump ahead, or its wall clock is set back.
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
