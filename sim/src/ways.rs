//! Faults of the network: cut paths, connections that break or stall, and full backlogs.

use std::net::IpAddr;

use crate::network::{HostId, Network};
use crate::sim::{Sim, SimNode};

impl Sim {
    /// Cuts all paths between the hosts of the nodes in `these` and the hosts of the nodes in
    /// `those`, in both directions. No node is notified, and packets in flight wait.
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

    /// Cuts the path from one node's host to the other's. The opposite direction stays open.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use fika_sim::Sim;
    /// # let app = || async {
    /// #     fika_net::connect_node("a@host1").await;
    /// #     std::future::pending::<()>().await
    /// # };
    /// # let mut sim = Sim::new(1);
    /// # let [a, b] = ["a@host1", "b@host2"].map(|name| sim.node(name, app));
    /// # sim.run_until(|sim| sim.nodes_of(a).contains(&b), Duration::from_secs(5))?;
    /// // Nothing from `a` arrives at `b`, which gives it up when the tick time is over.
    /// sim.cut(a, b);
    /// sim.run_until(|sim| sim.nodes_of(b).is_empty(), Duration::from_secs(90))?;
    /// sim.mend(a, b);
    /// # Ok::<(), fika_sim::Failure>(())
    /// ```
    pub fn cut(&mut self, from: SimNode, to: SimNode) {
        let [a, b] = [from, to].map(|node| &self.members[node.0]);
        self.log.note(&format!("cut from {} to {}", a.name, b.name));
        self.wires.lock().hosts.cut(a.host, b.host);
    }

    /// Sets the addresses of a host, IPv4 or IPv6, in the order in which a look-up of its name
    /// returns them. A host has one IPv4 address if none are set. A node on a host with several
    /// addresses listens on all of them, so call this before the host's first node is made.
    ///
    /// ```
    /// # use std::net::IpAddr;
    /// # use std::time::Duration;
    /// # use fika_sim::Sim;
    /// let [v6, v4]: [IpAddr; 2] = ["fd00::2", "10.1.0.2"].map(|ip| ip.parse().unwrap());
    /// let mut sim = Sim::new(1);
    /// sim.set_addresses("host2", [v6, v4]);
    /// // The host has an IPv6 address, and no route leads to it.
    /// sim.darken(v6);
    /// let b = sim.node("b@host2", std::future::pending::<()>);
    /// let a = sim.node("a@host1", || async {
    ///     fika_net::connect_node("b@host2").await;
    ///     std::future::pending::<()>().await
    /// });
    /// sim.run_until(|sim| sim.nodes_of(a).contains(&b), Duration::from_secs(5))?;
    /// # Ok::<(), fika_sim::Failure>(())
    /// ```
    ///
    /// # Panics
    /// If `ips` is empty, or if another host has one of the addresses.
    pub fn set_addresses(&mut self, host: &str, ips: impl IntoIterator<Item = IpAddr>) {
        let ips: Vec<IpAddr> = ips.into_iter().collect();
        self.log.note(&format!("{host} has the addresses {ips:?}"));
        let hosts = &mut self.wires.lock().hosts;
        let host = hosts.named(host);
        hosts.set_ips(host, ips);
    }

    /// Drops the first packet of each connection that another host makes to this address, as when a
    /// host has an IPv6 address without a route to it. Existing connections are not affected.
    /// [`Sim::heal`] undoes this.
    pub fn darken(&mut self, ip: IpAddr) {
        self.log.note(&format!("nothing arrives at {ip}"));
        self.wires.lock().hosts.darken(ip);
    }

    /// Reopens the path from one node's host to the other's, and lets stalled connections between
    /// the two hosts continue.
    pub fn mend(&mut self, from: SimNode, to: SimNode) {
        let [a, b] = [from, to].map(|node| &self.members[node.0]);
        self.log.note(&format!("mended from {} to {}", a.name, b.name));
        let mut state = self.wires.lock();
        state.hosts.mend(a.host, b.host);
        state.unstall(Some([a.host, b.host]));
        state.send_held();
    }

    /// Repairs the network: reopens all paths and darkened addresses, lets stalled connections
    /// continue, and drains full backlogs.
    pub fn heal(&mut self) {
        self.log.note("all is mended");
        let mut state = self.wires.lock();
        state.hosts.mend_all();
        state.unstall(None);
        state.send_held();
    }

    /// Breaks the connections between two nodes' hosts. Both ends see a reset.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use fika_sim::Sim;
    /// # let app = || async {
    /// #     fika_net::connect_node("a@host1").await;
    /// #     std::future::pending::<()>().await
    /// # };
    /// # let mut sim = Sim::new(1);
    /// # let [a, b] = ["a@host1", "b@host2"].map(|name| sim.node(name, app));
    /// # sim.run_until(|sim| sim.nodes_of(a).contains(&b), Duration::from_secs(5))?;
    /// sim.reset(a, b);
    /// sim.run_until(|sim| sim.nodes_of(a).is_empty(), Duration::from_secs(1))?;
    /// # Ok::<(), fika_sim::Failure>(())
    /// ```
    pub fn reset(&mut self, a: SimNode, b: SimNode) {
        let [a, b] = [a, b].map(|node| &self.members[node.0]);
        self.log.note(&format!("reset between {} and {}", a.name, b.name));
        self.wires.lock().reset_between(a.host, b.host);
    }

