//! Links, monitors and remote spawns while everything goes wrong: each monitor gives one `Down`
//! and each link one `Exit`, unless they were taken back, and then none; and at the end nothing
//! is left of them.

use std::collections::{BTreeMap, BTreeSet};

use fika::prelude::*;
use fika::sim::{Checks, Failure, Fault, Sim, seeds};

/// How many seeds each scenario runs.
const SEEDS: u64 = if cfg!(debug_assertions) { 5 } else { 1000 };

/// A target is to link itself to this process, and to say so.
#[derive(Message, Serialize, Deserialize)]
struct LinkBack(Pid);

#[derive(Message, Serialize, Deserialize)]
struct Linked(Pid);

/// Whoever gets it comes to an end.
#[derive(Message, Serialize, Deserialize)]
struct Enough;

/// An agent may begin.
#[derive(Message, Serialize, Deserialize)]
struct Begin;

/// Lives until it is told to end, or is linked to somebody who does.
#[remote(name = "sim_relations_target")]
async fn target(trap: bool) {
    trap_exit(trap);
    loop {
        receive! {
            LinkBack(to) => {
                link(to);
                send(to, Linked(self_pid()));
            }
            // The same to it as the end of a process that does not trap exits, but later.
            Exit { .. } => {}
            Enough => return,
            // Whoever has asked for it is no more.
            after secs(300) => return,
        }
    }
}

/// A process that relates itself to others, and knows what it is to hear of them.
struct Agent {
    checks: Checks,
    others: Vec<String>,
    random: u64,
    known: Vec<Pid>,
    monitors: BTreeMap<Reference, Pid>,
    /// How many ends it is to hear of each.
    links: BTreeMap<Pid, usize>,
    /// Those that have perhaps linked themselves.
    maybe: BTreeSet<Pid>,
}

