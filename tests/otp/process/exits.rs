//! Cases of `process_SUITE` about how processes end.

use super::super::*;
use fika::message::Local;
use fika::process::yield_now;

/// A reason that is too large for a buffer of fixed size.
fn huge() -> ExitReason {
    ExitReason::term((0..100_000_u64).collect::<Vec<_>>())
}

/// PROC-6, PROC-9: when a process's end is seen, nothing of the process is left.
#[fika::test]
async fn spawn_with_binaries() {
    let payload = Arc::new(vec![7_u8; 1 << 20]);
    for _ in 0..200 {
        let children: Vec<_> = (0..10)
            .map(|n| {
                let (argument, message) = (payload.clone(), Local(payload.clone()));
                let (child, monitor) = spawn_monitor(async move {
                    receive! { (): () => assert_eq!(argument.len(), 1 << 20) }
                    match n % 3 {
                        0 => exit(ExitReason::Kill),
                        1 => panic!("as it should"),
                        _ => {}
                    }
                });
                send(child, message);
                send(child, ());
                monitor
            })
            .collect();
        for monitor in children {
            down(monitor).await;
        }
        assert_eq!(Arc::strong_count(&payload), 1);
    }
}

/// EXIT-10, EXIT-15: a link delivers a large reason unchanged.
#[fika::test]
async fn t_exit_1() {
    trap_exit(true);
    for _ in 0..20 {
        let child = spawn_link(async { exit(huge()) });
        assert_eq!(exit_from(child).await, huge());
    }
}

/// EXIT-2, EXIT-15: a process that gets an exit signal with a large reason ends with it.
#[fika::test]
async fn t_exit_2_other() {
    trap_exit(true);
    for _ in 0..20 {
        let child = spawn_link(serve());
        exit_process(child, huge());
        assert_eq!(exit_from(child).await, huge());
    }
}

/// EXIT-3: an exit signal with the reason normal has no effect on another process.
#[fika::test]
async fn t_exit_2_other_normal() {
    trap_exit(true);
    let child = spawn_link(serve());
    for _ in 0..1000 {
        exit_process(child, ExitReason::Normal);
        sync(child).await;
    }
    exit_process(child, ExitReason::Shutdown);
    assert_eq!(exit_from(child).await, ExitReason::Shutdown);
    assert!(has_none::<Exit>().await);
}

/// EXIT-5, EXIT-10: a process that traps exits receives its own exit signals, also with the reason
/// normal.
#[fika::test]
async fn self_exit() {
    trap_exit(true);
    let me = self_pid();
    for n in 0..10_000_u64 {
        let reason = if n % 2 == 0 { ExitReason::Normal } else { ExitReason::term(n) };
        exit_process(me, reason.clone());
        assert_eq!(exit_from(me).await, reason);
    }
    assert!(has_none::<Exit>().await);
}

/// EXIT-6: after an exit signal to the process itself, none of its code runs, whatever the reason.
#[fika::test]
async fn abnormal_suicide_exit() {
    let parent = self_pid();
    let cases = [
        (text("suicide"), text("suicide")),
        (huge(), huge()),
        (ExitReason::Normal, ExitReason::Normal),
        (ExitReason::Kill, ExitReason::Killed),
    ];
    for (reason, seen) in cases {
        let by_signal = reason.clone();
        let end = end_of(async move {
            exit_process(self_pid(), by_signal);
            send(parent, "still here".to_owned());
        });
        assert_eq!(end.await, seen);
        let by_leaving = reason.clone();
        assert_eq!(end_of(async { exit(by_leaving) }).await, reason);
        // The string would have arrived before the Down.
        assert!(has_none::<String>().await);
    }
}

/// EXIT-15, PROC-4: a link reports a panic with its whole message and its location.
#[fika::test]
async fn trap_exit_badarg() {
    trap_exit(true);
    let argument = "x".repeat(1 << 20);
    let panics = argument.clone();
    let child = spawn_link(async move { panic!("{panics}") });
    match exit_from(child).await {
        ExitReason::Panic(panic) => {
            assert_eq!(panic.message, argument);
            let at = panic.location.as_deref().expect("it is known");
            assert!(at.contains("exits.rs"), "{at}");
        }
        other => panic!("{other}"),
    }
}

/// LINK-7, PROC-4: a parent learns the true reason of a child that fails at once.
#[fika::test]
async fn trap_exit_badarg_in_bif() {
    trap_exit(true);
    for n in 0..2000 {
        let child = spawn_link(async move {
            if n % 2 == 0 {
                panic!("at once");
            }
            send("nobody has this name", ());
        });
        match exit_from(child).await {
            ExitReason::Panic(panic) if n % 2 == 0 => assert_eq!(panic.message, "at once"),
            ExitReason::Badarg(_) if n % 2 == 1 => {}
            other => panic!("{other}"),
        }
    }
}

/// EXIT-12: the first fatal signal decides the reason.
#[fika::test]
async fn exit_twice() {
    trap_exit(true);
    for n in 0..3000_u64 {
        let child = match n % 3 {
            0 => spawn_link(serve()),
            1 => spawn_link(async {
                loop {
                    yield_now().await;
                }
            }),
            _ => spawn_link(async {
                sleep(secs(3600)).await;
            }),
        };
        let second = if n % 2 == 0 { ExitReason::Kill } else { text("second") };
        exit_process(child, text("first"));
        exit_process(child, second);
        assert_eq!(exit_from(child).await, text("first"));
    }
    assert!(has_none::<Exit>().await);
}
