//! What there is on the nodes when all is quiet, to be the same before and after: nothing is
//! left over, and what one end of a relation has the other has as well.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::time::Duration;

use fika_runtime::{
    InfoItem, Item, Name, NodeName, Object, Pid, process_info, processes, registered, self_pid,
};

use crate::failure::Failure;
use crate::sim::{Sim, SimNode};

/// How long a node may take to count.
const COUNTING: Duration = Duration::from_secs(10);

/// How often it is looked whether all is quiet.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// What there is, on the nodes that are up. Two of them are equal if they have as much of
/// everything: which processes there are does not matter.
#[derive(Clone, Debug, Default)]
pub struct Census {
    nodes: BTreeMap<NodeName, Count>,
    connections: usize,
    relations: BTreeMap<Pid, Relations>,
}

/// What there is on one node.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Count {
    processes: usize,
    timers: usize,
    names: Vec<Name>,
    links: usize,
    monitors: usize,
    watchers: usize,
    messages: usize,
    /// The nodes that it is connected to.
    peers: usize,
}

#[derive(Clone, Debug, Default)]
struct Relations {
    links: BTreeSet<Pid>,
    /// Each as often as it is monitored.
    monitors: Vec<Pid>,
    watchers: Vec<Pid>,
}

impl PartialEq for Census {
    fn eq(&self, other: &Census) -> bool {
        (&self.nodes, self.connections) == (&other.nodes, other.connections)
    }
}

impl fmt::Display for Census {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} connections", self.connections)?;
        self.nodes.iter().try_for_each(|(name, count)| writeln!(f, "  {name}: {count:?}"))
    }
}

impl Census {
    /// A relation of which one end does not know; none if all are known to both.
    fn one_sided(&self) -> Option<String> {
        let lacks = |pid: &Pid, has: &dyn Fn(&Relations) -> bool| match self.relations.get(pid) {
            Some(relations) => !has(relations),
            // It has ended, or its node is down.
            None => true,
        };
        for (pid, of) in &self.relations {
            let mut wrong = String::new();
            for peer in of.links.iter().filter(|peer| lacks(peer, &|at| at.links.contains(pid))) {
                let _ = write!(wrong, "{pid} is linked to {peer}, which is not to it; ");
            }
            for peer in of.monitors.iter().filter(|at| lacks(at, &|at| at.watchers.contains(pid))) {
                let _ = write!(wrong, "{pid} monitors {peer}, which does not know; ");
            }
            for peer in of.watchers.iter().filter(|at| lacks(at, &|_| true)) {
                let _ = write!(wrong, "{pid} is monitored by {peer}, which is no more; ");
            }
            if !wrong.is_empty() {
                return Some(wrong);
            }
        }
        None
    }
}

impl Sim {
    /// Counts what there is, on all nodes that are up. Some time passes.
    ///
    /// # Errors
    /// When a node that is not paused does not answer.
    pub fn census(&mut self) -> Result<Census, Failure> {
        let mut census = Census::default();
        let up: Vec<SimNode> = self.nodes().filter(|node| self.is_up(*node)).collect();
        for node in up {
            let (names, relations, messages) =
                self.run_on(node, COUNTING, count()).map_err(|failure| {
                    self.failure(&format!("{} does not answer: {}", self.name(node), failure.why))
                })?;
            let all = || relations.values();
            let (processes, timers) =
                self.runtime(node).map_or((0, 0), |of| (of.process_count(), of.timer_count()));
            let count = Count {
                processes,
                timers,
                names,
                links: all().map(|of| of.links.len()).sum(),
                monitors: all().map(|of| of.monitors.len()).sum(),
                watchers: all().map(|of| of.watchers.len()).sum(),
                messages,
                peers: self.nodes_of(node).len(),
            };
            census.nodes.insert(self.name(node).clone(), count);
            census.relations.extend(relations);
        }
        census.connections = self.connection_count();
        Ok(census)
    }

    /// Lets time pass until there is what there was at this census, and both ends of each
    /// relation know of it.
    ///
    /// # Errors
    /// When that is not so in time, or something was violated; see [`Checks`](crate::Checks).
    pub fn settle(&mut self, as_at: &Census, limit: Duration) -> Result<(), Failure> {
        let until = self.now() + limit;
        loop {
            self.verdict()?;
            let now = self.census()?;
            let one_sided = now.one_sided();
            if now == *as_at && one_sided.is_none() {
                return Ok(());
            }
            if self.now() >= until {
                let why = one_sided.unwrap_or_default();
                return Err(self.failure(&format!("{why}there was:\n{as_at}there is:\n{now}")));
            }
            self.run_for(LOOK_AGAIN);
        }
    }
}

/// Names, relations and messages of the running process's node.
async fn count() -> (Vec<Name>, BTreeMap<Pid, Relations>, usize) {
    let mut names = registered();
    names.sort_unstable();
    let items = [Item::Links, Item::Monitors, Item::MonitoredBy, Item::MessageQueueLen];
    let (mut all, mut messages) = (BTreeMap::new(), 0);
    for pid in processes().into_iter().filter(|pid| *pid != self_pid()) {
        let mut relations = Relations::default();
        for item in process_info(pid, &items).await.unwrap_or_default() {
            match item {
                InfoItem::Links(links) => relations.links = links.into_iter().collect(),
                InfoItem::Monitors(objects) => {
                    // A name's owner is not known here.
                    let pids = objects.into_iter().filter_map(|object| match object {
                        Object::Pid(pid) => Some(pid),
                        Object::Name(..) => None,
                    });
                    relations.monitors = pids.collect();
                }
                InfoItem::MonitoredBy(watchers) => relations.watchers = watchers,
                InfoItem::MessageQueueLen(len) => messages += len,
                _ => {}
            }
        }
        all.insert(pid, relations);
    }
    (names, all, messages)
}
