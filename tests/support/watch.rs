//! A hidden node of the test that learns what the nodes of other programs see of each other, and
//! asks them for their state.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::mpsc;

use fika::net::{NodeDownReason, Ping as PingAnswer, monitor_nodes, ping};
use fika::node::NodeName;
use fika::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Answer, Ask, Clock, EndWith, IS_SANITIZED, LIMIT, TestNode, answerer, down, until};

/// How many KiB a node's memory may grow after a fault: the memory that the allocator keeps after a
/// few connections.
const GROWTH_MAX: u64 = 1 << 10;

/// The allocator also keeps the memory of hundreds of simultaneous connections, for each thread
/// that served them. Later connections use it again, so memory stops growing after this many rounds
/// at most.
const ROUNDS: usize = 6;

/// A change of a connection that a node has seen.
#[derive(Message, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
#[message(tag = "test::Seen")]
pub(crate) struct Seen {
    pub(crate) by: NodeName,
    pub(crate) node: NodeName,
    /// Why the connection ended, if it did.
    pub(crate) down: Option<NodeDownReason>,
}

/// The state of a node, which must return to what it was.
#[derive(Message, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
#[message(tag = "test::Vitals")]
pub(crate) struct Vitals {
    pub(crate) nodes: usize,
    pub(crate) processes: usize,
    pub(crate) files: usize,
    /// The memory in use, in KiB. Only its own memory counts, since pages of the program are read
    /// when they first run. Zero under a sanitizer, which keeps memory that was freed.
    pub(crate) memory: u64,
}

#[derive(Message, Serialize, Deserialize)]
#[message(tag = "test::AskVitals")]
struct AskVitals;

/// Tries to reach these nodes.
#[derive(Message, Serialize, Deserialize)]
#[message(tag = "test::Reach")]
struct Reach(Vec<NodeName>);

#[derive(Message, Serialize, Deserialize)]
#[message(tag = "test::Reached")]
struct Reached(bool);

/// Talks to a process on this node: this many questions at once, whose answers come in order.
#[derive(Message, Serialize, Deserialize)]
#[message(tag = "test::Talk")]
struct Talk(NodeName, u64);

/// Reports to `to` what its node sees.
#[remote(name = "test::watcher")]
async fn watcher(to: Pid) {
    monitor_nodes(true);
    let here = self_pid().node().name();
    loop {
        receive! {
            NodeUp { node, .. } => send(to, Seen { by: here.clone(), node, down: None }),
            NodeDown { node, reason, .. } => send(to, Seen { by: here.clone(), node, down: Some(reason) }),
            AskVitals => send(to, vitals()),
            Reach(nodes) => {
                let mut all = true;
                for node in nodes {
                    all &= ping(node).await == PingAnswer::Pong;
                }
                send(to, Reached(all));
            },
            Talk(node, rounds) => {
                talk(&node, rounds).await;
                send(to, Reached(true));
            },
        }
    }
}

async fn talk(node: &NodeName, rounds: u64) {
    let with = spawn_on(node, answerer()).await;
    (0..rounds).for_each(|n| send(with, Ask { from: self_pid(), n }));
    for n in 0..rounds {
        assert_eq!(crate::next!(Answer).n, n);
    }
    let monitor = fika::process::monitor(with);
    send(with, EndWith(ExitReason::Normal));
    down(monitor).await;
}

fn vitals() -> Vitals {
    let status = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
    let memory = status.lines().find_map(|line| line.strip_prefix("RssAnon:")?.strip_suffix("kB"));
    let memory = memory.expect("it uses memory").trim().parse().expect("a number");
    Vitals {
        nodes: nodes().len(),
        processes: fika::inspect::process_count(),
        files: std::fs::read_dir("/proc/self/fd").expect("this is Linux").count(),
        memory: if IS_SANITIZED { 0 } else { memory },
    }
}

/// A report of a watcher.
enum Report {
    Seen(Seen),
    Vitals(Vitals),
    Reached(bool),
}

impl Report {
    fn reached(self) -> Option<bool> {
        if let Report::Reached(all) = self { Some(all) } else { None }
    }

    fn vitals(self) -> Option<Vitals> {
        if let Report::Vitals(vitals) = self { Some(vitals) } else { None }
    }
}

/// The test's side of the watchers.
pub(crate) struct Watch {
    eye: TestNode,
    watchers: Vec<Pid>,
    reports: mpsc::Receiver<Report>,
    /// Reports that have arrived and were not requested yet.
    seen: RefCell<VecDeque<Seen>>,
    /// The state of the nodes when everything was well.
    well: RefCell<Vec<Vitals>>,
}

impl Watch {
    /// Watches these nodes through a hidden one.
    pub(crate) fn new(eye: TestNode, nodes: Vec<String>) -> Watch {
        let (report, reports) = mpsc::channel();
        let collector = eye.spawn(async move {
            loop {
                let came = receive! {
                    seen: Seen => Report::Seen(seen),
                    vitals: Vitals => Report::Vitals(vitals),
                    Reached(all) => Report::Reached(all),
                };
                if report.send(came).is_err() {
                    return;
                }
            }
        });
        let collector = collector.expect("the node is up");
        let watchers = eye.block_on(async move {
            let mut watchers = Vec::new();
            for node in nodes {
                watchers.push(spawn_on(&node, watcher(collector)).await);
            }
            watchers
        });
        let watch =
            Watch { eye, watchers, reports, seen: RefCell::default(), well: RefCell::default() };
        // From here on, the nodes watch.
        watch.vitals();
        watch
    }

