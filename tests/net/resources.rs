//! If the process table is full, a single operation fails, and the node survives.

use crate::support;

use std::sync::mpsc::{Sender, channel};

use fika::message::Local;
use fika::net::ping;
use fika::prelude::*;
use fika::process::SpawnError;
use fika_runtime::spawn_service;
use support::{LIMIT, Place, TestNode, answerer, assert_answers, until};

/// Orders for a process of a full node.
enum Do {
    Ping(String, Sender<bool>),
    SpawnOn(String, Sender<Result<Pid, SpawnError>>),
    /// Takes all room, including the room of the node's own services.
    TakeAll(Sender<Vec<Pid>>),
}

/// A process that exists before its node is full.
struct Agent<'a>(&'a TestNode, Pid);

impl Agent<'_> {
    fn on(node: &TestNode) -> Agent<'_> {
        let pid = node.spawn(async {
            loop {
                match next_job().await {
                    Do::Ping(name, to) => {
                        let _ = to.send(ping(name).await == fika::net::Ping::Pong);
                    }
                    Do::SpawnOn(name, to) => {
                        let _ = to.send(fika::process::try_spawn_on(name, answerer()).await);
                    }
                    Do::TakeAll(to) => {
                        let all = std::iter::from_fn(|| spawn_service(idle()));
                        let _ = to.send(all.collect());
                    }
                }
            }
        });
        Agent(node, pid.expect("there is room"))
    }

    fn does<T>(&self, job: impl FnOnce(Sender<T>) -> Do) -> T {
        let (to, done) = channel();
        self.0.send(self.1, Local(job(to))).unwrap();
        done.recv_timeout(LIMIT).expect("it does it")
    }

    fn pings(&self, name: &str) -> bool {
        self.does(|to| Do::Ping(name.into(), to))
    }
}

async fn next_job() -> Do {
    receive! { Local(job): Local<Do> => job }
}

async fn idle() {
    receive! { (): () => {} }
}

fn fill(node: &TestNode) -> Vec<Pid> {
    std::iter::from_fn(|| node.spawn(idle())).collect()
}

fn end_all(node: &TestNode, pids: Vec<Pid>) {
    for pid in pids {
        node.exit_process(pid, ExitReason::Kill);
        until("it has ended", || !node.is_process_alive(pid));
    }
}

fn pings(from: &TestNode, name: String) -> bool {
    from.block_on(async move { ping(name).await == fika::net::Ping::Pong })
}

/// PROC-10: when the program has as many processes as allowed, the node still accepts and makes
/// connections, looks up nodes, and is the port mapper of its neighbours.
#[test]
fn a_full_process_table_does_not_stop_the_distribution() {
    const ROOM: usize = 20;
    let place = Place::new();
    // This node starts the mapper.
    let full = TestNode::of(place.builder("full").process_limit(ROOM));
    let early = place.node("early");
    let agent = Agent::on(&full);
    let filling = fill(&full);
    assert_eq!(filling.len(), ROOM - 1, "the node's own processes take none of it");

    assert!(pings(&early, place.name("full")), "a connection is taken");
    let late = place.node("late");
    assert!(agent.pings(&place.name("late")), "a connection is made");
    assert!(pings(&late, place.name("early")));
    let names: Vec<_> = place.names().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["late", "early", "full"]);

    // Only operations that need a process of the program fail.
    assert_eq!(full.spawn(idle()), None);
    assert_eq!(full.try_block_on(idle()), Err(ExitReason::SystemLimit));
    let name = place.name("full");
    let refused = late.block_on(async move { fika::process::try_spawn_on(name, answerer()).await });
    assert_eq!(refused, Err(SpawnError::SystemLimit));
    let there = agent.does(|to| Do::SpawnOn(place.name("late"), to)).expect("there is room there");

    // The node can leave its cluster and return.
    assert!(full.stop_distribution());
    assert!(!full.is_distributed());
    full.start_distribution(place.name("full")).unwrap();
    assert!(agent.pings(&place.name("late")));
    assert!(pings(&early, place.name("full")));

    end_all(&full, filling);
    full.block_on(async move { assert_answers(there, 3).await });
    let name = place.name("full");
    late.block_on(async move {
        let pid = fika::process::try_spawn_on(name, answerer()).await.expect("there is room again");
        assert_answers(pid, 4).await;
    });
}

/// Even the node's own services find no room: each of their operations fails, and the services
/// continue.
#[test]
fn services_survive_without_any_free_slot() {
    let place = Place::new();
    let full = TestNode::of(place.builder("full").process_limit(20));
    let (before, early) = (place.node("before"), place.node("early"));
    let agent = Agent::on(&full);
    assert!(pings(&before, place.name("full")));
    let rest = agent.does(Do::TakeAll);
    for _ in 0..3 {
        assert!(!pings(&early, place.name("full")), "a connection is closed");
        assert!(!agent.pings(&place.name("early")), "a connection can't be made");
        let answer = place.ask_mapper(b"n").unwrap_or_default();
        assert!(answer.is_empty(), "a client of the mapper is closed");
    }
    assert!(agent.pings(&place.name("before")), "a connection that there is stays");
    assert!(full.is_distributed());
    let failed = full.start_distribution(place.name("full")).unwrap_err();
    assert!(failed.to_string().contains("system_limit"), "{failed}");

    end_all(&full, rest);
    assert!(pings(&early, place.name("full")));
    assert!(agent.pings(&place.name("early")));
    let mut names: Vec<_> = place.names().into_iter().map(|(name, _)| name).collect();
    names.sort();
    assert_eq!(names, ["before", "early", "full"]);
    assert!(pings(&place.node("late"), place.name("full")));
}
