//! Monitors: one message for each, at the right time, and none after `demonitor`.
#![deny(warnings)]

use crate::wait;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fika::inspect::info;
use fika::message::Reference;
use fika::prelude::*;
use fika::process::{Object, demonitor_flush, unregister, yield_now};

use wait::{IS_SANITIZED, LIMIT, down, end_of, has_none, next, serve, sync};

fn text(text: &str) -> ExitReason {
    ExitReason::term(text.to_owned())
}

/// MON-7: a monitor by name stays with the process that had the name.
#[fika::test]
async fn a_monitor_by_name_stays_with_its_process() {
    let (first, second) = (spawn(serve()), spawn(serve()));
    register("name", first).unwrap();
    let by_name = monitor("name");
    unregister("name").unwrap();
    register("name", second).unwrap();
    let of_second = monitor(second);
    exit_process(second, text("second"));
    assert_eq!(down(of_second).await, text("second"));
    assert!(has_none::<Down>().await);
    exit_process(first, text("first"));
    assert_eq!(down(by_name).await, text("first"));
    // The monitor can be removed after the name has moved to another process.
    let third = spawn(serve());
    register("third", third).unwrap();
    let by_name = monitor("third");
    unregister("third").unwrap();
    assert!(demonitor(by_name));
    exit_process(third, ExitReason::Kill);
    down(monitor(third)).await;
    assert!(has_none::<Down>().await);
}

/// MON-14, SIG-1: the Down comes after the messages, by pid and by name.
#[fika::test]
async fn a_down_comes_after_messages_by_pid_and_by_name() {
    let me = self_pid();
    register("watcher", me).unwrap();
    let here = self_node().name();
    for round in 0..1000 {
        let here = here.clone();
        let child = spawn(async move {
            next::<()>().await;
            for n in 0..30_u64 {
                match n % 3 {
                    0 => send(me, n),
                    1 => send("watcher", n),
                    _ => send(("watcher", here.as_str()), n),
                }
            }
            exit(text("end"));
        });
        register("target", child).unwrap();
        let monitor = if round % 2 == 0 { monitor("target") } else { monitor(child) };
        send(child, ());
        for n in 0..30 {
            let seen = receive! {
                n: u64 => n,
                Down { .. } => panic!("before message {n}"),
                after LIMIT => panic!("no message {n}"),
            };
            assert_eq!(seen, n);
        }
        assert_eq!(down(monitor).await, text("end"));
    }
}

/// MON-11: the result of `demonitor` agrees with the mailbox, in thousands of races.
#[fika::test]
async fn demonitor_returns_whether_a_down_has_arrived() {
    let (mut active, mut fired) = (0, 0);
    for round in 0..10_000 {
        let (child, monitor) = spawn_monitor(async move {
            for _ in 0..round % 3 {
                yield_now().await;
            }
        });
        for _ in 0..round % 4 {
            yield_now().await;
        }
        // A Down that has arrived, but was not looked at, may still be removed.
        if demonitor(monitor) {
            active += 1;
        } else {
            fired += 1;
            receive! {
                Down { monitor: m, .. } => assert_eq!(m, monitor),
                after Duration::ZERO => panic!("no Down, though it has fired"),
            }
        }
        assert!(!demonitor(monitor));
        if round % 8 == 0 {
            down(fika::process::monitor(child)).await;
            assert!(has_none::<Down>().await);
        }
    }
    assert!(has_none::<Down>().await);
    assert!(active > 0, "{active} {fired}");
    // This monitor has certainly fired.
    let (child, monitor) = spawn_monitor(async {});
    down(fika::process::monitor(child)).await;
    assert!(!demonitor(monitor));
    assert_eq!(down(monitor).await, ExitReason::Normal);
}

/// MON-9, MON-11: `demonitor` drops a Down that has arrived, but was not handled.
#[fika::test(workers = 3)]
async fn demonitor_drops_an_unhandled_down() {
    for round in 0..100 {
        let (child, monitor) = spawn_monitor(async { next::<()>().await });
        // Another process sees the end, and its monitor was made later.
        let seen = Arc::new(AtomicBool::new(false));
        let sees = seen.clone();
        spawn(async move {
            let monitor = fika::process::monitor(child);
            send(child, ());
            down(monitor).await;
            sees.store(true, Ordering::SeqCst);
        });
        // This loop has no suspension point, so that nothing is handled.
        while !seen.load(Ordering::SeqCst) {
            std::hint::spin_loop();
        }
        let active = if round % 2 == 0 { demonitor(monitor) } else { demonitor_flush(monitor) };
        assert!(active, "it had not fired as far as this process could see");
        yield_now().await;
        assert_eq!(down(fika::process::monitor(child)).await, ExitReason::Noproc);
        assert!(has_none::<Down>().await);
    }
}

/// MON-15: `spawn_monitor` gives the child's real reason, never `noproc`.
#[fika::test]
async fn spawn_monitor_reports_the_real_reason() {
    for round in 0..10_000_u64 {
        assert_eq!(
            end_of(async move { exit(ExitReason::term(round)) }).await,
            ExitReason::term(round)
        );
    }
}

