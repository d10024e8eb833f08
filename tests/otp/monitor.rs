//! `monitor_SUITE`: monitors between processes of one node.

use fika::prelude::*;
use fika::{Object, SendError};

use crate::wait::{down, end_of, has_none, next, serve, sync};

fn text(text: &str) -> ExitReason {
    ExitReason::term(text.to_owned())
}

/// MON-3, PROC-9: the watched process ends its watcher, and then itself.
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

/// MON-15: as `case_1`, with the monitor that the child was spawned with.
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
        let reason = down(fika::monitor(watched)).await;
        assert!([text("then I"), ExitReason::Noproc].contains(&reason), "{reason}");
    }
}

/// MON-12.
#[fika::test]
async fn case_2() {
    for _ in 0..1000 {
        let watched = spawn(async {
            let monitor: Reference = next().await;
            assert!(!demonitor(monitor));
            assert!(!fika::demonitor_flush(monitor));
            exit(text("x"));
        });
        let monitor = monitor(watched);
        send(watched, monitor);
        assert_eq!(down(monitor).await, text("x"));
    }
}

/// MON-12, MON-15.
#[fika::test]
async fn case_2a() {
    for _ in 0..1000 {
        let (watched, monitor) = spawn_monitor(async {
            let monitor: Reference = next().await;
            assert!(!demonitor(monitor));
            assert!(!fika::demonitor_flush(monitor));
            exit(text("x"));
        });
        send(watched, monitor);
        assert_eq!(down(monitor).await, text("x"));
    }
}

/// MON-17, MON-4: what can't be a target ends the caller, and leaves nothing with it.
#[fika::test]
async fn mon_e_1() {
    for node in ["no node", "a@b@c", "", "other@127.0.0.1"] {
        let end = end_of(async move {
            let _ = monitor(("name", node));
        });
        let reason = end.await;
        assert!(matches!(reason, ExitReason::Badarg(_)), "{node}: {reason}");
    }
    // A name that nobody has is no error, though sending to it is.
    assert_eq!(down(monitor("nobody")).await, ExitReason::Noproc);
    let sent = self_node().send("nobody", ());
    assert_eq!(sent, Err(SendError::Unregistered("nobody".into())));
}

/// MON-9: taking back what was no monitor is no error.
#[fika::test]
async fn demon_1() {
    let reference = make_ref();
    for _ in 0..2 {
        assert!(!demonitor(reference));
        assert!(!fika::demonitor_flush(reference));
    }
}

/// MON-8, MON-9.
#[fika::test]
async fn demon_2() {
    let target = spawn(serve());
    let monitor = monitor(target);
    assert!(demonitor(monitor));
    assert!(!demonitor(monitor));
    exit_process(target, ExitReason::Kill);
    down(fika::monitor(target)).await;
    let of_myself = fika::monitor(self_pid());
    demonitor(of_myself);
    demonitor(of_myself);
    assert!(has_none::<Down>().await);
}

/// MON-10: only the right one goes.
#[fika::test]
async fn demonitor_flush() {
    let target = spawn(serve());
    let monitors: Vec<_> = (0..5).map(|_| monitor(target)).collect();
    exit_process(target, ExitReason::Kill);
    // The last monitor's Down comes after all others.
    down(monitor(target)).await;
    send(self_pid(), "other".to_owned());
    assert!(!fika::demonitor_flush(monitors[2]));
    assert!(!fika::demonitor_flush(monitors[2]));
    for n in [0, 1, 3, 4] {
        receive! { Down { monitor, .. } => assert_eq!(monitor, monitors[n]) }
    }
    assert!(has_none::<Down>().await);
    assert_eq!(next::<String>().await, "other");
}

/// MON-3, MON-4, MON-6.
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

/// EXIT-15.
#[fika::test]
async fn large_exit() {
    let large = || ExitReason::term((0..100_000_u64).rev().collect::<Vec<_>>());
    let (child, monitor) = spawn_monitor(async move { exit(large()) });
    let more: Vec<_> = (0..5).map(|_| fika::monitor(child)).collect();
    assert_eq!(down(monitor).await, large());
    for monitor in more {
        let reason = down(monitor).await;
        assert!(reason == ExitReason::Noproc || reason == large());
    }
}
