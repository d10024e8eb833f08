//! A process that uses links, monitors and spawns with other nodes in all ways. It knows which
//! signals it must receive.

use fika::process::unlink;
use std::collections::{BTreeMap, BTreeSet};

use fika::message::Reference;
use fika::net::monitor_node;
use fika::node::NodeName;
use fika::prelude::*;
use fika::process::{
    Object, SpawnOpts, SpawnReply, demonitor_flush, spawn_link_on, spawn_monitor_on,
    spawn_request_on,
};
use fika::sim::Checks;
use serde::{Deserialize, Serialize};

use crate::target::{
    Child, Enough, LinkBack, Linked, NAMES, Unlink, name, parent, target, watcher,
};

/// Lets an agent begin.
#[derive(Message, Serialize, Deserialize)]
pub(crate) struct Begin;

/// Tells an agent to do nothing more, and to wait for the reports of what it has done.
#[derive(Message, Serialize, Deserialize)]
pub(crate) struct Rest;

pub(crate) struct Agent {
    checks: Checks,
    /// The other nodes.
    others: Vec<String>,
    random: u64,
    known: Vec<Pid>,
    monitors: BTreeMap<Reference, Object>,
    /// How many ends of each process must be reported to this one.
    links: BTreeMap<Pid, usize>,
    /// Processes that may have linked themselves.
    maybe: BTreeSet<Pid>,
    /// Processes that were told to unlink themselves. No further link with them is made.
    apart: BTreeSet<Pid>,
    /// Spawn requests, and whether each has a monitor.
    requests: BTreeMap<Reference, bool>,
    /// How often it watches each node.
    watches: BTreeMap<NodeName, usize>,
    is_resting: bool,
}

impl Agent {
    pub(crate) fn new(checks: Checks, others: Vec<String>, random: u64) -> Agent {
        Agent {
            checks,
            others,
            random,
            known: Vec::new(),
            monitors: BTreeMap::new(),
            links: BTreeMap::new(),
            maybe: BTreeSet::new(),
            apart: BTreeSet::new(),
            requests: BTreeMap::new(),
            watches: BTreeMap::new(),
            is_resting: false,
        }
    }

    /// Acts at intervals until it is stopped. Then waits for the reports that must still come.
    pub(crate) async fn run(mut self, pause: Duration) {
        trap_exit(true);
        loop {
            if !self.is_resting {
                self.act().await;
            }
            if self.next(pause).await {
                break;
            }
        }
        while !self.is_done() {
            self.end_targets();
            for _ in 0..50 {
                self.next(millis(100)).await;
            }
        }
        self.end_targets();
        for (node, count) in std::mem::take(&mut self.watches) {
            (0..count).for_each(|_| drop(monitor_node(&node, false)));
        }
    }

