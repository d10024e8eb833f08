//! The end of a simulation: ends the programs, waits until all nodes are idle, and checks that
//! nothing is left over.

use std::time::Duration;

use fika_net::NodeKind;
use fika_runtime::{ExitReason, NodeId};

use crate::census::{Census, Count};
use crate::failure::Failure;
use crate::network::{Network, Reads};
use crate::node::Life;
use crate::sim::Sim;

/// The limit for waiting until nothing is left. A node that was cut off notices within a ticktime.
/// A socket without an answer times out after two minutes. Attempts to connect to a missing node
/// that peers know end after up to eight minutes.
const LIMIT: Duration = Duration::from_secs(600);

/// The time between two checks.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// How long a node may take to disconnect from the others.
const DISCONNECTING: Duration = Duration::from_secs(10);

/// Timers that may start after the program has: one of net_kernel, and one with which a node that
/// listens on all addresses looks for new ones.
const TICKS: usize = 2;

impl Sim {
    /// Ends the simulation and checks that nothing is left over. Kills every process that the
    /// programs have spawned, repairs the network, and resumes paused nodes; nodes that are down
    /// stay down.
    ///
    /// Then it waits until
    ///
    /// - both ends of each connection agree that it exists, and everything sent over it has
    ///   arrived;
    /// - each node is back to the processes, names, timers, links, monitors, subscriptions and
    ///   requests that it had before its program began, and makes no attempts to connect;
    /// - no connection is left after all nodes have disconnected.
    ///
    /// Each scenario should end with this call; `#[fika::test(sim)]` makes it itself.
    ///
    /// # Errors
    /// If something is left over, or a check has failed before; see [`Checks`](crate::Checks).
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
            left.map(|of| format!("after all nodes have disconnected, {of:?} is left"))
                .or_else(|| sim.left_of(census))
        })
    }

    /// Lets time pass until `left` finds nothing.
    #[track_caller]
    fn empty(&mut self, left: impl Fn(&Sim, &Census) -> Option<String>) -> Result<(), Failure> {
        let until = self.now() + LIMIT;
        loop {
            self.run_for(LOOK_AGAIN);
            // A process that another node has asked for may have been spawned meanwhile.
            self.end_programs();
            let census = self.census()?;
            self.verdict()?;
            let Some(left) = left(self, &census) else { return Ok(()) };
            if self.now() >= until {
                return Err(self.failure(&format!("at the end, {left}")));
            }
        }
    }

    /// Kills all processes except the nodes' own. A node whose program has not begun is killed as a
    /// whole.
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

    /// Returns a description of what is left over.
    fn left_of(&self, census: &Census) -> Option<String> {
        let lives = || self.members.iter().filter_map(|member| member.life.as_ref());
        let is_alive = |id: NodeId| lives().any(|life| life.node.id() == id);
        if let Some(left) = census.one_sided().or_else(|| self.checks.order.lock().left(is_alive)) {
            return Some(left);
        }
        // Each node has a connection to its port mapper.
        if census.connections > lives().count() + self.wires_of(census) {
            return Some(format!("connections are left: {}", census.connections));
        }
        lives().find_map(|life| {
            let what = left_of_life(life, census)?;
            Some(format!("{} still has {what}", life.node.name()))
        })
    }

    /// Returns the number of connections between nodes.
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
    census
        .with_others(&own.processes)
        .or_else(|| left.then(|| format!("something left: {count:?}")))
}