    /// Returns the name of a node.
    pub(crate) fn name(&self, node: usize) -> NodeName {
        self.watchers[node].node().name()
    }

    /// Returns the next change that any of the nodes sees.
    #[track_caller]
    pub(crate) fn next(&self) -> Seen {
        if let Some(seen) = self.seen.borrow_mut().pop_front() {
            return seen;
        }
        match self.reports.recv_timeout(LIMIT) {
            Ok(Report::Seen(seen)) => seen,
            Ok(_) => panic!("nothing was asked for"),
            Err(_) => panic!("nothing was seen within the limit"),
        }
    }

    /// Checks that the next changes that the nodes see, in any order, are these.
    #[track_caller]
    pub(crate) fn expect(&self, mut wanted: Vec<Seen>) {
        while !wanted.is_empty() {
            let seen = self.next();
            let place = wanted.iter().position(|want| *want == seen);
            wanted.swap_remove(place.unwrap_or_else(|| panic!("{seen:?} is none of {wanted:?}")));
        }
    }

    /// Checks that the nodes have seen no further change so far.
    #[track_caller]
    pub(crate) fn expect_no_more(&self) {
        self.vitals();
        assert_eq!(*self.seen.borrow(), []);
    }

    /// Returns the report that a node saw another one go or come.
    pub(crate) fn saw(&self, by: usize, node: usize, down: Option<NodeDownReason>) -> Seen {
        Seen { by: self.name(by), node: self.name(node), down }
    }

    /// Returns the state of all nodes.
    #[track_caller]
    pub(crate) fn vitals(&self) -> Vec<Vitals> {
        self.watchers.iter().map(|pid| self.ask(*pid, AskVitals, Report::vitals)).collect()
    }

    /// Returns whether a node reaches these others.
    #[track_caller]
    pub(crate) fn reaches(&self, by: usize, nodes: &[usize]) -> bool {
        let names = nodes.iter().map(|node| self.name(*node)).collect();
        self.ask(self.watchers[by], Reach(names), Report::reached)
    }

    /// Lets processes of two nodes talk.
    #[track_caller]
    pub(crate) fn talk(&self, by: usize, with: usize, rounds: u64) {
        self.ask(self.watchers[by], Talk(self.name(with), rounds), Report::reached);
    }

    /// Connects all nodes, and records their state as the one to return to.
    #[track_caller]
    pub(crate) fn mesh(&self) {
        self.join();
        *self.well.borrow_mut() = self.vitals();
        self.seen.borrow_mut().clear();
    }

    /// Repeats `fault`, with the number of the round, until the nodes need no more memory for it
    /// than in the round before. Everything else must return to its state each time.
    #[track_caller]
    pub(crate) fn expect_well_after(&self, fault: impl Fn(usize)) {
        for round in 1..=ROUNDS {
            fault(round);
            let before: Vec<u64> = self.well.borrow().iter().map(|well| well.memory).collect();
            self.well.borrow_mut().iter_mut().for_each(|well| well.memory = u64::MAX >> 1);
            self.expect_well();
            *self.well.borrow_mut() = self.vitals();
            let well = self.well.borrow();
            if well.iter().zip(before).all(|(well, before)| well.memory <= before + GROWTH_MAX) {
                return;
            }
        }
        panic!("memory grows each time: {:#?}", self.well.borrow());
    }

    /// Lets all nodes connect to all others.
    #[track_caller]
    fn join(&self) {
        let count = self.watchers.len();
        for by in 0..count {
            let others: Vec<usize> = (0..count).filter(|node| *node != by).collect();
            assert!(self.reaches(by, &others), "{by} does not reach all");
        }
        until("the mesh is full", || self.vitals().iter().all(|vitals| vitals.nodes == count - 1));
    }

    /// Connects the nodes again, and checks that they return to their state before the fault.
    #[track_caller]
    pub(crate) fn expect_well(&self) {
        self.join();
        let well = self.well.borrow();
        // When the state was recorded, a process that had accepted a connection may have been about
        // to end.
        let is_well = |now: &Vitals, well: &Vitals| {
            now.processes <= well.processes
                && now.files <= well.files
                && now.memory <= well.memory + GROWTH_MAX
        };
        let clock = Clock::new();
        loop {
            let now = self.vitals();
            if now.iter().zip(&*well).all(|(now, well)| is_well(now, well)) {
                break;
            }
            assert!(clock.elapsed() < LIMIT, "{now:#?} is not what it was: {well:#?}");
        }
        self.seen.borrow_mut().clear();
    }

    /// Asks a watcher, and keeps the reports that arrive meanwhile.
    #[track_caller]
    fn ask<T>(&self, watcher: Pid, what: impl Message, answer: impl Fn(Report) -> Option<T>) -> T {
        self.eye.send(watcher, what).expect("the node is up");
        loop {
            match self.reports.recv_timeout(LIMIT) {
                Ok(Report::Seen(seen)) => self.seen.borrow_mut().push_back(seen),
                Ok(report) => return answer(report).expect("what was asked for"),
                Err(_) => panic!("no answer of {watcher} within the limit"),
            }
        }
    }
}
