//! Faults of nodes: crashes and restarts, pauses, and wrong clocks.

use std::time::{Duration, SystemTime};

use crate::env::Wrong;
use crate::missed::Missed;
use crate::node::{Life, World};
use crate::sim::{Sim, SimNode};

impl Sim {
    /// Kills a node, as `kill -9` does: its host closes its connections. Does nothing while the
    /// node is down.
    pub fn crash(&mut self, node: SimNode) {
        if let Some(life) = self.take_life(node, "crashes") {
            life.end(&self.wires);
        }
    }

    /// Cuts the power of the node's host. All nodes on the host are gone, and no peer is notified.
    pub fn lose_power(&mut self, node: SimNode) {
        let host = self.members[node.0].host;
        self.wires.lock().lose_power(host);
        for number in 0..self.members.len() {
            if self.members[number].host == host
                && let Some(life) = self.take_life(SimNode(number), "loses power")
            {
                life.end(&self.wires);
            }
        }
    }

    fn take_life(&mut self, node: SimNode, what: &str) -> Option<Life> {
        let member = &mut self.members[node.0];
        let life = member.life.take()?;
        member.is_paused = false;
        member.missed = Missed::default();
        self.log.note(&format!("{} {what}", member.name));
        self.gathered.remove(&node.0);
        self.busy.remove(&node.0);
        self.touch(node.0);
        Some(life)
    }

    /// Starts a node that is down, with a new creation.
    ///
    /// # Panics
    /// If two `#[remote]` functions have the same name.
    pub fn restart(&mut self, node: SimNode) {
        let member = &mut self.members[node.0];
        if member.life.is_some() {
            return;
        }
        member.failure = None;
        let again = if member.lives == 0 { "" } else { " again" };
        self.log.note(&format!("{} starts{again}", member.name));
        let mut state = self.wires.lock();
        state.hosts.set_off(member.host, false);
        state.send_held();
        drop(state);
        let world = World {
            clock: &self.clock,
            wires: &self.wires,
            log: &self.log,
            events: &self.events,
            cookie: &self.cookie,
            checks: &self.checks,
            encode_messages: self.encode_messages,
        };
        member.start(node.0, &world, self.random.fork()).unwrap_or_else(|e| panic!("{e}"));
        self.touch(node.0);
    }

    /// Pauses a node, as `SIGSTOP` does. Its host keeps its connections, and its clocks continue.
    pub fn pause(&mut self, node: SimNode) {
        self.log.note(&format!("{} is paused", self.members[node.0].name));
        self.members[node.0].is_paused = self.is_up(node);
        self.touch(node.0);
    }

    /// Resumes a paused node.
    pub fn resume(&mut self, node: SimNode) {
        let member = &mut self.members[node.0];
        if !std::mem::take(&mut member.is_paused) {
            return;
        }
        self.log.note(&format!("{} goes on", member.name));
        // Whether its timers or its sockets come first is random.
        self.busy.insert(node.0);
        self.touch(node.0);
    }

    /// Moves the node's clocks ahead, as after its machine has slept.
    pub fn jump_clock(&mut self, node: SimNode, by: Duration) {
        self.set_clocks(node, &format!("jumps by {by:?}"), |wrong| wrong.ahead += by);
    }

    /// Sets the node's wall clock, forward or back, as a user may do. Timers and the monotonic
    /// clock are not affected.
    pub fn set_wall_clock(&mut self, node: SimNode, to: SystemTime) {
        let now = self.clock.now();
        let since = to.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let what = format!("is set to {since:?} since 1970");
        self.set_clocks(node, &what, |wrong| wrong.set_wall(now, to));
    }

    fn set_clocks(&mut self, node: SimNode, what: &str, set: impl FnOnce(&mut Wrong)) {
        let member = &mut self.members[node.0];
        self.log.note(&format!("the clock of {} {what}", member.name));
        set(&mut member.wrong);
        if let Some(life) = &member.life {
            life.env.set_wrong(member.wrong);
        }
        self.touch(node.0);
    }
}