impl Agent {
    /// Below `n`. The multiplier is Knuth's.
    fn below(&mut self, n: usize) -> usize {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.random >> 33) as usize % n
    }

    fn any_known(&mut self) -> Option<Pid> {
        if self.known.is_empty() {
            return None;
        }
        let place = self.below(self.known.len());
        Some(self.known[place])
    }

    async fn act(&mut self) {
        let place = self.below(self.others.len());
        let node = self.others[place].clone();
        let trap = self.below(2) == 0;
        match (self.below(9), self.any_known()) {
            (0, _) | (_, None) => {
                let (pid, monitor) = spawn_monitor_on(node, target(trap)).await;
                self.monitors.insert(monitor, pid);
                self.meet(pid);
            }
            (1, _) => {
                let pid = spawn_link_on(node, target(trap)).await;
                *self.links.entry(pid).or_default() += 1;
                self.meet(pid);
            }
            (2 | 3, Some(pid)) => drop(self.monitors.insert(monitor(pid), pid)),
            (4, _) => {
                if let Some((monitor, _)) = self.monitors.pop_first() {
                    demonitor_flush(monitor);
                }
            }
            (5, Some(pid)) if !self.links.contains_key(&pid) && !self.maybe.contains(&pid) => {
                link(pid);
                self.links.insert(pid, 1);
            }
            (6, Some(pid)) if !self.maybe.contains(&pid) => self.unlink(pid).await,
            (7, Some(pid)) => self.ask_to_link(pid).await,
            (_, Some(pid)) => send(pid, Enough),
        }
    }

    /// It may be none that ever was.
    fn meet(&mut self, pid: Pid) {
        if pid.node().creation().0 != 0 {
            self.known.push(pid);
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

    async fn ask_to_link(&mut self, pid: Pid) {
        if self.links.contains_key(&pid) || !self.maybe.insert(pid) {
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

    fn is_done(&self) -> bool {
        self.monitors.is_empty() && self.links.is_empty()
    }

    /// Takes the next message, or nothing for a while; whether it was told that it is enough.
    async fn next(&mut self, pause: Duration) -> bool {
        receive! {
            Down { monitor, object, reason } => {
                let was = self.monitors.remove(&monitor);
                self.checks.hold(was.is_some_and(|pid| object == pid), || {
                    format!("{} hears of the end of {object}, {reason}, and has {was:?}", self_pid())
                });
            }
            Exit { from, reason } => self.exit(from, &reason),
            // The monitor was lost with a connection, and the request was not.
            Linked(from) => self.linked(from),
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
}

async fn agent(checks: Checks, others: Vec<String>, random: u64, pause: Duration) {
    trap_exit(true);
    let (known, monitors) = (Vec::new(), BTreeMap::new());
    let (links, maybe) = (BTreeMap::new(), BTreeSet::new());
    let mut agent = Agent { checks, others, random, known, monitors, links, maybe };
    loop {
        agent.act().await;
        if agent.next(pause).await {
            break;
        }
    }
    while !agent.is_done() {
        agent.known.iter().for_each(|pid| send(*pid, Enough));
        for _ in 0..50 {
            agent.next(millis(100)).await;
        }
    }
    agent.known.iter().for_each(|pid| send(*pid, Enough));
}

/// A node with an agent that waits until it may begin.
fn member(sim: &mut Sim, n: usize, count: usize, pause: Duration) {
    let (checks, seed) = (sim.checks(), sim.seed());
    let others = (0..count).filter(|other| *other != n);
    let others: Vec<String> = others.map(|other| format!("n{other}@host{other}")).collect();
    sim.node(&format!("n{n}@host{n}"), move || {
        let (checks, others) = (checks.clone(), others.clone());
        async move {
            register("agent", self_pid()).expect("a node has one");
            loop {
                receive! {
                    Begin => {}
                    // One that was restarted has not begun; and what is said to one that is done
                    // comes too late.
                    _ => continue,
                }
                let random = seed * 31 + n as u64;
                agent(checks.clone(), others.clone(), random, pause).await;
            }
        }
    });
}

fn is_meshed(sim: &Sim) -> bool {
    let count = sim.nodes().count();
    sim.nodes().all(|node| sim.nodes_of(node).len() == count - 1)
}

/// Waits for the agents, and connects all nodes.
fn mesh(sim: &mut Sim) -> Result<(), Failure> {
    let names: Vec<_> = sim.nodes().map(|node| sim.name(node).to_string()).collect();
    let there = |sim: &Sim, node| sim.runtime(node).is_some_and(|of| of.whereis("agent").is_some());
    sim.run_until(|sim| sim.nodes().all(|node| there(sim, node)), secs(60))?;
    for _ in 0..30 {
        for node in sim.nodes() {
            let names = names.clone();
            sim.spawn(node, async move {
                for name in &names {
                    connect_node(name.as_str()).await;
                }
            });
        }
        if sim.eventually(secs(10), is_meshed) {
            return Ok(());
        }
    }
    Err(sim.failure("the nodes are not connected"))
}

#[test]
fn each_monitor_and_link_is_told_of_once() {
    seeds(0..SEEDS, |seed| {
        let mut sim = Sim::on_any_network(seed);
        let count = 2 + seed as usize % 3;
        let pause = [millis(20), millis(200), secs(2)][seed as usize / 3 % 3];
        let ticktime = [secs(4), secs(16), secs(60)][seed as usize / 9 % 3];
        sim.configure(move |config| config.ticktime = ticktime);
        for n in 0..count {
            member(&mut sim, n, count, pause);
        }
        mesh(&mut sim)?;
        sim.run_for(secs(20));
        let before = sim.census()?;
        for node in sim.nodes() {
            sim.send(node, "agent", Begin);
        }
        sim.run_with_some_faults(secs(60), &Fault::ALL);
        mesh(&mut sim)?;
        for node in sim.nodes() {
            sim.send(node, "agent", Enough);
        }
        sim.settle(&before, secs(900))?;
        sim.finish()
    });
}
