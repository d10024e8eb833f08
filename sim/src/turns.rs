//! What happens next: whose turn it is, who is told of something, and where the clock moves to.

use std::collections::VecDeque;
use std::time::Duration;

use fika_runtime::report;

use crate::blocked::Blocked;
use crate::sim::{Sim, SimNode};

/// How long a turn of a process takes, in nanoseconds: up to this.
const TURN_NS: usize = 4_000;

/// A node that has something to run does not look at its sockets at once, so often of a thousand
/// times,
const PUT_OFF: u32 = 200;

/// and so often it does after a turn.
const LOOKS_UP: u32 = 300;

impl Sim {
    /// Does the next thing, if it happens before that time; false if nothing does.
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

    /// Tells the handlers of what has happened to their sockets.
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

    /// Tells a node what has happened to its sockets meanwhile; false if it is paused.
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

    /// Whoever was busy has nothing else to do now; whether there was anybody.
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

    /// One node runs one thing, if any has any.
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

    /// What was gathered goes out; whether there was any that may have woken somebody.
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

    /// Something was done with a node: what it has to do next may have changed.
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

/// The real clock, for what waits on it by mistake.
struct RealClock(std::time::Instant);

#[allow(clippy::disallowed_methods, reason = "what is looked for is real time that passes")]
impl RealClock {
    fn start() -> RealClock {
        RealClock(std::time::Instant::now())
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
