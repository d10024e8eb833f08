//! The end of a simulation: the programs end, all is quiet, and nothing is left of what they did.

use std::time::Duration;

use fika_net::NodeKind;
use fika_runtime::{ExitReason, NodeId};

use crate::census::{Census, Count};
use crate::failure::Failure;
use crate::network::{Network, Reads};
use crate::node::Life;
use crate::sim::Sim;

/// How long it may take until nothing is left: a node that was cut off learns of it within a
/// ticktime, a socket that gets no answer times out after two minutes, and attempts to connect to a
/// missing node that peers know end after up to eight.
const LIMIT: Duration = Duration::from_secs(600);

/// How often to look.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// How long a node may take to disconnect the others.
const DISCONNECTING: Duration = Duration::from_secs(10);

/// Timers that may start after the program: net_kernel's, and the mapper's look for new addresses
/// on a node that listens on all of them.
const TICKS: usize = 2;

impl Sim {
    /// Ends the simulation. All that the programs have spawned is killed, the network is mended,
    /// and paused nodes go on; nodes that are down stay so. Then nothing may be left: both ends
    /// of a connection agree that it is there; what was sent over it has come; no process, name,
    /// timer, link, monitor, watch, subscription or request is there that was not when the
    /// program began, and no attempt to connect. When all have disconnected, no connection is.
    ///
    /// Each scenario should end with this; `#[fika::test(sim)]` calls it by itself.
    ///
    /// # Errors
    /// If something is left, or a check has failed before; see [`Checks`](crate::Checks).
    #[track_caller]
    pub fn finish(mut self) -> Result<(), Failure> {
        self.verdict()?;
        self.end_programs();
        self.heal();
        let reads = Reads::Whole;
        self.change_network(|network| *network = Network { reads, ..Network::default() });
        for node in self.nodes() {
            self.resume(node);
        }
        self.empty(Sim::left_of)?;
        self.disconnect_all()?;
        self.empty(|sim, census| {
            let connected = |of: &&Count| of.tables.by_name + of.tables.by_id > 0;
            let left = census.nodes.values().find(connected);
            left.map(|of| format!("all have disconnected, and there is {of:?}"))
                .or_else(|| sim.left_of(census))
        })
    }

    /// Lets time pass until nothing is left.
    #[track_caller]
    fn empty(&mut self, left: impl Fn(&Sim, &Census) -> Option<String>) -> Result<(), Failure> {
        let until = self.now() + LIMIT;
        loop {
            self.run_for(LOOK_AGAIN);
            // A child that was asked for from another node may have come meanwhile.
            self.end_programs();
            let census = self.census()?;
            self.verdict()?;
            let Some(left) = left(self, &census) else { return Ok(()) };
            if self.now() >= until {
                return Err(self.failure(&format!("at the end {left}")));
            }
        }
    }

    /// Kills what is not the nodes' own. A node whose program has not begun is killed as a whole.
    fn end_programs(&mut self) {
        for node in self.nodes() {
            let Some(life) = &self.members[node.0].life else { continue };
            let Some(own) = life.own() else {
                self.crash(node);
                continue;
            };
            for pid in life.node.processes().filter(|pid| !own.processes.contains(pid)) {
                life.node.exit_process(pid, ExitReason::Kill);
            }
            self.touch(node.0);
        }
    }

    #[track_caller]
    fn disconnect_all(&mut self) -> Result<(), Failure> {
        for node in self.nodes() {
            let Some(life) = &self.members[node.0].life else { continue };
            let peers = life.net.nodes_of(NodeKind::Connected);
            self.run_on(node, DISCONNECTING, async move {
                for peer in peers {
                    fika_net::disconnect_node(peer.as_str()).await;
                }
            })?;
        }
        Ok(())
    }

    /// What is there that should not be.
    fn left_of(&self, census: &Census) -> Option<String> {
        let lives = || self.members.iter().filter_map(|member| member.life.as_ref());
        let is_alive = |id: NodeId| lives().any(|life| life.node.id() == id);
        if let Some(left) = census.one_sided().or_else(|| self.checks.order.lock().left(is_alive)) {
            return Some(left);
        }
        // Each has one to its port mapper.
        if census.connections > lives().count() + self.wires_of(census) {
            return Some(format!("connections are left: {}", census.connections));
        }
        lives().find_map(|life| {
            let what = left_of_life(life, census)?;
            Some(format!("there is on {} {what}", life.node.name()))
        })
    }

    /// How many connections the nodes have with each other.
    fn wires_of(&self, census: &Census) -> usize {
        census.nodes.values().map(|count| count.tables.by_id).sum::<usize>().div_ceil(2)
    }
}

fn left_of_life(life: &Life, census: &Census) -> Option<String> {
    let own = life.own()?;
    let count = census.nodes.get(&life.node.name())?;
    let processes = life.node.processes();
    if let Some(pid) = processes.into_iter().find(|pid| !own.processes.contains(pid)) {
        return Some(format!("the process {}", life.called(pid)));
    }
    let Count { names, timers, messages, unanswered, orphans, tables, .. } = count;
    let is_own = |name| own.names.contains(name);
    let tables_left = tables.pending > 0
        || tables.attempts > 0
        || tables.candidates > 0
        || tables.subscriptions > 0
        || tables.output_bytes > 0
        || tables.by_name != tables.by_id;
    let others_left = messages + unanswered + orphans > 0 || *timers > own.timers.max(TICKS);
    let left = tables_left || others_left || !names.iter().all(is_own);
    census.with_others(&own.processes).or_else(|| left.then(|| format!("something: {count:?}")))
}
