//! Counts the processes, timers, relations and connections on all nodes when they are idle. Tests
//! compare the counts from before and after, to find leaks. Both ends of each link and monitor must
//! know of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use fika_net::__private::Tables;
use fika_net::Distribution;
use fika_runtime::{
    InfoItem, Item, Name, Node, NodeName, Object, Pid, process_info, processes, registered,
    self_pid,
};

use crate::failure::Failure;
use crate::sim::Sim;

/// How long a node may take to count.
const COUNTING: Duration = Duration::from_secs(10);

/// The time between two checks whether all nodes are idle.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// The number of processes, timers, relations and connections on the nodes that are up. Two
/// values are equal if all counts are equal; the identity of the processes does not matter.
///
/// ```
/// # use std::time::Duration;
/// # use fika_sim::{Census, Sim};
/// let mut sim = Sim::new(1);
/// sim.node("a@host1", std::future::pending::<()>);
/// sim.run_for(Duration::from_secs(1));
/// let before: Census = sim.census()?;
/// sim.run_for(Duration::from_secs(3600));
/// // An idle node starts nothing.
/// assert_eq!(sim.census()?, before);
/// # Ok::<(), fika_sim::Failure>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Census {
    pub(crate) nodes: BTreeMap<NodeName, Count>,
    pub(crate) connections: usize,
    relations: BTreeMap<Pid, Relations>,
}

/// The counts of one node.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Count {
    pub(crate) processes: usize,
    pub(crate) timers: usize,
    pub(crate) names: Vec<Name>,
    pub(crate) links: usize,
    pub(crate) monitors: usize,
    pub(crate) watchers: usize,
    pub(crate) messages: usize,
    /// Unlinks and requests to spawn without an answer.
    pub(crate) unanswered: usize,
    /// Ended processes that are still owed an answer.
    pub(crate) orphans: usize,
    /// The number of nodes that the node is connected to.
    pub(crate) peers: usize,
    pub(crate) tables: Tables,
}

/// The result of a count, as a process of the node finds it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    pub(crate) names: Vec<Name>,
    relations: BTreeMap<Pid, Relations>,
    messages: usize,
    unanswered: usize,
    pub(crate) tables: Tables,
}

#[derive(Clone, Debug, Default)]
struct Relations {
    links: BTreeSet<Pid>,
    /// The monitored processes, each once per monitor.
    monitors: Vec<Pid>,
    named_monitors: usize,
    watchers: Vec<Pid>,
}

impl PartialEq for Census {
    fn eq(&self, other: &Census) -> bool {
        (&self.nodes, self.connections) == (&other.nodes, other.connections)
    }
}

impl fmt::Display for Census {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "connections: {}", self.connections)?;
        self.nodes.iter().try_for_each(|(name, count)| writeln!(f, "  {name}: {count:?}"))
    }
}

impl Census {
    /// Returns a description of a relation between one of these processes and any other process.
    pub(crate) fn with_others(&self, own: &BTreeSet<Pid>) -> Option<String> {
        own.iter().find_map(|pid| {
            let of = self.relations.get(pid)?;
            let peers = of.links.iter().chain(&of.monitors).chain(&of.watchers);
            let other = peers.into_iter().find(|peer| !own.contains(peer))?;
            Some(format!("a link or a monitor between {pid} and {other}"))
        })
    }

    /// Returns a description of the relations that only one end knows of; `None` if there are none.
    pub(crate) fn one_sided(&self) -> Option<String> {
        let lacks = |pid: &Pid, has: &dyn Fn(&Relations) -> bool| match self.relations.get(pid) {
            Some(relations) => !has(relations),
            // The process has ended, or its node is down.
            None => true,
        };
        for (pid, of) in &self.relations {
            let mut wrong = String::new();
            for peer in of.links.iter().filter(|peer| lacks(peer, &|at| at.links.contains(pid))) {
                let _ = write!(wrong, "{pid} is linked to {peer}, but {peer} has no such link; ");
            }
            for peer in of.monitors.iter().filter(|at| lacks(at, &|at| at.watchers.contains(pid))) {
                let _ = write!(wrong, "{pid} monitors {peer}, but {peer} does not know; ");
            }
            for peer in &of.watchers {
                let held = |at: &Relations| {
                    let watched = of.watchers.iter().filter(|watcher| *watcher == peer).count();
                    let monitors = at.monitors.iter().filter(|object| *object == pid).count();
                    monitors + at.named_monitors >= watched
                };
                if lacks(peer, &held) {
                    let _ =
                        write!(wrong, "{pid} is monitored by {peer}, but {peer} does not know; ");
                }
            }
            if !wrong.is_empty() {
                return Some(wrong);
            }
        }
        None
    }
}

impl Sim {
    /// Counts the processes, timers, relations and connections on all nodes that are up. Some
    /// simulated time passes.
    ///
    /// # Errors
    /// If a node that is not paused does not answer.
    #[track_caller]
    pub fn census(&mut self) -> Result<Census, Failure> {
        let (mut census, location) = (Census::default(), Location::caller());
        for node in self.nodes() {
            let Some(life) = &self.members[node.0].life else { continue };
            let (net, before) = (life.net.clone(), life.monitors());
            let found = self.run_on(node, COUNTING, count(net)).map_err(|failure| {
                self.failure_at(
                    location,
                    &format!("{} does not answer: {}", self.name(node), failure.why),
                )
            })?;
            let Some(life) = &self.members[node.0].life else { continue };
            // Only monitors that exist for the whole count.
            let after = life.monitors();
            for (pid, of) in &found.relations {
                let [before, after] = [&before, &after].map(|of| of.get(pid));
                let (Some(before), Some(after)) = (before, after) else { continue };
                let lost =
                    before.intersection(after).count() > of.monitors.len() + of.named_monitors;
                self.checks.hold(!lost, || format!("a monitor of {pid} ended without a Down"));
            }
            let count = Count::of(&life.node, self.nodes_of(node).len(), &found);
            census.nodes.insert(self.name(node).clone(), count);
            census.relations.extend(found.relations);
        }
        census.connections = self.connection_count();
        Ok(census)
    }

