//! Supervision trees with servers and clients, on nodes that fail.
//!
//! Each node has a random tree: supervisors of all kinds, nested, with children on other nodes.
//! Processes end them, disturb them and ask them to change. `events` records what happens, and
//! `checks` judges it: each call has one outcome, a child has one incarnation at a time, the
//! intensity is exact, and no child outlives its tree.

mod chaos;
mod checks;
mod checks_fail;
mod events;
mod tree;

use fika::gen_server::ServerRef;
use fika::prelude::*;
use fika::sim::{Failure, Fault, Sim, SimNode, seeds};
use fika::supervisor::{ChildState, Restart, Supervisor, Tree};

use self::events::{Event, Path, Record};
use self::tree::{Branch, Dice};
use crate::target::Enough;

/// How many seeds each scenario runs.
const SEEDS: u64 = if cfg!(debug_assertions) { 3 } else { 300 };

/// Ends the tree of a node.
#[message]
struct End {
    kill: bool,
}

/// In most of the runs, no clock stands still or jumps, so calls end in time.
fn is_timely(seed: u64) -> bool {
    !seed.is_multiple_of(4)
}

fn is_single(record: &Record, sup: Pid) -> bool {
    let now = record.now();
    let mut events = now.entries.iter().rev();
    events.any(|entry| match &entry.event {
        Event::SupBegins { sup: begun, limits, .. } => *begun == sup && !limits.is_group,
        _ => false,
    })
}

fn member(sim: &mut Sim, record: &Record, number: usize, trees: &[Branch]) {
    let mut servers = Vec::new();
    for (n, tree) in trees.iter().enumerate() {
        let mut names = Vec::new();
        tree.servers(&mut names);
        servers.extend(names.into_iter().map(|name| (format!("n{n}@host{n}"), name)));
    }
    let (checks, is_timely) = (sim.checks(), is_timely(sim.seed()));
    let (record, tree) = (record.clone(), trees[number].clone());
    sim.node(format!("n{number}@host{number}"), move || {
        let (record, checks) = (record.clone(), checks.clone());
        let (tree, servers) = (tree.clone(), servers.clone());
        async move {
            fika_runtime::self_node().extension_or_init(|| record.clone());
            register("app", self_pid()).expect("a node has one");
            trap_exit(true);
            spawn(chaos::chaos(record.clone(), checks.clone(), is_timely));
            if !servers.is_empty() {
                let client = spawn(chaos::client(record.clone(), servers));
                register("client", client).expect("a node has one");
            }
            let kill = keep(&record, number, &tree).await;
            let top = record.now().tops.remove(&number);
            if let Some(top) = top {
                let reason = if kill { ExitReason::Kill } else { ExitReason::Shutdown };
                exit_process(top, reason);
                receive! {
                    Exit { from, .. } if from == top => {},
                    after secs(30) => checks.violated(format!("the top {top} does not end")),
                }
            }
            std::future::pending::<()>().await;
        }
    });
}

/// Keeps a tree running until it is told to end it. Returns whether to kill it.
async fn keep(record: &Record, number: usize, tree: &Branch) -> bool {
    loop {
        let top = tree.supervisor(record).await.ok().and_then(|top| top.whereis());
        if let Some(top) = top {
            record.now().tops.insert(number, top);
            receive! {
                Exit { from, .. } if from == top => {},
                End { kill } => return kill,
            }
            record.now().tops.remove(&number);
        }
        receive! {
            End { kill } => return kill,
            after millis(200) => {}
        }
    }
}

