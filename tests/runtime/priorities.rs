//! Priorities (FLAG-2, FLAG-6), and waiting across priorities.
#![deny(warnings)]

use crate::support;
use crate::wait;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use fika::inspect::{info, is_process_alive, process_info, set_label};
use fika::prelude::*;
use fika::process::{
    Priority, SpawnOpts, dictionary, group_leader, set_group_leader, set_priority, spawn_opt,
    yield_now,
};

use wait::{down, next, serve, sync};

const ALL: [Priority; 4] = [Priority::Low, Priority::Normal, Priority::High, Priority::Max];

fn at(priority: Priority) -> SpawnOpts {
    SpawnOpts::new().priority(priority).monitor()
}

/// FLAG-2: ready processes run in the order of their priorities.
#[fika::test(workers = 1)]
async fn processes_run_in_order_of_priority() {
    set_priority(Priority::Max);
    for _ in 0..200 {
        let order = Arc::new(Mutex::new(Vec::new()));
        // All of them are queued before this process yields.
        let children: Vec<_> = [2, 0, 3, 1, 0, 2, 1, 3]
            .map(|n| {
                let order = order.clone();
                let opts = at(ALL[n]);
                spawn_opt(opts, async move { order.lock().unwrap().push(n) }).monitor.unwrap()
            })
            .into();
        for monitor in children {
            down(monitor).await;
        }
        let order = order.lock().unwrap();
        assert_eq!(order[..4], [3, 3, 2, 2]);
        // A low process has a turn now and then, even while normal processes are ready.
        let low_first = order[4..].iter().filter(|n| **n == 0).count();
        assert_eq!(low_first, 2);
    }
}

/// FLAG-6, FLAG-1: a process changes its own priority while it runs.
#[fika::test(workers = 1)]
async fn a_priority_change_applies_to_the_next_turn() {
    assert_eq!(set_priority(Priority::High), Priority::Normal);
    assert_eq!(set_priority(Priority::Low), Priority::High);
    assert_eq!(set_priority(Priority::Normal), Priority::Low);
    let turns = Arc::new(Mutex::new(Vec::new()));
    let children: Vec<_> = [Priority::Normal, Priority::High]
        .map(|then| {
            let turns = turns.clone();
            spawn_monitor(async move {
                next::<()>().await;
                set_priority(then);
                for _ in 0..50 {
                    yield_now().await;
                    turns.lock().unwrap().push(then);
                }
            })
        })
        .into();
    for (pid, _) in &children {
        send(*pid, ());
    }
    for (_, monitor) in children {
        down(monitor).await;
    }
    let turns = turns.lock().unwrap();
    let first_normal = turns.iter().position(|then| *then == Priority::Normal);
    assert!(first_normal.is_none_or(|first| first >= 50), "{turns:?}");
}

/// FLAG-2: a low process has turns beside normal processes that always want to run.
#[fika::test(workers = 2)]
async fn low_priority_processes_do_not_starve() {
    let hogs: Vec<_> = (0..8)
        .map(|_| {
            spawn(async {
                loop {
                    yield_now().await;
                }
            })
        })
        .collect();
    let low = spawn_opt(at(Priority::Low), async {
        for _ in 0..500 {
            yield_now().await;
        }
    });
    assert_eq!(down(low.monitor.unwrap()).await, ExitReason::Normal);
    for pid in hogs {
        exit_process(pid, ExitReason::Kill);
    }
}

/// INFO-10: a process of low priority answers an urgent process, even if urgent processes that
/// always want to run would starve it.
#[fika::test(workers = 2)]
async fn an_urgent_request_to_a_low_process_is_answered() {
    set_priority(Priority::Max);
    for (asker, hog) in [(Priority::High, Priority::High), (Priority::Max, Priority::Max)] {
        let done = Arc::new(AtomicBool::new(false));
        let targets: Vec<_> = [Priority::Low, Priority::Normal, Priority::High]
            .map(|priority| spawn_opt(at(priority), yields_until(done.clone())))
            .into();
        let hogs: Vec<_> = (0..8).map(|_| spawn_opt(at(hog), yields_until(done.clone()))).collect();
        let pids: Vec<_> = targets.iter().map(|target| target.pid).collect();
        let asking = spawn_opt(at(asker), async move {
            for n in 0..300 {
                let target = pids[n % pids.len()];
                assert_eq!(info::trap_exit(target).await, Some(false));
                assert!(is_process_alive(target).await);
            }
        });
        assert_eq!(down(asking.monitor.unwrap()).await, ExitReason::Normal);
        done.store(true, Ordering::SeqCst);
        for child in targets.into_iter().chain(hogs) {
            assert_eq!(down(child.monitor.unwrap()).await, ExitReason::Normal);
        }
    }
}

async fn yields_until(done: Arc<AtomicBool>) {
    while !done.load(Ordering::SeqCst) {
        yield_now().await;
    }
}

/// Messages between processes of all priorities, on all workers, are delivered. No process is left
/// in a queue.
#[fika::test(workers = 2)]
async fn every_priority_is_served() {
    let servers: Vec<_> = ALL.map(|priority| spawn_opt(at(priority), serve()).pid).into();
    let clients: Vec<_> = (0..16)
        .map(|n| {
            let servers = servers.clone();
            spawn_opt(at(ALL[n % 4]), async move {
                for round in 0..500 {
                    sync(servers[round % 4]).await;
                    if round % 50 == 0 {
                        set_priority(ALL[(n + round / 50) % 4]);
                    }
                }
            })
        })
        .collect();
    for client in clients {
        assert_eq!(down(client.monitor.unwrap()).await, ExitReason::Normal);
    }
}

