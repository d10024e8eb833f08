//! What is done to nodes: they die and live again, stand still, and have the wrong time.

use std::time::Duration;

use crate::node::{Life, World};
use crate::sim::{Sim, SimNode};

impl Sim {
    /// Kills a node, as `kill -9` does: its host closes its connections. Does nothing while it
    /// is down.
    pub fn crash(&mut self, node: SimNode) {
        if let Some(life) = self.take_life(node, "crashes") {
            life.end(&self.wires);
        }
    }

    /// The node's host loses its power: nobody is told, and all nodes on it are gone.
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
        member.missed.clear();
        self.log.note(&format!("{} {what}", member.name));
        self.gathered.remove(&node.0);
        self.touch(node.0);
        Some(life)
    }

    /// Starts a node that is down, with a new creation.
    ///
    /// # Panics
    /// When a `#[remote]` function is there twice.
    pub fn restart(&mut self, node: SimNode) {
        let member = &mut self.members[node.0];
        if member.life.is_some() {
            return;
        }
        member.failure = None;
        self.log.note(&format!("{} starts", member.name));
        let mut state = self.wires.lock();
        state.hosts.set_off(member.host, false);
        state.send_held();
        drop(state);
        let world = World {
            clock: &self.clock,
            wires: &self.wires,
            log: &self.log,
            cookie: &self.cookie,
            checks: &self.checks,
        };
        member.start(node.0, &world, self.random.fork()).unwrap_or_else(|e| panic!("{e}"));
        self.touch(node.0);
    }

    /// The node does nothing any more, and its host keeps its connections, as after `SIGSTOP`.
    /// Its clock goes on.
    pub fn pause(&mut self, node: SimNode) {
        self.log.note(&format!("{} is paused", self.members[node.0].name));
        self.members[node.0].is_paused = self.is_up(node);
        self.touch(node.0);
    }

    /// A paused node goes on.
    pub fn resume(&mut self, node: SimNode) {
        let member = &mut self.members[node.0];
        if !std::mem::take(&mut member.is_paused) {
            return;
        }
        self.log.note(&format!("{} goes on", member.name));
        let missed = std::mem::take(&mut member.missed);
        if let Some(life) = &mut member.life {
            missed.iter().for_each(|tell| life.tell(tell));
        }
        self.touch(node.0);
    }

    /// The node's clock jumps ahead, as after a sleep of its machine.
    pub fn jump_clock(&mut self, node: SimNode, by: Duration) {
        let member = &mut self.members[node.0];
        self.log.note(&format!("the clock of {} jumps by {by:?}", member.name));
        member.ahead += by;
        if let Some(life) = &member.life {
            life.env.jump(by);
        }
        self.touch(node.0);
    }
}
