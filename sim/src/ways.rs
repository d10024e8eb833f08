//! What is done to the network: ways that are cut, connections that break or stand still,
//! listeners that take nobody.

use crate::network::{HostId, Network};
use crate::sim::{Sim, SimNode};

impl Sim {
    /// Nothing gets from the hosts of these nodes to the hosts of those, nor back. Nobody is
    /// told; what is on its way waits.
    pub fn partition(
        &mut self,
        these: impl IntoIterator<Item = SimNode>,
        those: impl IntoIterator<Item = SimNode>,
    ) {
        let those: Vec<_> = those.into_iter().collect();
        for this in these {
            for that in &those {
                self.cut(this, *that);
                self.cut(*that, this);
            }
        }
    }

    /// Nothing gets from the one node's host to the other's; the way back is open.
    pub fn cut(&mut self, from: SimNode, to: SimNode) {
        let [a, b] = [from, to].map(|node| &self.members[node.0]);
        self.log.note(&format!("cut from {} to {}", a.name, b.name));
        self.wires.lock().hosts.cut(a.host, b.host);
    }

    /// Things get from the one node's host to the other's again, and stalled connections between
    /// them go on.
    pub fn mend(&mut self, from: SimNode, to: SimNode) {
        let [a, b] = [from, to].map(|node| &self.members[node.0]);
        self.log.note(&format!("mended from {} to {}", a.name, b.name));
        let mut state = self.wires.lock();
        state.hosts.mend(a.host, b.host);
        state.unstall(Some([a.host, b.host]));
        state.send_held();
    }

    /// All ways are open again, stalled connections go on, and backlogs have room.
    pub fn heal(&mut self) {
        self.log.note("all is mended");
        let mut state = self.wires.lock();
        state.hosts.mend_all();
        state.unstall(None);
        state.send_held();
    }

    /// Breaks the connections between two nodes' hosts; both ends see a reset.
    pub fn reset(&mut self, a: SimNode, b: SimNode) {
        let [a, b] = [a, b].map(|node| &self.members[node.0]);
        self.log.note(&format!("reset between {} and {}", a.name, b.name));
        self.wires.lock().reset_between(a.host, b.host);
    }

    /// Changes what the network is like.
    pub fn change_network(&mut self, change: impl FnOnce(&mut Network)) {
        let mut state = self.wires.lock();
        let before = format!("{:?}", state.options);
        change(&mut state.options);
        let after = format!("{:?}", state.options);
        drop(state);
        if after != before {
            self.log.note(&after);
        }
    }

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

    /// How many connections there are.
    #[must_use]
    pub fn connection_count(&self) -> usize {
        self.wires.lock().connection_count()
    }

    pub(crate) fn host(&self, node: SimNode) -> HostId {
        self.members[node.0].host
    }
}
