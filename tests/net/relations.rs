//! Aliases, links and exit signals between nodes.
#![deny(warnings)]

use crate::support;

use fika::message::{AliasOpts, Local, Reference, Tagged, alias, alias_with, unalias};
use fika::net::{disconnect_node, monitor_nodes};
use fika::node::NodeName;
use fika::prelude::*;
use fika::process::{MonitorAlias, MonitorOpts, exit_process_priority, monitor_with, unlink};

use support::{Ask, Place, answerer, assert_answers, exit_of, nodedown};

/// Sends each message on request, and reports when it has.
#[remote]
async fn relay() {
    loop {
        receive! {
            (to, n): (Reference, u64) => send(to, n),
            (to, reason): (Reference, ExitReason) => exit_process_priority(to, reason),
            from: Pid => send(from, ()),
        }
    }
}

/// Checks whether a message by this alias, sent by this process, arrives.
async fn arrives_by(alias: Reference, relay: Pid, n: u64) -> bool {
    send(relay, (alias, n));
    send(relay, self_pid());
    next!(());
    receive! {
        m: u64 => { assert_eq!(m, n); true }
        after Duration::ZERO => false,
    }
}

/// ALIAS-2, ALIAS-4, ALIAS-11, SIG-14: an alias works from another node, and from a third node that
/// got it from there.
#[test]
fn an_alias_works_from_any_node() {
    let place = Place::new();
    let _programs = [place.os("b").start(), place.os("c").start()];
    let here = place.node("a");
    here.block_on(async move {
        trap_exit(true);
        let b = spawn_on(place.name("b"), relay()).await;
        let c = spawn_on(place.name("c"), relay()).await;
        for n in 0..100 {
            let (active, once) = (alias(), alias_with(AliasOpts::new().reply()));
            for relay in [b, c] {
                assert!(arrives_by(active, relay, n).await && arrives_by(active, relay, n).await);
            }
            assert!(arrives_by(once, b, n).await && !arrives_by(once, c, n).await);
            // Messages that were sent and not received are dropped.
            send(b, (active, n));
            send(b, self_pid());
            sleep(Duration::ZERO).await;
            assert!(unalias(active));
            next!(());
            // The message may have been received before.
            receive! { m: u64 => assert_eq!(m, n), after Duration::ZERO => {} }
            assert!(!arrives_by(active, c, n).await);
            none!(u64);
        }
        // The alias belongs to a monitor.
        for (relay, n) in [(b, 1), (c, 2)] {
            let opts = MonitorOpts::new().alias(MonitorAlias::ReplyDemonitor);
            let both = monitor_with(relay, opts);
            assert!(arrives_by(both, relay, n).await && !arrives_by(both, relay, n).await);
            assert!(!demonitor(both));
        }
        // Exit signals.
        let urgent = alias_with(AliasOpts::new().priority());
        send(self_pid(), 1_u64);
        send(b, (urgent, ExitReason::Shutdown));
        send(b, self_pid());
        next!(());
        receive! {
            Exit { from, reason } => assert_eq!((from, reason), (b, ExitReason::Shutdown)),
            _: u64 => panic!("the exit is not ahead"),
        }
        assert_eq!(next!(u64), 1);
        assert!(unalias(urgent));
        send(b, (urgent, ExitReason::Kill));
        send(b, self_pid());
        next!(());
        none!(Exit);
        // A message that can't leave the node is an error, as for a pid.
        let elsewhere = Reference::owned(b.node(), 1, Some(1));
        let end = fika::process::spawn_monitor(async move { send(elsewhere, Local(())) }).1;
        assert!(matches!(support::down(end).await, ExitReason::Badarg(_)));
        // This alias never existed.
        send(elsewhere, 1_u64);
        assert!(arrives_by(alias(), b, 3).await);
    });
}

/// ALIAS-11: an alias works again after a lost connection, which does not affect it.
#[test]
fn an_alias_outlives_a_connection() {
    let place = Place::new();
    let there = place.os("there").start();
    let here = place.node("here");
    here.block_on(async move {
        let name = place.name("there");
        monitor_nodes(true);
        let relay = spawn_on(&name, relay()).await;
        let active = alias();
        let both = monitor_with(relay, MonitorOpts::new().alias(MonitorAlias::ExplicitUnalias));
        let ends = monitor_with(relay, MonitorOpts::new().alias(MonitorAlias::Demonitor));
        for n in 0..5 {
            assert!(arrives_by(active, relay, n).await && arrives_by(both, relay, n).await);
            assert_eq!(arrives_by(ends, relay, n).await, n == 0, "it ended with its monitor");
            assert_eq!(disconnect_node(&name).await, Some(true));
            nodedown(&name).await;
            if n == 0 {
                for monitor in [both, ends] {
                    assert_eq!(support::down(monitor).await, ExitReason::Noconnection);
                }
            }
        }
        assert!(unalias(active) && unalias(both) && !unalias(ends));
        assert!(!arrives_by(active, relay, 9).await);
        none!(Down);
    });
    drop(there);
}