/// An idle node wakes up for urgent and for low work from outside, each time.
#[test]
fn an_idle_node_wakes_up_for_all_priorities() {
    let node = Node::builder().workers(2).build().unwrap();
    let servers = ALL.map(|priority| {
        let (sender, receiver) = std::sync::mpsc::channel();
        node.spawn(async move { sender.send(spawn_opt(at(priority), serve()).pid).unwrap() });
        receiver.recv().unwrap()
    });
    for round in 0..2000 {
        let server = servers[round % 4];
        node.block_on(async move { sync(server).await });
    }
    node.stop();
}

/// INFO-1, PROC-5: a child has its parent's group leader. A process that has no parent leads
/// itself.
#[fika::test]
async fn group_leaders_are_inherited() {
    let me = self_pid();
    let first = group_leader();
    let leader = spawn(serve());
    set_group_leader(leader, me);
    assert_eq!(group_leader(), leader);
    let child = spawn(async move {
        send(me, group_leader());
        spawn(async move { send(me, group_leader()) });
        serve().await;
    });
    assert_eq!((next::<Pid>().await, next::<Pid>().await), (leader, leader));
    for opts in [SpawnOpts::new(), SpawnOpts::new().link(), SpawnOpts::new().monitor()] {
        let other = spawn_opt(opts, serve()).pid;
        assert_eq!(info::group_leader(other).await, Some(leader));
    }
    // Existing processes are not affected.
    set_group_leader(first, me);
    assert_eq!(info::group_leader(child).await, Some(leader));
    // A change is in order with other signals, though the process waits.
    for n in 0..1000 {
        let new = if n % 2 == 0 { first } else { leader };
        set_group_leader(new, child);
        assert_eq!(info::group_leader(child).await, Some(new));
    }
    // The leader need not be alive.
    exit_process(leader, ExitReason::Kill);
    assert_eq!(info::group_leader(child).await, Some(leader));
    let node = fika::node::self_node();
    let on_its_own = node.spawn(serve()).expect("room");
    assert_eq!(info::group_leader(on_its_own).await, Some(on_its_own));
}

/// PROC-5: a process inherits nothing but its group leader.
#[fika::test]
async fn a_new_process_inherits_only_the_group_leader() {
    trap_exit(true);
    set_priority(Priority::High);
    set_label("parent");
    dictionary::put("key", 1_u64);
    register("a parent", self_pid()).unwrap();
    link(spawn(serve()));
    monitor(spawn(serve()));
    send(self_pid(), ());
    use fika::inspect::{InfoItem, Item};
    let items = [
        Item::TrapExit,
        Item::Priority,
        Item::Links,
        Item::Monitors,
        Item::MonitoredBy,
        Item::RegisteredName,
        Item::MessageQueueLen,
        Item::Label,
        Item::DictionaryKey("key".into()),
    ];
    let expected = vec![
        InfoItem::TrapExit(false),
        InfoItem::Priority(Priority::Normal),
        InfoItem::Links(vec![]),
        InfoItem::Monitors(vec![]),
        InfoItem::MonitoredBy(vec![]),
        InfoItem::RegisteredName(None),
        InfoItem::MessageQueueLen(0),
        InfoItem::Label(None),
        InfoItem::DictionaryKey("key".into(), None),
    ];
    // A process in a reused slot inherits nothing either.
    for _ in 0..100 {
        let child = spawn(serve());
        assert_eq!(process_info(child, &items).await, Some(expected.clone()));
        exit_process(child, ExitReason::Kill);
    }
}

/// Answers with the group leader and the priority of its process.
#[remote]
async fn reports(to: Pid) {
    let priority = info::priority(self_pid()).await.expect("it asks itself");
    send(to, (group_leader(), priority as u64));
    serve().await;
}

/// INFO-1, SPAWN-1: a child on another node has its parent's group leader.
#[test]
fn a_remote_child_has_the_spawner_s_group_leader() {
    let place = support::Place::new();
    let (here, there) = (place.node("here"), place.node("there"));
    let on_third = place.node("third").spawn(serve()).expect("room");
    let name = there.name().as_str().to_owned();
    here.block_on(async move {
        let me = self_pid();
        // The leader is on a third node, to which neither of the two is connected.
        for leader in [me, on_third] {
            set_group_leader(leader, me);
            for priority in ALL {
                let opts = SpawnOpts::new().priority(priority);
                let child = fika::process::spawn_opt_on(&name, opts, reports(me)).await.pid;
                assert_eq!(next::<(Pid, u64)>().await, (leader, priority as u64));
                exit_process(child, ExitReason::Kill);
            }
            // A signal changes the leader, in order with messages.
            let child = spawn_on(&name, asks_leader()).await;
            for new in [me, child, on_third] {
                set_group_leader(new, child);
                send(child, me);
                assert_eq!(next::<Pid>().await, new);
            }
        }
    });
}

/// Answers each message with its group leader.
#[remote]
async fn asks_leader() {
    loop {
        receive! { from: Pid => send(from, group_leader()) }
    }
}
