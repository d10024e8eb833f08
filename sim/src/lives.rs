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
    /// sim.lose_power(b);
    /// assert!(!sim.is_up(b));
    /// // Its peer still believes in the connection, until the tick time is over.
    /// assert!(sim.nodes_of(a).contains(&b));
    /// sim.run_for(Duration::from_secs(90));
    /// assert!(sim.nodes_of(a).is_empty());
    /// # Ok::<(), fika_sim::Failure>(())
    /// ```
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
    /// // A pause that is shorter than the tick time costs no connection.
    /// sim.pause(b);
    /// sim.run_for(Duration::from_secs(20));
    /// sim.resume(b);
    /// sim.run_for(Duration::from_secs(60));
    /// assert!(sim.nodes_of(a).contains(&b));
    /// # Ok::<(), fika_sim::Failure>(())
    /// ```
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
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use fika_sim::Sim;
    /// let hour = Duration::from_secs(3600);
    /// let mut sim = Sim::new(1);
    /// let a = sim.node("a@host1", std::future::pending::<()>);
    /// let before = sim.runtime(a).expect("the node is up").env().now();
    /// sim.jump_clock(a, hour);
    /// let after = sim.runtime(a).expect("the node is up").env().now();
    /// assert!(after.since(before) >= hour);
    /// ```
    pub fn jump_clock(&mut self, node: SimNode, by: Duration) {
        self.set_clocks(node, &format!("jumps by {by:?}"), |wrong| wrong.ahead += by);
    }

    /// Sets the node's wall clock, forward or back, as a user may do. Timers and the monotonic
    /// clock are not affected.
    ///
    /// ```
    /// # use std::time::{Duration, SystemTime};
    /// # use fika_sim::Sim;
    /// let mut sim = Sim::new(1);
    /// let a = sim.node("a@host1", std::future::pending::<()>);
    /// let year_2001 = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    /// sim.set_wall_clock(a, year_2001);
    /// assert_eq!(sim.runtime(a).expect("the node is up").env().wall(), year_2001);
    /// ```
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