    /// Lets time pass until all counts are as they were in `as_at`, and both ends of each relation
    /// know of it.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use fika_runtime::sleep;
    /// # use fika_sim::Sim;
    /// let mut sim = Sim::new(1);
    /// let a = sim.node("a@host1", std::future::pending::<()>);
    /// sim.run_for(Duration::from_secs(1));
    /// let before = sim.census()?;
    /// sim.spawn(a, async { sleep(Duration::from_secs(10)).await });
    /// // The process ends, and leaves nothing behind.
    /// sim.settle(&before, Duration::from_secs(60))?;
    /// # Ok::<(), fika_sim::Failure>(())
    /// ```
    ///
    /// # Errors
    /// If the time limit passes first, or a check fails; see [`Checks`](crate::Checks).
    #[track_caller]
    pub fn settle(&mut self, as_at: &Census, limit: Duration) -> Result<(), Failure> {
        self.count_until(limit, |now| {
            let one_sided = now.one_sided();
            if now == as_at && one_sided.is_none() {
                return None;
            }
            let why = one_sided.unwrap_or_default();
            Some(format!("{why}there was:\n{as_at}there is:\n{now}"))
        })
    }

    /// Lets time pass until both ends of each link and monitor know of it, both ends of each
    /// removed link have forgotten it, and each request to spawn has its answer. Call this when the
    /// program no longer makes or removes relations.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use fika_runtime::spawn_link;
    /// # use fika_sim::Sim;
    /// let mut sim = Sim::new(1);
    /// sim.node("a@host1", || async {
    ///     spawn_link(std::future::pending::<()>());
    ///     std::future::pending::<()>().await
    /// });
    /// sim.run_for(Duration::from_secs(1));
    /// sim.rest(Duration::from_secs(1))?;
    /// # Ok::<(), fika_sim::Failure>(())
    /// ```
    ///
    /// # Errors
    /// If the time limit passes first, or a check fails; see [`Checks`](crate::Checks).
    #[track_caller]
    pub fn rest(&mut self, limit: Duration) -> Result<(), Failure> {
        self.count_until(limit, |now| {
            let unanswered = || {
                let of = |count: &&Count| count.unanswered + count.orphans > 0;
                let left = now.nodes.values().find(of)?;
                Some(format!("an unlink or a request to spawn has no answer: {left:?}"))
            };
            now.one_sided().or_else(unanswered)
        })
    }

    /// Lets time pass until `wrong` finds nothing wrong with the counts.
    #[track_caller]
    fn count_until(
        &mut self,
        limit: Duration,
        wrong: impl Fn(&Census) -> Option<String>,
    ) -> Result<(), Failure> {
        let until = self.now() + limit;
        loop {
            self.verdict()?;
            let now = self.census()?;
            let Some(why) = wrong(&now) else { return Ok(()) };
            if self.now() >= until {
                return Err(self.failure(&why));
            }
            self.run_for(LOOK_AGAIN);
        }
    }
}

impl Count {
    pub(crate) fn of(node: &Node, peers: usize, found: &Found) -> Count {
        let all = || found.relations.values();
        Count {
            processes: node.process_count(),
            timers: node.timer_count(),
            names: found.names.clone(),
            links: all().map(|of| of.links.len()).sum(),
            monitors: all().map(|of| of.monitors.len() + of.named_monitors).sum(),
            watchers: all().map(|of| of.watchers.len()).sum(),
            messages: found.messages,
            unanswered: found.unanswered,
            orphans: node.orphan_count(),
            peers,
            tables: found.tables.clone(),
        }
    }
}

/// Counts on the node of the running process.
pub(crate) async fn count(net: Arc<Distribution>) -> Found {
    let mut names = registered();
    names.sort_unstable();
    let items =
        [Item::Links, Item::Monitors, Item::MonitoredBy, Item::MessageQueueLen, Item::Unanswered];
    let (mut all, mut messages, mut unanswered) = (BTreeMap::new(), 0, 0);
    for pid in processes().into_iter().filter(|pid| *pid != self_pid()) {
        let mut relations = Relations::default();
        for item in process_info(pid, &items).await.unwrap_or_default() {
            match item {
                InfoItem::Links(links) => relations.links = links.into_iter().collect(),
                InfoItem::Monitors(objects) => {
                    for object in objects {
                        match object {
                            Object::Pid(pid) => relations.monitors.push(pid),
                            // The owner of a name is not known here.
                            Object::Name(..) => relations.named_monitors += 1,
                        }
                    }
                }
                InfoItem::MonitoredBy(watchers) => relations.watchers = watchers,
                InfoItem::MessageQueueLen(len) => messages += len,
                InfoItem::Unanswered(count) => unanswered += count,
                _ => {}
            }
        }
        all.insert(pid, relations);
    }
    Found { names, relations: all, messages, unanswered, tables: net.tables().await }
}
