//! `monitor_SUITE`: monitors between processes of one node and of two.

use fika::message::{Reference, SendError, make_ref};
use fika::prelude::*;
use fika::process::{MonitorAlias, MonitorOpts, Object, SpawnOpts, monitor_with, spawn_opt_on};

use crate::support::{Answer, EndWith, Place, assert_answers, named_answerer};
use crate::wait::{LIMIT, down, end_of, has_none, next, serve, sync};

fn text(text: &str) -> ExitReason {
    ExitReason::term(text.to_owned())
}

/// MON-3, PROC-9: a watched process can end its watcher, and then itself.
#[fika::test]
async fn case_1() {
    for _ in 0..1000 {
        let (watched, seen) = spawn_monitor(async {
            let watcher: Pid = next().await;
            exit_process(watcher, text("watched says so"));
            exit(text("then I"));
        });
        let watcher = spawn(async move {
            let _ = monitor(watched);
            send(watched, self_pid());
            next::<()>().await;
        });
        let monitor = monitor(watcher);
        assert_eq!(down(seen).await, text("then I"));
        let reason = down(monitor).await;
        assert!([text("watched says so"), ExitReason::Noproc].contains(&reason), "{reason}");
    }
}

/// MON-15: a process that is watched from its spawn can end its watcher, and then itself.
#[fika::test]
async fn case_1a() {
    let me = self_pid();
    for _ in 0..1000 {
        let (_, monitor) = spawn_monitor(async move {
            let watcher = self_pid();
            let (watched, _) = spawn_monitor(async move {
                exit_process(watcher, text("watched says so"));
                exit(text("then I"));
            });
            send(me, watched);
            next::<()>().await;
        });
        assert_eq!(down(monitor).await, text("watched says so"));
        let watched: Pid = next().await;
        let reason = down(fika::process::monitor(watched)).await;
        assert!([text("then I"), ExitReason::Noproc].contains(&reason), "{reason}");
    }
}

/// MON-12: a `demonitor` by the target does not remove its watcher's monitor.
#[fika::test]
async fn case_2() {
    for _ in 0..1000 {
        let watched = spawn(async {
            let monitor: Reference = next().await;
            assert!(!demonitor(monitor));
            assert!(!fika::process::demonitor_flush(monitor));
            exit(text("x"));
        });
        let monitor = monitor(watched);
        send(watched, monitor);
        assert_eq!(down(monitor).await, text("x"));
    }
}

/// MON-12, MON-15: a `demonitor` by a child does not remove the monitor of its spawn.
#[fika::test]
async fn case_2a() {
    for _ in 0..1000 {
        let (watched, monitor) = spawn_monitor(async {
            let monitor: Reference = next().await;
            assert!(!demonitor(monitor));
            assert!(!fika::process::demonitor_flush(monitor));
            exit(text("x"));
        });
        send(watched, monitor);
        assert_eq!(down(monitor).await, text("x"));
    }
}

/// MON-17, MON-4: an invalid target ends the caller, and leaves nothing behind.
#[fika::test]
async fn mon_e_1() {
    for node in ["no node", "a@b@c", "", "other@127.0.0.1"] {
        let end = end_of(async move {
            let _ = monitor(("name", node));
        });
        let reason = end.await;
        assert!(matches!(reason, ExitReason::Badarg(_)), "{node}: {reason}");
    }
    // A monitor of an unused name is not an error, though sending to the name is.
    assert_eq!(down(monitor("nobody")).await, ExitReason::Noproc);
    let sent = self_node().send("nobody", ());
    assert_eq!(sent, Err(SendError::Unregistered("nobody".into())));
}

/// MON-9: removing something that is not a monitor is not an error.
#[fika::test]
async fn demon_1() {
    let reference = make_ref();
    for _ in 0..2 {
        assert!(!demonitor(reference));
        assert!(!fika::process::demonitor_flush(reference));
    }
}

/// MON-8, MON-9: `demonitor` can be repeated, and removes a monitor of the process itself.
#[fika::test]
async fn demon_2() {
    let target = spawn(serve());
    let monitor = monitor(target);
    assert!(demonitor(monitor));
    assert!(!demonitor(monitor));
    exit_process(target, ExitReason::Kill);
    down(fika::process::monitor(target)).await;
    let of_myself = fika::process::monitor(self_pid());
    demonitor(of_myself);
    demonitor(of_myself);
    assert!(has_none::<Down>().await);
}

