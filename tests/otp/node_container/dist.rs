//! Cases of `node_container_SUITE` about several nodes.

use super::super::*;

use crate::support::{Place, until_in_process};
use fika::inspect::info;
use fika::process::{hibernate, spawn_blocking, spawn_link_on};

/// The resources of a node and of a process on it: the node's processes, timers, files and
/// connected nodes, and the memory of the process.
type Has = Vec<u64>;

/// Links itself to the processes that it receives, and reports its node's resources.
#[remote(name = "test::link_keeper")]
async fn link_keeper(to: Pid) {
    trap_exit(true);
    loop {
        hibernate().await;
        receive! {
            peer: Pid => link(peer),
            (): () => send(to, has().await),
            _: Exit => {}
        }
    }
}

async fn has() -> Has {
    let node = self_node();
    let files = std::fs::read_dir("/proc/self/fd").expect("this is Linux").count();
    let memory = info::memory(self_pid()).await.expect("it lives");
    let connected = node.nodes().len();
    let counts = [node.process_count(), node.timer_count(), files, connected, memory];
    counts.map(|count| count as u64).into()
}

/// Waits until this keeper's node has no more resources than at first.
async fn until_nothing_is_left(keeper: Pid, first: Has) {
    let begun = self_node().env().now();
    loop {
        send(keeper, ());
        let now: Has = next().await;
        if now.iter().zip(&first).all(|(now, first)| now <= first) {
            return;
        }
        assert!(self_node().env().now().since(begun) < LIMIT, "{now:?}, and {first:?} at first");
    }
}

/// LINK-1, LINK-12: links to processes of another node leave nothing behind on either node, however
/// they end.
#[test]
fn dist_link_refc() {
    let place = Place::new();
    let _there = place.os("there").start();
    let here = place.node("here");
    let name = place.name("there");
    here.block_on(async move {
        trap_exit(true);
        let me = self_pid();
        let keeper = fika::process::spawn_on(&name, link_keeper(me)).await;
        send(keeper, ());
        let (first, own): (Has, _) = (next().await, self_node().process_count());
        for round in 0..20 {
            // The remote process ends, ...
            let theirs = [(); 20].map(|()| link_keeper(me));
            for one in theirs {
                let child = spawn_link_on(&name, one).await;
                exit_process(child, ExitReason::Kill);
                receive! { Exit { from, .. } if from == child => {}, after LIMIT => panic!("no Exit") }
            }
            // ... or the local process ends, linked by either, ...
            let ours: Vec<_> = (0..20_u64)
                .map(|n| {
                    let child = spawn_monitor(async move {
                        if n % 2 == 0 {
                            link(keeper);
                        }
                        send(me, n);
                        serve().await;
                    });
                    send(keeper, child.0);
                    child
                })
                .collect();
            // ... or neither process ends, ...
            (0..20).for_each(|_| {
                link(keeper);
                fika::process::unlink(keeper);
            });
            for _ in 0..20 {
                next::<u64>().await;
            }
            send(keeper, ());
            next::<Has>().await;
            assert_eq!(info::links(me).await, Some(vec![]));
            if round % 5 == 4 {
                // ... or the connection ends.
                link(keeper);
                assert_eq!(fika::net::disconnect_node(&name).await, Some(true));
                receive! {
                    Exit { from, reason } if from == keeper =>
                        assert_eq!(reason, ExitReason::Noconnection),
                    after LIMIT => panic!("no Exit"),
                }
                for (_, monitor) in ours {
                    assert_eq!(down(monitor).await, ExitReason::Noconnection);
                }
            } else {
                for (child, monitor) in ours {
                    exit_process(child, ExitReason::Kill);
                    assert_eq!(down(monitor).await, ExitReason::Killed);
                }
            }
        }
        until_nothing_is_left(keeper, first).await;
        until_in_process("their ends", || self_node().process_count() <= own).await;
        assert_eq!(info::links(me).await, Some(vec![]));
    });
}

/// DIST-18: nodes that were lost and nodes that never existed leave nothing behind.
#[test]
fn dist_entry_gc() {
    let place = Place::new();
    let _center = place.os("center").start();
    let here = place.node("here");
    let center = place.name("center");
    here.block_on(async move {
        let me = self_pid();
        let keeper = fika::process::spawn_on(&center, link_keeper(me)).await;
        send(keeper, ());
        let first: Has = next().await;
        for round in 0..4 {
            let make = move || [0, 1, 2].map(|n| place.node(&format!("n{round}x{n}")));
            let others = spawn_blocking(make).await;
            for node in &others {
                // This connects the nodes, with a link and messages in both directions.
                let peer = node.spawn(serve()).expect("there is room");
                send(keeper, peer);
                let asked =
                    fika::process::spawn_monitor_on(node.name().as_str(), link_keeper(me)).await;
                send(keeper, asked.0);
            }
            // No node has these names.
            for n in 0..20 {
                let name = place.name(&format!("nobody{round}x{n}"));
                let asked = fika::process::spawn_monitor_on(&center, knocks(name, me)).await;
                assert_eq!(down(asked.1).await, ExitReason::Normal);
            }
            spawn_blocking(|| drop(others)).await;
        }
        until_nothing_is_left(keeper, first).await;
    });
}

/// Tries to reach a missing node in each way.
#[remote(name = "test::knocks")]
async fn knocks(node: String, leader: Pid) {
    send(("name", &*node), leader);
    let by_name = fika::process::monitor(("name", &*node));
    assert_eq!(down(by_name).await, ExitReason::Noconnection);
    let (never, monitor) = fika::process::spawn_monitor_on(&node, link_keeper(leader)).await;
    assert_eq!(down(monitor).await, ExitReason::Noconnection);
    exit_process(never, ExitReason::Kill);
}