    /// Changes the quality of the network, such as its latency.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use fika_sim::Sim;
    /// let mut sim = Sim::new(1);
    /// // A satellite.
    /// sim.change_network(|network| {
    ///     network.latency = Duration::from_millis(250)..=Duration::from_millis(300);
    ///     network.bandwidth = 100_000;
    /// });
    /// ```
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

    /// Stalls the existing connections between two nodes' hosts, as when a firewall has forgotten
    /// them. New connections work. [`Sim::mend`] and [`Sim::heal`] let stalled connections
    /// continue.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use fika_sim::Sim;
    /// # let app = || async {
    /// #     fika_net::connect_node("a@host1").await;
    /// #     std::future::pending::<()>().await
    /// # };
    /// # let mut sim = Sim::new(1);
    /// # let [a, b] = ["a@host1", "b@host2"].map(|name| sim.node(name, app));
    /// # sim.run_until(|sim| sim.nodes_of(a).contains(&b), Duration::from_secs(5))?;
    /// sim.stall(a, b);
    /// sim.run_until(|sim| sim.nodes_of(a).is_empty(), Duration::from_secs(90))?;
    /// # Ok::<(), fika_sim::Failure>(())
    /// ```
    pub fn stall(&mut self, a: SimNode, b: SimNode) {
        self.note_between("stalled between", a, b);
        let (a, b) = (self.host(a), self.host(b));
        self.wires.lock().stall(a, b);
    }

    /// Makes the host of `broken` forget its connections with the host of `other`, which still has
    /// them. When that host sends something, it gets a reset. If the path back to it is cut as
    /// well, it never learns of the loss.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use fika_sim::Sim;
    /// # let app = || async {
    /// #     fika_net::connect_node("a@host1").await;
    /// #     std::future::pending::<()>().await
    /// # };
    /// # let mut sim = Sim::new(1);
    /// # let [a, b] = ["a@host1", "b@host2"].map(|name| sim.node(name, app));
    /// # sim.run_until(|sim| sim.nodes_of(a).contains(&b), Duration::from_secs(5))?;
    /// sim.half_open(a, b);
    /// // `b` sends a tick, and gets a reset.
    /// sim.run_until(|sim| sim.nodes_of(b).is_empty(), Duration::from_secs(60))?;
    /// # Ok::<(), fika_sim::Failure>(())
    /// ```
    pub fn half_open(&mut self, broken: SimNode, other: SimNode) {
        self.note_between("half open, and broken at the first:", broken, other);
        let (broken, other) = (self.host(broken), self.host(other));
        self.wires.lock().half_open(broken, other);
    }

    /// Fills the backlog of the listeners on the node's host, so that they accept no connections
    /// from other hosts. A peer that connects retries several times, and fails after two minutes.
    /// Existing connections still work. [`Sim::heal`] and [`Sim::drain_backlog`] undo this.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use fika_sim::Sim;
    /// # let app = || async {
    /// #     fika_net::connect_node("a@host1").await;
    /// #     std::future::pending::<()>().await
    /// # };
    /// # let mut sim = Sim::new(1);
    /// # let a = sim.node("a@host1", app);
    /// # sim.run_for(Duration::from_secs(1));
    /// sim.fill_backlog(a);
    /// let b = sim.node("b@host2", app); // which connects to `a`
    /// sim.run_for(Duration::from_secs(2));
    /// assert!(sim.nodes_of(b).is_empty());
    /// sim.drain_backlog(a);
    /// sim.run_until(|sim| sim.nodes_of(b).contains(&a), Duration::from_secs(5))?;
    /// # Ok::<(), fika_sim::Failure>(())
    /// ```
    pub fn fill_backlog(&mut self, node: SimNode) {
        self.log.note(&format!("the backlog of {} is full", self.name(node)));
        let host = self.host(node);
        self.wires.lock().hosts.set_full(host, true);
    }

    /// Lets the listeners on the node's host accept connections again.
    pub fn drain_backlog(&mut self, node: SimNode) {
        self.log.note(&format!("the backlog of {} has room", self.name(node)));
        let host = self.host(node);
        self.wires.lock().hosts.set_full(host, false);
    }

    fn note_between(&self, what: &str, a: SimNode, b: SimNode) {
        self.log.note(&format!("{what} {} and {}", self.name(a), self.name(b)));
    }

    /// Returns the number of connections.
    ///
    /// ```
    /// # use fika_sim::Sim;
    /// let sim = Sim::new(1);
    /// assert_eq!(sim.connection_count(), 0);
    /// ```
    #[must_use]
    pub fn connection_count(&self) -> usize {
        self.wires.lock().connection_count()
    }

    pub(crate) fn host(&self, node: SimNode) -> HostId {
        self.members[node.0].host
    }
}