/// MON-10: `demonitor_flush` removes the Down of its own monitor only.
#[fika::test]
async fn demonitor_flush() {
    let target = spawn(serve());
    let monitors: Vec<_> = (0..5).map(|_| monitor(target)).collect();
    exit_process(target, ExitReason::Kill);
    // The last monitor's Down comes after all other Downs.
    down(monitor(target)).await;
    send(self_pid(), "other".to_owned());
    assert!(!fika::process::demonitor_flush(monitors[2]));
    assert!(!fika::process::demonitor_flush(monitors[2]));
    for n in [0, 1, 3, 4] {
        receive! { Down { monitor, .. } => assert_eq!(monitor, monitors[n]) }
    }
    assert!(has_none::<Down>().await);
    assert_eq!(next::<String>().await, "other");
}

/// MON-3, MON-4, MON-6: monitors by pid and by name give the target's reason, then `noproc`.
#[fika::test]
async fn mon_1() {
    for reason in [ExitReason::Normal, ExitReason::Shutdown, text("x"), ExitReason::Timeout] {
        let target = spawn(async {
            receive! { reason: ExitReason => exit(reason) }
        });
        register("target", target).unwrap();
        let (by_pid, by_name) = (monitor(target), monitor("target"));
        send(target, reason.clone());
        for (monitor, expected) in [(by_pid, None), (by_name, Some("target"))] {
            receive! {
                Down { monitor: m, object, reason: seen } if m == monitor => {
                    assert_eq!(seen, reason);
                    match (object, expected) {
                        (Object::Pid(pid), None) => assert_eq!(pid, target),
                        (Object::Name(name, node), Some(expected)) => {
                            assert_eq!(name.as_str(), expected);
                            assert_eq!(node, self_node().name());
                        }
                        (object, _) => panic!("{object}"),
                    }
                }
                after secs(5) => panic!("no Down"),
            }
        }
        assert_eq!(down(monitor(target)).await, ExitReason::Noproc);
        assert_eq!(down(monitor("target")).await, ExitReason::Noproc);
        assert!(has_none::<Down>().await, "one message for each monitor");
    }
    let alive = spawn(serve());
    let _ = monitor(alive);
    sync(alive).await;
    assert!(has_none::<Down>().await);
}

/// MON-3, MON-4, MON-5, MON-6: monitors of another node's processes give the target's reason, then
/// `noproc`, and `noconnection` when the node is lost.
#[test]
fn mon_2() {
    let place = Place::new();
    let mut there = place.os("there").start();
    let here = place.node("here");
    here.block_on(async move {
        let name = place.name("there");
        let target_is = |object: Object, target: Pid, by_name: bool| match object {
            Object::Pid(pid) => assert!(!by_name && pid == target),
            Object::Name(name, node) => {
                assert!(by_name && name.as_str() == "target" && node == target.node().name());
            }
        };
        for reason in [ExitReason::Normal, ExitReason::Shutdown, text("x"), ExitReason::Kill] {
            let target = spawn_on(&name, named_answerer("target".into(), self_pid())).await;
            next::<Answer>().await;
            let monitors = [monitor(target), monitor(("target", &*name)), monitor(target)];
            send(target, EndWith(reason.clone()));
            for (n, monitor) in monitors.into_iter().enumerate() {
                receive! {
                    Down { monitor: m, object, reason: seen } if m == monitor => {
                        assert_eq!(seen, reason);
                        target_is(object, target, n == 1);
                    }
                    after LIMIT => panic!("no Down"),
                }
            }
            assert_eq!(down(monitor(target)).await, ExitReason::Noproc);
            assert_eq!(down(monitor(("target", &*name))).await, ExitReason::Noproc);
            assert!(has_none::<Down>().await, "one message for each monitor");
        }
        // The node is lost, and then missing.
        let target = spawn_on(&name, named_answerer("target".into(), self_pid())).await;
        next::<Answer>().await;
        let monitors = [monitor(target), monitor(("target", &*name))];
        assert_answers(target, 1).await;
        there.kill();
        for monitor in monitors {
            assert_eq!(down(monitor).await, ExitReason::Noconnection);
        }
        for monitor in [monitor(target), monitor(("target", &*name))] {
            assert_eq!(down(monitor).await, ExitReason::Noconnection);
        }
        assert!(has_none::<Down>().await);
    });
}

