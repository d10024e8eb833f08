//! Names: which process has a name, when a name is free, and where messages to it go.
#![deny(warnings)]

use crate::wait;

use fika::message::Local;
use fika::prelude::*;
use fika::process::{Name, RegisterError, registered, unregister};

use wait::{down, end_of, has_none, next, serve, sync};

/// REG-3: any process may unregister a name.
#[fika::test]
async fn names_are_registered_found_and_unregistered() {
    let target = spawn(serve());
    assert_eq!(whereis("name"), None);
    assert_eq!(unregister("name"), Err(RegisterError::Unknown));
    register("name", target).unwrap();
    assert_eq!(whereis("name"), Some(target));
    let end = end_of(async { unregister("name").unwrap() });
    assert_eq!(end.await, ExitReason::Normal);
    assert_eq!((whereis("name"), unregister("name")), (None, Err(RegisterError::Unknown)));
    // The process may now have another name.
    register("other", target).unwrap();
    assert_eq!(self_node().whereis("other"), Some(target));
}

/// REG-4: each registered name is listed once.
#[fika::test]
async fn each_name_is_listed_once() {
    let mut expected: Vec<_> = (0..100).map(|n| Name::from(format!("name {n}"))).collect();
    for name in &expected {
        register(name.clone(), spawn(serve())).unwrap();
    }
    expected.sort();
    let mut names = registered();
    names.sort();
    assert_eq!(names, expected);
    unregister("name 7").unwrap();
    assert!(!registered().iter().any(|name| name.as_str() == "name 7"));
    assert_eq!(registered().len(), 99);
}

/// REG-5: of many processes that want a name, one gets it.
#[fika::test(workers = 4)]
async fn a_race_for_a_name_has_one_winner() {
    let me = self_pid();
    for _ in 0..500 {
        let racers: Vec<_> = (0..8)
            .map(|_| {
                spawn(async move {
                    next::<()>().await;
                    send(me, register("prize", self_pid()).err().is_none());
                    serve().await;
                })
            })
            .collect();
        for racer in &racers {
            send(racer, ());
        }
        let mut winners = 0;
        for _ in &racers {
            winners += u32::from(next::<bool>().await);
        }
        assert_eq!(winners, 1);
        assert!(racers.contains(&whereis("prize").expect("one has it")));
        for racer in racers {
            exit_process(racer, ExitReason::Kill);
            down(monitor(racer)).await;
        }
        assert_eq!(whereis("prize"), None);
    }
}

/// REG-2, REG-8: a process that has seen the end can register the name at once.
#[fika::test]
async fn a_name_is_free_once_the_exit_is_observed() {
    trap_exit(true);
    for round in 0..3000 {
        let (child, monitor) = spawn_monitor(async {
            receive! { reason: ExitReason => exit(reason) }
        });
        link(child);
        register("name", child).unwrap();
        send("name", ExitReason::Shutdown);
        if round % 2 == 0 {
            down(monitor).await;
            register("name", self_pid()).unwrap();
            receive! { Exit { from, .. } => assert_eq!(from, child) }
        } else {
            receive! { Exit { from, .. } => assert_eq!(from, child) }
            register("name", self_pid()).unwrap();
            down(monitor).await;
        }
        unregister("name").unwrap();
    }
}

/// REG-2: a dead process never gets a name, and never keeps one.
#[fika::test(workers = 4)]
async fn dead_processes_have_no_names() {
    for _ in 0..5000 {
        let child = spawn(async {});
        match register("name", child) {
            Ok(()) | Err(RegisterError::Noproc) => {}
            Err(other) => panic!("{other}"),
        }
        down(monitor(child)).await;
        assert_eq!(whereis("name"), None);
    }
}

/// REG-6, REG-8, SIG-6, SIG-7: a message by name goes to the process that has the name at the send.
#[fika::test]
async fn messages_by_name_go_to_the_current_holder() {
    let me = self_pid();
    let here = self_node().name();
    let name = Name::from("name");
    let text = String::from("name");
    register("name", me).unwrap();
    // Every type that can name a destination works.
    send("name", 1_u64);
    send(&text, 2_u64);
    send(&name, 3_u64);
    send(("name", here.as_str()), 4_u64);
    send(("name", &here), 5_u64);
    send(me, 6_u64);
    let by_reference: &Pid = &me;
    send(by_reference, 7_u64);
    self_node().send("name", 8_u64).unwrap();
    for n in 1..=8 {
        assert_eq!(next::<u64>().await, n);
    }
    // The name is resolved at the send: a process that gets the name later does not receive the
    // message.
    let (first, second) = (spawn(serve()), spawn(serve()));
    unregister("name").unwrap();
    for _ in 0..100 {
        register("name", first).unwrap();
        send("name", me);
        unregister("name").unwrap();
        register("name", second).unwrap();
        unregister("name").unwrap();
        next::<()>().await;
    }
    sync(second).await;
    assert!(has_none::<()>().await);
    // A send to an unused name is an error for a plain name, and no error for a name on a node.
    let end = end_of(async { send("name", ()) });
    assert!(matches!(end.await, ExitReason::Badarg(_)));
    send(("name", &here), ());
    send(("name", "other@127.0.0.1"), ());
    let end = end_of(async { send(("name", "no node"), ()) });
    assert!(matches!(end.await, ExitReason::Badarg(_)));
    let end = end_of(async { send(("name", "other@127.0.0.1"), Local(())) });
    assert!(matches!(end.await, ExitReason::Badarg(_)), "it can't leave the node");
    // A send to a dead process has no effect, and is not an error.
    exit_process(first, ExitReason::Kill);
    down(monitor(first)).await;
    send(first, me);
    sync(second).await;
    assert!(has_none::<()>().await);
}

/// REG-7: unregistering a name changes nothing else.
#[fika::test]
async fn unregistering_changes_nothing_else() {
    trap_exit(true);
    let target = spawn_link(async {
        next::<()>().await;
        let n = next::<u64>().await;
        exit(ExitReason::term(n));
    });
    let watch = monitor(target);
    register("name", target).unwrap();
    send("name", 7_u64);
    unregister("name").unwrap();
    send(target, ());
    assert_eq!(down(watch).await, ExitReason::term(7_u64));
    receive! { Exit { from, .. } => assert_eq!(from, target) }
}