#[test]
fn trees_hold_while_all_fails() {
    seeds(0..SEEDS, |seed| {
        let has_faults = !seed.is_multiple_of(3);
        let mut sim = if has_faults { Sim::on_any_network(seed) } else { Sim::new(seed) };
        sim.configure(|config| config.ticktime = secs(8));
        let count = 1 + seed as usize % 3;
        let mut dice = Dice(seed);
        let trees: Vec<Branch> = (0..count).map(|n| dice.tree(n, count)).collect();
        let record = Record::default();
        (0..count).for_each(|n| member(&mut sim, &record, n, &trees));
        sim.run_for(secs(5));
        if has_faults {
            let stands_still = |fault: &Fault| matches!(fault, Fault::Pause | Fault::ClockJump);
            let kinds =
                Fault::ALL.into_iter().filter(|fault| !(is_timely(seed) && stands_still(fault)));
            sim.run_with_some_faults(secs(15), &kinds.collect::<Vec<_>>());
        } else {
            sim.run_for(secs(5));
        }
        record.now().is_calm = true;
        // A lost connection is noticed, and the trees are whole again.
        sim.run_for(secs(60));
        for node in sim.nodes() {
            is_whole(&mut sim, &record, node)?;
        }
        end(&mut sim, &record, seed);
        judge(&sim, &record, has_faults)?;
        sim.finish()
    });
}

/// Checks that each child that is always restarted runs, and that the servers answer.
fn is_whole(sim: &mut Sim, record: &Record, node: SimNode) -> Result<(), Failure> {
    let top = record
        .now()
        .tops
        .values()
        .copied()
        .find(|top| sim.runtime(node).is_some_and(|runtime| runtime.id() == top.node()));
    let why = format!("{} has no tree", sim.name(node));
    sim.check(top.is_some(), &why)?;
    let Some(top) = top else { return Ok(()) };
    let of = record.clone();
    let missing = sim.run_on(node, secs(20), async move {
        let tree = fika::supervisor::tree(&ServerRef::<Supervisor>::pid(top)).await;
        let tree = tree.map_err(|error| error.to_string());
        tree.and_then(|tree| {
            missing(&of, &tree).map_or(Ok(()), |path| Err(format!("{path}: {tree}")))
        })
    })?;
    sim.check(missing.is_ok(), &format!("a tree is not whole: {missing:?}"))
}

/// Returns a permanent child that does not run, below a supervisor of which no child was ended on
/// request.
fn missing(record: &Record, tree: &Tree) -> Option<Path> {
    let ChildState::Running(sup) = tree.state else { return None };
    let is_touched = record.now().touched.contains(&sup);
    tree.children.iter().flatten().find_map(|child| {
        let path: Path = child.id.as_ref()?.as_str().into();
        let restart = record.now().restarts.get(&path).copied();
        let runs = matches!(child.state, ChildState::Running(_));
        if restart == Some(Restart::Permanent) && !runs && !is_touched {
            return Some(path);
        }
        missing(record, child)
    })
}

/// Ends all trees: in order, by killing the top, or with the node.
fn end(sim: &mut Sim, record: &Record, seed: u64) {
    record.now().entries.push(events::Entry { at: Duration::ZERO, event: Event::Enough });
    for node in sim.nodes() {
        sim.send(node, "client", Enough);
    }
    sim.run_for(secs(5));
    for (n, node) in sim.nodes().enumerate() {
        match (seed as usize / 7 + n) % 3 {
            0 => sim.send(node, "app", End { kill: false }),
            1 => sim.send(node, "app", End { kill: true }),
            _ => sim.crash(node),
        }
    }
    // A node that has crashed is noticed, and then all children end.
    sim.run_for(secs(40));
}

fn judge(sim: &Sim, record: &Record, has_faults: bool) -> Result<(), Failure> {
    let now = record.now();
    let (entries, is_timely) = (&now.entries, is_timely(sim.seed()));
    let verdicts = [
        checks::incarnations(entries, has_faults),
        checks::intensity(entries),
        checks::orphans(entries, is_timely),
        checks::calls(entries, is_timely),
    ];
    for verdict in verdicts {
        if let Err(why) = verdict {
            return Err(sim.check(false, &why).expect_err("it does not hold"));
        }
    }
    sim.verdict()
}