    /// Returns a number below `n`, made with Knuth's multiplier.
    fn below(&mut self, n: usize) -> usize {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.random >> 33) as usize % n
    }

    fn one_of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }

    /// Returns a pause that is about as long as a round trip to another node.
    fn any_pause(&mut self) -> Duration {
        self.one_of(&[Duration::ZERO, millis(1), millis(30), millis(200)])
    }

    async fn act(&mut self) {
        let node = self.one_of(&self.others.clone());
        let child = Child { trap: self.below(2) == 0, name: self.below(NAMES * 2) };
        let known = (!self.known.is_empty()).then(|| self.one_of(&self.known.clone()));
        match (self.below(16), known) {
            (0, _) | (_, None) => {
                let (pid, monitor) = spawn_monitor_on(node, target(child)).await;
                self.monitors.insert(monitor, Object::Pid(pid));
                self.meet(pid);
            }
            (1, _) => {
                let pid = spawn_link_on(node, target(child)).await;
                *self.links.entry(pid).or_default() += 1;
                self.meet(pid);
            }
            (2, _) => self.request(node, child),
            (3, _) => self.monitor_name(&node),
            (4, _) => self.watch(&node),
            (5, _) => self.short_lived(node, child),
            (6, _) => {
                if let Some((monitor, _)) = self.monitors.pop_first() {
                    demonitor_flush(monitor);
                }
            }
            (7, Some(pid)) => drop(self.monitors.insert(monitor(pid), Object::Pid(pid))),
            (8, Some(pid)) => self.link(pid),
            // This links to a process that is about to end.
            (9, Some(pid)) => {
                exit_process(pid, ExitReason::Kill);
                self.link(pid);
            }
            (10 | 11, Some(pid)) if !self.maybe.contains(&pid) => self.unlink(pid).await,
            (12, Some(pid)) => self.part(pid).await,
            (13, Some(pid)) => self.ask_to_link(pid).await,
            (_, Some(pid)) => send(pid, Enough),
        }
    }

    /// Remembers a process, which may never have existed.
    fn meet(&mut self, pid: Pid) {
        if pid.node().creation().0 != 0 {
            self.known.push(pid);
        }
    }

    /// Requests a process. The monitor may be removed before the process exists.
    fn request(&mut self, node: String, child: Child) {
        let request = spawn_request_on(node, SpawnOpts::new().monitor(), target(child));
        let is_kept = self.below(2) == 0;
        if !is_kept {
            demonitor(request);
        }
        self.requests.insert(request, is_kept);
    }

    fn monitor_name(&mut self, node: &str) {
        let name = name(self.below(NAMES));
        let monitor = monitor((name.as_str(), node));
        let node = node.parse().expect("it is a node's name");
        self.monitors.insert(monitor, Object::Name(name.as_str().into(), node));
    }

    fn watch(&mut self, node: &str) {
        monitor_node(node, true).expect("the node has a name");
        *self.watches.entry(node.parse().expect("it is a node's name")).or_default() += 1;
    }

    fn short_lived(&mut self, node: String, child: Child) {
        let pause = self.any_pause();
        if self.below(2) == 0 {
            let reason = self.one_of(&[ExitReason::Normal, ExitReason::Shutdown]);
            spawn(parent(node, child, pause, reason));
        } else {
            spawn(watcher(node, pause));
        }
    }

    fn link(&mut self, pid: Pid) {
        let is_linked = self.links.contains_key(&pid) || self.maybe.contains(&pid);
        if !is_linked && !self.apart.contains(&pid) {
            link(pid);
            self.links.insert(pid, 1);
        }
    }

    async fn unlink(&mut self, pid: Pid) {
        unlink(pid);
        self.links.remove(&pid);
        receive! {
            Exit { from, .. } if from == pid => {}
            after Duration::ZERO => {}
        }
    }

    /// Removes a link from both ends at about the same time.
    async fn part(&mut self, pid: Pid) {
        if self.links.contains_key(&pid) && self.apart.insert(pid) {
            send(pid, Unlink(self_pid()));
            let pause = self.any_pause();
            sleep(pause).await;
            self.unlink(pid).await;
        }
    }

    async fn ask_to_link(&mut self, pid: Pid) {
        let is_linked = self.links.contains_key(&pid) || self.apart.contains(&pid);
        if is_linked || !self.maybe.insert(pid) {
            return;
        }
        let asked = monitor(pid);
        send(pid, LinkBack(self_pid()));
        receive! {
            Linked(from) if from == pid => {
                demonitor_flush(asked);
                self.linked(pid);
            }
            Down { monitor, .. } if monitor == asked => {}
        }
    }

    fn linked(&mut self, pid: Pid) {
        let asked = self.maybe.remove(&pid);
        self.checks.hold(asked, || format!("{pid} was not asked to link itself"));
        self.links.insert(pid, 1);
    }

    fn end_targets(&self) {
        self.known.iter().for_each(|pid| send(*pid, Enough));
        for object in self.monitors.values() {
            if let Object::Name(name, node) = object {
                send((name.as_str(), node), Enough);
            }
        }
    }

    fn is_done(&self) -> bool {
        self.monitors.is_empty() && self.links.is_empty() && self.requests.is_empty()
    }

    /// Receives the next message, or none for a while. Returns whether it was stopped.
    async fn next(&mut self, pause: Duration) -> bool {
        receive! {
            Down { monitor, object, reason } => {
                let was = self.monitors.remove(&monitor);
                self.checks.hold(was.as_ref() == Some(&object), || {
                    format!("{} hears of the end of {object:?}, {reason}, and has {was:?}", self_pid())
                });
            }
            Exit { from, reason } => self.exit(from, &reason),
            // The monitor was lost with a connection, but the request was not.
            Linked(from) => self.linked(from),
            SpawnReply { reference, result } => self.spawned(reference, result.ok()),
            NodeDown { node, .. } => self.node_down(&node),
            Rest => self.is_resting = true,
            Enough => return true,
            after pause => {}
        }
        false
    }

    fn exit(&mut self, from: Pid, reason: &ExitReason) {
        match self.links.get_mut(&from) {
            Some(1) => drop(self.links.remove(&from)),
            Some(count) => *count -= 1,
            None => {
                let may_be = self.maybe.remove(&from);
                self.checks
                    .hold(may_be, || format!("{} is not linked to {from}: {reason}", self_pid()));
            }
        }
    }

    fn spawned(&mut self, request: Reference, child: Option<Pid>) {
        let asked = self.requests.remove(&request);
        self.checks.hold(asked.is_some(), || format!("{} has not asked {request:?}", self_pid()));
        if let Some(pid) = child {
            self.meet(pid);
            if asked == Some(true) {
                self.monitors.insert(request, Object::Pid(pid));
            }
        }
    }

    fn node_down(&mut self, node: &NodeName) {
        let watches = self.watches.get_mut(node).filter(|count| **count > 0);
        self.checks.hold(watches.is_some(), || format!("{} does not watch {node}", self_pid()));
        if let Some(count) = watches {
            *count -= 1;
        }
    }
}