/// ALIAS-4, PROC-2: an alias of an earlier life of its node reaches no process in the next one.
#[test]
fn an_alias_of_an_earlier_life() {
    let place = Place::new();
    let there = place.node("there");
    let mut old: Vec<Reference> = Vec::new();
    for _ in 0..3 {
        let here = place.node("here");
        let past = old.clone();
        let new = here.block_on(async move {
            let relay = spawn_on(place.name("there"), relay()).await;
            // Each process has the slot of an earlier one.
            for alias in past {
                assert_ne!(alias.node(), self_pid().node());
                assert!(!arrives_by(alias, relay, 1).await);
            }
            let alias = alias();
            assert!(arrives_by(alias, relay, 2).await);
            alias
        });
        old.push(new);
    }
    // A message by an alias of a node that does not exist arrives nowhere, either.
    let alive = there.block_on(async move {
        for alias in old {
            send(alias, 1_u64);
            exit_process(alias, ExitReason::Kill);
        }
        let alive = spawn(answerer());
        assert_answers(alive, 1).await;
        alive
    });
    there.send(alive, Ask { from: alive, n: 1 }).unwrap();
}

/// EXIT-18, LINK-5, LINK-6: each operation connects if needed, and reports if it can't.
#[test]
fn links_and_exit_signals_connect() {
    let place = Place::new();
    let there = place.node("there");
    let gone = place.node("gone").spawn(answerer()).expect("room for one");
    let targets: Vec<Pid> = (0..2).map(|_| there.spawn(answerer()).unwrap()).collect();
    for (n, target) in targets.into_iter().enumerate() {
        // Each round has a new node without a connection.
        let here = place.node(&format!("here{n}"));
        here.block_on(async move {
            assert_eq!(nodes(), [] as [NodeName; 0]);
            trap_exit(true);
            if n == 0 {
                exit_process(target, ExitReason::Shutdown);
                link(target);
                let reason = exit_of(target).await;
                assert_eq!(reason, ExitReason::Noproc, "it had ended when the link came");
            } else {
                link(target);
                exit_process(target, ExitReason::Shutdown);
                assert_eq!(exit_of(target).await, ExitReason::Shutdown);
            }
            // The process is missing: an exit signal to it is dropped, and a link to it gives an
            // exit.
            for reason in [ExitReason::Normal, ExitReason::Kill] {
                exit_process(gone, reason);
            }
            link(gone);
            assert_eq!(exit_of(gone).await, ExitReason::Noconnection);
            unlink(gone);
            let (_, monitor) = spawn_monitor(async move {
                link(gone);
                answerer().await;
            });
            assert_eq!(support::down(monitor).await, ExitReason::Noconnection);
            none!(Exit);
        });
    }
    drop(there);
}

/// EXIT-15, LINK-12: links and monitors with priority fire when their connection is lost.
#[test]
fn links_and_monitors_with_priority_report_a_lost_connection_first() {
    let place = Place::new();
    let mut there = place.os("there").start();
    let here = place.node("here");
    here.block_on(async move {
        trap_exit(true);
        let name = place.name("there");
        let (plain, urgent) =
            (spawn_on(&name, answerer()).await, spawn_on(&name, answerer()).await);
        link(plain);
        fika::process::link_with(urgent, fika::process::LinkOpts::new().priority());
        let late = monitor(plain);
        let early = monitor_with(plain, MonitorOpts::new().priority().tag(7_u64));
        assert_answers(plain, 1).await;
        send(self_pid(), 1_u64);
        monitor_nodes(true);
        there.kill();
        nodedown(&name).await;
        let mut order = Vec::new();
        for _ in 0..5 {
            order.push(receive! {
                n: u64 => format!("message {n}"),
                Exit { from, reason } if from == plain => format!("plain {reason}"),
                Exit { from, reason } if from == urgent => format!("urgent {reason}"),
                Down { monitor, reason, .. } if monitor == late => format!("late {reason}"),
                Tagged::<u64, Down> { tag, message } if message.monitor == early =>
                    format!("early {tag} {}", message.reason),
                after Duration::ZERO => panic!("not all came before the nodedown: {order:?}"),
            });
        }
        let expected = [
            "urgent noconnection",
            "early 7 noconnection",
            "message 1",
            "plain noconnection",
            "late noconnection",
        ];
        assert_eq!(order, expected);
        let never = exit_of(plain);
        assert!(timeout(Duration::ZERO, never).await.is_err());
    });
}

/// EXIT-18, EXIT-4: an exit signal from outside a process arrives at a process on another node, to
/// which the node connects. Its sender is a process that does not exist.
#[test]
fn an_exit_signal_from_outside_of_a_process() {
    let place = Place::new();
    let (here, there) = (place.node("here"), place.node("there"));
    let (tx, rx) = std::sync::mpsc::channel();
    let traps = there.spawn(async move {
        trap_exit(true);
        loop {
            let exit = next!(Exit);
            let monitor = monitor(exit.from);
            let end = support::down(monitor).await;
            tx.send((exit.from, exit.reason, end)).unwrap();
        }
    });
    let traps = traps.unwrap();
    for reason in [ExitReason::Shutdown, ExitReason::Normal, ExitReason::Kill] {
        here.exit_process(traps, reason.clone());
        if reason == ExitReason::Kill {
            support::until("it is killed", || there.processes().all(|pid| pid != traps));
            continue;
        }
        let (from, came, end) = rx.recv_timeout(support::LIMIT).unwrap();
        assert_eq!((from.node(), came, end), (here.id(), reason, ExitReason::Noproc));
    }
    let plain = there.spawn(std::future::pending::<()>()).unwrap();
    here.exit_process(plain, ExitReason::Normal);
    here.exit_process(plain, ExitReason::Shutdown);
    support::until("it has ended", || there.processes().all(|pid| pid != plain));
}
