//! Decides what happens next: which node runs, which socket handler is called, and how far the
//! clock moves.

use std::collections::VecDeque;
use std::time::Duration;

use fika_runtime::report;

use crate::blocked::Blocked;
use crate::sim::{Sim, SimNode};

/// The longest time that a turn of a process takes, in nanoseconds.
const TURN_NS: usize = 4_000;

/// The probability, in a thousand, that a node with something to run handles a socket event later.
const PUT_OFF: u32 = 200;

/// The probability, in a thousand, that such a node handles its socket events after a turn.
const LOOKS_UP: u32 = 300;

impl Sim {
    /// Does the next thing if it happens before `until`; returns whether it did.
    pub(crate) fn advance(&mut self, until: u64) -> bool {
        let _listens = self.events.listen();
        self.wires.arrive();
        self.tell();
        self.fire_timers();
        if self.step() {
            return self.clock.now() < until;
        }
        if self.tell_busy() || self.flush_all() {
            return true;
        }
        match self.next_due() {
            Some(due) if due < until => {
                self.clock.advance_to(due);
                true
            }
            _ => false,
        }
    }

    fn next_due(&self) -> Option<u64> {
        let timers = self.dues.first().map(|(time, _)| *time);
        timers.into_iter().chain(self.wires.next_due()).min()
    }

    /// Calls the handlers of sockets on which something has happened.
    fn tell(&mut self) {
        let mut told: VecDeque<_> = self.wires.take_told();
        while let Some(tell) = told.pop_front() {
            let number = tell.life.node;
            let member = &mut self.members[number];
            let Some(life) = member.life.as_mut().filter(|life| life.id == tell.life) else {
                continue;
            };
            let is_busy = life.is_ready() && self.random.in_1000(PUT_OFF);
            if member.is_paused || is_busy {
                member.missed.add(tell);
                self.busy.insert(number);
            } else {
                life.tell(&tell);
                drop(tell);
                self.gathered.insert(number);
                self.touch(number);
            }
        }
    }

    /// Calls a node's handlers for the events that it has not handled yet; false if it is paused.
    fn tell_missed(&mut self, number: usize) -> bool {
        let member = &mut self.members[number];
        if member.is_paused {
            return false;
        }
        self.busy.remove(&number);
        let missed = std::mem::take(&mut member.missed);
        if let Some(life) = &mut member.life {
            missed.tells().for_each(|tell| life.tell(&tell));
        }
        self.gathered.insert(number);
        self.touch(number);
        true
    }

    /// Lets the busy nodes handle their socket events, since no process can run; returns whether
    /// there were any.
    fn tell_busy(&mut self) -> bool {
        let busy: Vec<_> = self.busy.iter().copied().collect();
        busy.into_iter().filter(|number| self.tell_missed(*number)).count() > 0
    }

    fn fire_timers(&mut self) {
        let now = self.clock.now();
        let is_due = |(time, _): &&(u64, usize)| *time <= now;
        let due: Vec<_> = self.dues.iter().take_while(is_due).map(|(_, number)| *number).collect();
        for number in due {
            self.touch(number);
        }
    }

    /// Runs one process or task of one node, if any is ready.
    fn step(&mut self) -> bool {
        while !self.ready.is_empty() {
            let place = self.random.below(self.ready.len());
            let number = self.ready[place];
            let member = &mut self.members[number];
            let life = member.life.as_mut().filter(|life| !member.is_paused && life.is_ready());
            let Some(life) = life else {
                member.is_listed = false;
                self.ready.swap_remove(place);
                continue;
            };
            let clock = RealClock::start();
            let pid = life.step(&mut self.random);
            let took = clock.elapsed();
            if self.random.in_1000(300) {
                life.flush();
                self.gathered.remove(&number);
            } else {
                self.gathered.insert(number);
            }
            if took > self.blocking.limit {
                let process = pid.map(|pid| life.called(pid));
                self.has_blocked(SimNode(number), process, took);
            }
            self.touch(number);
            if self.busy.contains(&number) && self.random.in_1000(LOOKS_UP) {
                self.tell_missed(number);
            }
            let time = self.clock.now() + self.random.below(TURN_NS) as u64;
            self.clock.advance_to(time);
            return true;
        }
        false
    }

    fn has_blocked(&mut self, node: SimNode, process: Option<String>, took: Duration) {
        let name = self.members[node.0].name.as_str().to_owned();
        let blocked = Blocked { node, name, process, took };
        report!(warn, "{blocked}");
        self.blocking.add(blocked);
    }

    /// Sends all gathered output; returns whether there was any, which may have woken a process.
    fn flush_all(&mut self) -> bool {
        let gathered = std::mem::take(&mut self.gathered);
        let mut any = false;
        for number in gathered {
            let member = &mut self.members[number];
            if member.is_paused {
                self.gathered.insert(number);
            } else if let Some(life) = &mut member.life {
                life.flush();
                self.touch(number);
                any = true;
            }
        }
        any
    }

    /// Updates the lists of the simulation after a node's state has changed.
    pub(crate) fn touch(&mut self, number: usize) {
        let now = self.clock.now();
        let member = &mut self.members[number];
        let life = member.life.as_mut().filter(|_| !member.is_paused);
        let due = life.and_then(|life| life.fire_timers(now));
        if due != member.due {
            let old = std::mem::replace(&mut member.due, due);
            old.map(|time| self.dues.remove(&(time, number)));
            self.dues.extend(due.map(|time| (time, number)));
        }
        let Some(life) = member.life.as_mut().filter(|_| !member.is_paused) else { return };
        if let Some(error) = life.take_failure() {
            self.log.note(&format!("{} could not start: {error}", member.name));
            member.failure = Some(error);
        }
        if life.is_ready() && !std::mem::replace(&mut member.is_listed, true) {
            self.ready.push(number);
        }
    }
}

/// The real clock, to detect calls that block.
struct RealClock(std::time::Instant);

#[allow(clippy::disallowed_methods, reason = "detects calls that take real time")]
impl RealClock {
    fn start() -> RealClock {
        RealClock(std::time::Instant::now())
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