/// MON-9, MON-11: the result of `demonitor` and the mailbox agree, whether the `demonitor` or the
/// end of the remote process wins the race.
#[test]
fn remote_remove_monitor() {
    const RACES: usize = 3000;
    let place = Place::new();
    let there = place.node("there");
    let here = place.node("here");
    here.block_on(async move {
        let name = place.name("there");
        // The source makes processes and ends them on request.
        let source = spawn_on(&name, source()).await;
        let mut random = self_node().env().random();
        let (mut active, mut fired) = (0, 0);
        for n in 0..RACES {
            send(source, self_pid());
            let target: Pid = next().await;
            let monitor = monitor(target);
            exit_process(target, ExitReason::Kill);
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            // Wait for up to some round trips.
            for _ in 0..random >> 61 {
                send(source, ());
                next::<u64>().await;
            }
            let flush = n % 2 == 0;
            let was_active =
                if flush { fika::process::demonitor_flush(monitor) } else { demonitor(monitor) };
            let has_down = receive! {
                Down { monitor: m, .. } if m == monitor => true,
                after Duration::ZERO => false,
            };
            assert_eq!(has_down, !was_active && !flush, "race {n}");
            if was_active { active += 1 } else { fired += 1 }
        }
        assert!(active > 0 && fired > 0, "{active} were active and {fired} had fired");
        // Signals that are still in flight come too late for all monitors.
        send(source, ());
        next::<u64>().await;
        assert!(has_none::<Down>().await);
    });
    drop(there);
}

#[remote(name = "test::source")]
async fn source() {
    let mut last = self_pid();
    let mut asks = self_pid();
    loop {
        receive! {
            from: Pid => {
                (asks, last) = (from, spawn(serve()));
                send(from, last);
            }
            (): () => {
                assert_ne!(last, self_pid());
                send(asks, 0_u64);
            }
        }
    }
}

/// MON-2, MON-3: each monitor gives exactly one message. It may be by pid, by name, with options or
/// at spawn, and its target may be on this node or another and end in any way.
#[test]
fn mixer() {
    let place = Place::new();
    let there = place.node("there");
    let here = place.node("here");
    here.block_on(async move {
        trap_exit(true);
        let nodes = [place.name("here"), place.name("there")];
        let env = self_node().env().clone();
        let random = |below: u64| env.random() % below;
        for round in 0..30_u64 {
            // The targets, each with its reason.
            let mut targets = Vec::new();
            for n in 0..6_u64 {
                let (node, name) = (&nodes[n as usize % 2], format!("target {n}"));
                let target = spawn_on(node, named_answerer(name.clone(), self_pid())).await;
                next::<Answer>().await;
                targets.push((target, name, node, ExitReason::term((round, n))));
            }
            let mut expected = std::collections::HashMap::new();
            for _ in 0..60 {
                let (target, name, node, reason) = &targets[random(6) as usize];
                let watch = match random(4) {
                    0 => monitor(target),
                    1 => monitor((name.as_str(), node.as_str())),
                    2 => monitor_with(target, MonitorOpts::new().alias(MonitorAlias::Demonitor)),
                    _ => monitor_with(target, MonitorOpts::new().priority()),
                };
                match random(6) {
                    0 => assert!(demonitor(watch)),
                    1 => assert!(fika::process::demonitor_flush(watch)),
                    _ => assert!(expected.insert(watch, (reason.clone(), *target)).is_none()),
                }
            }
            for n in 0..4 {
                let reason = text("at spawn");
                let child = spawn_opt_on(
                    &nodes[n % 2],
                    SpawnOpts::new().monitor(),
                    ends_with_text("at spawn".into()),
                );
                let child = child.await;
                expected.insert(child.monitor.unwrap(), (reason, child.pid));
            }
            for (target, _, _, reason) in &targets {
                send(target, EndWith(reason.clone()));
            }
            while !expected.is_empty() {
                let Down { monitor, object, reason } = next().await;
                let (of, target) = expected.remove(&monitor).expect("one that is expected, once");
                assert_eq!(reason, of);
                match object {
                    Object::Pid(pid) => assert_eq!(pid, target),
                    Object::Name(_, node) => assert_eq!(node, target.node().name()),
                }
            }
            for (target, ..) in &targets {
                assert_eq!(down(monitor(target)).await, ExitReason::Noproc);
            }
            assert!(has_none::<Down>().await && has_none::<Exit>().await);
        }
    });
    drop(there);
}

#[remote(name = "test::ends_with_text")]
async fn ends_with_text(of: String) {
    exit(text(&of));
}

/// EXIT-15: a large reason arrives unchanged at several monitors.
#[fika::test]
async fn large_exit() {
    let large = || ExitReason::term((0..100_000_u64).rev().collect::<Vec<_>>());
    let (child, monitor) = spawn_monitor(async move { exit(large()) });
    let more: Vec<_> = (0..5).map(|_| fika::process::monitor(child)).collect();
    assert_eq!(down(monitor).await, large());
    for monitor in more {
        let reason = down(monitor).await;
        assert!(reason == ExitReason::Noproc || reason == large());
    }
}
