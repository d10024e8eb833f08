//! `process_SUITE`: how processes begin and end.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use fika::prelude::*;
use fika::{RegisterError, registered};

use crate::wait::{LIMIT, down, end_of, exit_from, has_none, next, serve, sync};

/// A reason that no buffer of fixed size holds.
fn huge() -> ExitReason {
    ExitReason::term((0..100_000_u64).collect::<Vec<_>>())
}

fn text(text: &str) -> ExitReason {
    ExitReason::term(text.to_owned())
}

/// PROC-9, PROC-6: nothing of a process is left when its end is seen.
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

/// EXIT-15, EXIT-10.
#[fika::test]
async fn t_exit_1() {
    trap_exit(true);
    for _ in 0..20 {
        let child = spawn_link(async { exit(huge()) });
        assert_eq!(exit_from(child).await, huge());
    }
}

/// EXIT-2, EXIT-15.
#[fika::test]
async fn t_exit_2_other() {
    trap_exit(true);
    for _ in 0..20 {
        let child = spawn_link(serve());
        exit_process(child, huge());
        assert_eq!(exit_from(child).await, huge());
    }
}

/// EXIT-3.
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

/// EXIT-10, EXIT-5.
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

/// EXIT-6: nothing runs after it, whatever the reason.
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
        // It would have come before the Down.
        assert!(has_none::<String>().await);
    }
}

/// PROC-4, EXIT-15.
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
            assert!(at.contains("process.rs"), "{at}");
        }
        other => panic!("{other}"),
    }
}

/// LINK-7, PROC-4.
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

/// EXIT-12.
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

/// The turns of two processes that yield after each step, on this many workers.
async fn turns_of_two(steps: usize) -> Vec<u8> {
    let turns = Arc::new(Mutex::new(Vec::new()));
    let children = [0, 1].map(|n| {
        let turns = turns.clone();
        spawn_monitor(async move {
            next::<()>().await;
            for _ in 0..steps {
                turns.lock().unwrap().push(n);
                yield_now().await;
            }
        })
    });
    for (child, _) in children {
        send(child, ());
    }
    for (_, monitor) in children {
        down(monitor).await;
    }
    Arc::try_unwrap(turns).expect("both have ended").into_inner().unwrap()
}

/// PROC-12: with one worker the turns alternate. A worker that the operating system holds up
/// for long is taken for a stuck one and gets help, which may be seen under load.
#[fika::test(workers = 1)]
async fn r#yield() {
    const STEPS: usize = 20_000;
    let turns = turns_of_two(STEPS).await;
    let both = turns.iter().rposition(|n| *n != turns[2 * STEPS - 1]).expect("both ran");
    let changes = turns[..both].windows(2).filter(|pair| pair[0] != pair[1]).count();
    // One that runs on though it yields makes two changes at the most.
    assert!(changes > both / 20, "{changes} changes in {both} turns of two");
}

/// PROC-12: nobody is starved, however many workers there are.
#[fika::test(workers = 2)]
async fn yield2() {
    let counts: Vec<_> = (0..8)
        .map(|_| {
            spawn(async {
                let mut count = 0_u64;
                loop {
                    count += 1;
                    yield_now().await;
                    receive! { from: Pid => return send(from, count), after Duration::ZERO => {} }
                }
            })
        })
        .collect();
    // Time is what is shared here.
    sleep(millis(100)).await;
    for child in counts {
        send(child, self_pid());
        let count: u64 = next().await;
        assert!(count >= 20, "{count} turns in 100 ms");
    }
}

/// REG-1: each error changes nothing.
#[fika::test]
async fn bad_register() {
    let (dead, monitor) = spawn_monitor(async {});
    down(monitor).await;
    let other_node = Node::builder().workers(1).build().unwrap();
    let elsewhere = other_node.spawn(serve()).expect("room for one");
    let named = spawn(serve());
    let free = spawn(serve());
    register("named", named).unwrap();
    let long = "x".repeat(1021);
    let cases = [
        ("", free, RegisterError::BadName),
        ("undefined", free, RegisterError::BadName),
        (&long, free, RegisterError::BadName),
        ("named", free, RegisterError::Taken),
        ("named", named, RegisterError::Taken),
        ("second name", named, RegisterError::Named),
        ("of the dead", dead, RegisterError::Noproc),
        ("elsewhere", elsewhere, RegisterError::Noproc),
    ];
    for (name, pid, error) in cases {
        assert_eq!(register(name, pid), Err(error), "{name}");
        assert_eq!(registered().len(), 1);
        assert_eq!(whereis("named"), Some(named));
    }
    register("x".repeat(1020), free).unwrap();
    other_node.stop();
}

/// PROC-6, REG-2: what a process owned is free when its name is. A listening socket stands
/// for a table.
#[fika::test]
async fn otp_6237() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = socket.local_addr().unwrap();
    drop(socket);
    for _ in 0..300 {
        let parent = self_pid();
        let owner = spawn(async move {
            let socket = TcpListener::bind(addr).expect("the owner before has let go of it");
            register("owner", self_pid()).unwrap();
            send(parent, ());
            next::<u64>().await;
            drop(socket);
        });
        next::<()>().await;
        exit_process(owner, ExitReason::Kill);
        let begun = self_node().env().now();
        while whereis("owner").is_some() {
            assert!(self_node().env().now().since(begun) < LIMIT);
            yield_now().await;
        }
    }
}
