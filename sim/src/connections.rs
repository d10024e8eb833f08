//! Faults of single connections and listeners, of which nobody is told.

use crate::sim::{Sim, SimNode};

impl Sim {
    /// The connections that there are between two nodes' hosts carry nothing any more, as where a
    /// firewall has forgotten them; others may be made, and work. [`Sim::mend`] and
    /// [`Sim::heal`] let them go on.
    pub fn stall(&mut self, a: SimNode, b: SimNode) {
        self.note_between("stalled between", a, b);
        let (a, b) = (self.host(a), self.host(b));
        self.wires.lock().stall(a, b);
    }

    /// The first node's host loses its connections with the second's, whose host goes on to
    /// believe in them: it learns of it when it sends something, and is then sent a reset. If
    /// the way back is cut as well, it never does.
    pub fn half_open(&mut self, broken: SimNode, other: SimNode) {
        self.note_between("half open, and broken at the first:", broken, other);
        let (broken, other) = (self.host(broken), self.host(other));
        self.wires.lock().half_open(broken, other);
    }

    /// The listeners of the node's host take no connections of other hosts any more, as if their
    /// backlog were full: whoever connects tries again some times, and fails after two minutes.
    /// Connections that there are go on. [`Sim::heal`] and [`Sim::drain_backlog`] undo it.
    pub fn fill_backlog(&mut self, node: SimNode) {
        self.log.note(&format!("the backlog of {} is full", self.name(node)));
        let host = self.host(node);
        self.wires.lock().hosts.set_full(host, true);
    }

    /// The listeners of the node's host take connections again.
    pub fn drain_backlog(&mut self, node: SimNode) {
        self.log.note(&format!("the backlog of {} has room", self.name(node)));
        let host = self.host(node);
        self.wires.lock().hosts.set_full(host, false);
    }

    fn note_between(&self, what: &str, a: SimNode, b: SimNode) {
        self.log.note(&format!("{what} {} and {}", self.name(a), self.name(b)));
    }
}