/// MON-2, MON-3: each of many different monitors gives its own message, once.
#[fika::test]
async fn mixed_monitors_give_one_message_each() {
    let env = self_node().env().clone();
    for round in 0..100_u64 {
        let targets: Vec<_> = (0..20_u64)
            .map(|n| {
                // Unwatched processes of the previous round may still be ending.
                let name = format!("target {round} {n}");
                let target = spawn(async {
                    receive! { reason: ExitReason => exit(reason) }
                });
                register(name.as_str(), target).unwrap();
                (target, name, ExitReason::term((round, n)))
            })
            .collect();
        let mut expected = HashMap::new();
        for _ in 0..100 {
            let (target, name, reason) = &targets[(env.random() % 20) as usize];
            let monitor = match env.random() % 3 {
                0 => monitor(target),
                _ => monitor(name),
            };
            if env.random().is_multiple_of(4) {
                assert!(demonitor(monitor));
            } else {
                expected.insert(monitor, reason.clone());
            }
        }
        for (target, _, reason) in &targets {
            send(target, reason.clone());
        }
        while !expected.is_empty() {
            receive! {
                Down { monitor, reason, .. } => {
                    assert_eq!(expected.remove(&monitor), Some(reason));
                }
                after LIMIT => panic!("{} are missing", expected.len()),
            }
        }
        assert!(has_none::<Down>().await);
        for (target, ..) in &targets {
            down(monitor(target)).await;
        }
    }
}

/// MON-8: a monitor of the process itself never fires, by pid or by name.
#[fika::test]
async fn a_monitor_of_the_process_itself_never_fires() {
    let me = self_pid();
    let (child, monitor) = spawn_monitor(async move {
        register("myself", self_pid()).unwrap();
        let _ = monitor(self_pid());
        let _ = fika::process::monitor("myself");
        unregister("myself").unwrap();
        assert!(has_none::<Down>().await);
        send(me, ());
        serve().await;
    });
    next::<()>().await;
    sync(child).await;
    exit_process(child, ExitReason::Kill);
    assert_eq!(down(monitor).await, ExitReason::Killed);
}

/// MON-18: each of ten thousand watchers, and each of ten thousand monitors of one watcher, gets
/// its message.
#[fika::test]
async fn ten_thousand_monitors_of_one_target() {
    const WATCHERS: usize = 10_000;
    let me = self_pid();
    let node = self_node();
    let target = spawn(serve());
    for _ in 0..WATCHERS {
        spawn(async move {
            let monitor = monitor(target);
            sync(target).await;
            send(me, ());
            assert_eq!(down(monitor).await, text("end"));
            send(me, monitor);
        });
    }
    for _ in 0..WATCHERS {
        next::<()>().await;
    }
    let begun = node.env().now();
    exit_process(target, text("end"));
    for _ in 0..WATCHERS {
        next::<Reference>().await;
    }
    let took = node.env().now().since(begun);
    assert!(took < if IS_SANITIZED { LIMIT } else { secs(5) }, "{took:?}");

    let target = spawn(serve());
    let mut last = None;
    for _ in 0..WATCHERS {
        last = Some(monitor(target));
    }
    exit_process(target, text("end"));
    for _ in 0..WATCHERS {
        receive! {
            Down { object: Object::Pid(pid), reason, .. } => {
                assert_eq!((pid, reason), (target, text("end")));
            }
            after LIMIT => panic!("a Down is missing"),
        }
    }
    assert!(!demonitor_flush(last.unwrap()));
    assert!(has_none::<Down>().await);
}

/// INFO-5: a monitor is listed by the target that it was made with. A watcher is listed once for
/// each of its monitors.
#[fika::test]
async fn monitors_are_listed_by_their_original_target() {
    let (me, node) = (self_pid(), self_node().name());
    let target = spawn(serve());
    register("target", target).unwrap();
    let by_pid = monitor(target);
    let by_name = monitor("target");
    let with_node = monitor(("target", node.as_str()));
    sync(target).await;
    let named = || Object::Name("target".into(), node.clone());
    let listed = || async { info::monitors(me).await.unwrap() };
    assert_eq!(listed().await, [Object::Pid(target), named(), named()]);
    assert_eq!(info::monitored_by(target).await, Some(vec![me; 3]));
    // Unregistering a name changes nothing, and each monitor is removed separately.
    unregister("target").unwrap();
    assert!(demonitor(by_name));
    assert_eq!(listed().await, [Object::Pid(target), named()]);
    assert_eq!(info::monitored_by(target).await, Some(vec![me; 2]));
    assert!(demonitor(by_pid));
    assert_eq!(listed().await, [named()]);
    exit_process(target, ExitReason::Kill);
    assert_eq!(down(with_node).await, ExitReason::Killed);
    assert!(listed().await.is_empty());
}
