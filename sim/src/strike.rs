//! Carries out each kind of fault, at a random place, and undoes it.

use std::time::Duration;

use crate::faults::Fault;
use crate::network::Network;
use crate::node::Life;
use crate::sim::{Sim, SimNode};

/// An action that undoes a fault.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cure {
    Restart(SimNode),
    Resume(SimNode),
    Mend(SimNode, SimNode),
    Heal,
    Drain(SimNode),
}

impl Sim {
    fn has_started(&self, node: SimNode) -> bool {
        self.members[node.0].life.as_ref().is_some_and(Life::has_started)
    }

    /// Returns two random nodes of different hosts, if there are any. Traffic within a host does
    /// not go over the network, so faults of the network do not affect it.
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

    /// Causes a fault, and returns the actions that undo it.
    pub(crate) fn strike(&mut self, kind: Fault) -> Vec<Cure> {
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
            // A node that is starting would give up, and nothing would start it again.
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
                match self.runtime(node).map(|runtime| runtime.env().wall()) {
                    Some(wall) if self.random.in_1000(300) => self.set_wall_clock(node, wall - by),
                    _ => self.jump_clock(node, by),
                }
                Vec::new()
            }
            Fault::Weather => {
                let weather = Network::any(&mut self.random);
                self.change_network(|network| *network = weather);
                Vec::new()
            }
        }
    }

    pub(crate) fn undo(&mut self, cure: Cure) {
        match cure {
            Cure::Restart(node) => self.restart(node),
            Cure::Resume(node) => self.resume(node),
            Cure::Mend(a, b) => self.mend(a, b),
            Cure::Heal => self.heal(),
            Cure::Drain(node) => self.drain_backlog(node),
        }
    }
}
