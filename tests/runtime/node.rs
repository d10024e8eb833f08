//! A node used from outside its processes, its limit, and its stop.
#![deny(warnings)]

use crate::wait;

use std::panic::{AssertUnwindSafe, catch_unwind};

use fika::inspect::process_count;
use fika::message::{Reference, make_ref};
use fika::prelude::*;
use fika::process::{
    SpawnOpts, demonitor_flush, registered, spawn_blocking, spawn_opt, unlink, unregister,
    yield_now,
};
use fika::time::{cancel_timer, read_timer, start_timer};

use wait::{LIMIT, down, end_of, exit_from, next, serve, sync};

fn text(text: &str) -> ExitReason {
    ExitReason::term(text.to_owned())
}

/// Waits until there are this many processes.
async fn settle(count: usize) {
    let begun = self_node().env().now();
    while process_count() != count {
        let since = self_node().env().now().since(begun);
        assert!(since < LIMIT, "{} processes, and not {count}", process_count());
        yield_now().await;
    }
}

/// PROC-10: a full node spawns again when there is room.
#[test]
fn a_full_node_recovers() {
    const FULL: usize = 50;
    let node = Node::builder().workers(2).process_limit(FULL).build().unwrap();
    let outer = node.clone();
    node.block_on(async move {
        for round in 0..100 {
            // The processes are this one, and the node's own process that waits for it.
            settle(2).await;
            let children: Vec<_> = (1..FULL - 1).map(|_| spawn_monitor(serve())).collect();
            // There is room for one process, which tries to spawn another.
            let end = end_of(async move {
                match round % 3 {
                    0 => spawn(serve()),
                    1 => spawn_link(serve()),
                    _ => spawn_monitor(serve()).0,
                }
            });
            assert_eq!(end.await, ExitReason::SystemLimit);
            settle(FULL).await;
            let last = spawn(serve());
            assert_eq!((process_count(), outer.spawn(async {})), (FULL + 1, None));
            for child in children.iter().map(|(child, _)| *child).chain([last]) {
                exit_process(child, ExitReason::Kill);
            }
            for (_, monitor) in children {
                assert_eq!(down(monitor).await, ExitReason::Killed);
            }
        }
    });
    node.stop();
}

/// PROC-10: a process that sees an end finds room, even if there was none before.
#[test]
fn a_process_that_sees_an_exit_can_spawn() {
    const FULL: usize = 6;
    let node = Node::builder().workers(3).process_limit(FULL).build().unwrap();
    node.block_on(async move {
        trap_exit(true);
        // The processes are this one, and one that keeps a worker busy.
        spawn(async {
            loop {
                yield_now().await;
            }
        });
        let mut children: Vec<_> = (2..FULL).map(|_| spawn_child()).collect();
        for round in 0..20_000 {
            let (child, monitor) = children.remove(0);
            send(child, ());
            // The Down and the Exit each report the end.
            if round % 2 == 0 {
                assert_eq!(down(monitor).await, ExitReason::Normal);
                children.push(spawn_child());
                assert_eq!(exit_from(child).await, ExitReason::Normal);
            } else {
                assert_eq!(exit_from(child).await, ExitReason::Normal);
                children.push(spawn_child());
                assert_eq!(down(monitor).await, ExitReason::Normal);
            }
        }
    });
    node.stop();
}

/// Spawns a process with a link and a monitor, which ends on request.
fn spawn_child() -> (Pid, Reference) {
    let opts = SpawnOpts::new().link().monitor();
    let child = spawn_opt(opts, async { next::<()>().await });
    (child.pid, child.monitor.unwrap())
}

/// PROC-10: a node that is far from its limit never reports that it has reached it, however many
/// workers take slots from each other.
#[test]
fn a_node_with_room_is_never_full() {
    let node = Node::builder().workers(4).process_limit(16).build().unwrap();
    node.block_on(async {
        let me = self_pid();
        for _ in 0..4 {
            spawn_link(async move {
                for _ in 0..5000 {
                    let (_, monitor) = spawn_monitor(async {});
                    down(monitor).await;
                }
                send(me, ());
            });
        }
        for _ in 0..4 {
            next::<()>().await;
        }
    });
    node.stop();
}

/// A node with very many processes stops in time.
#[test]
fn a_node_with_a_hundred_thousand_processes_stops() {
    let node = Node::builder().build().unwrap();
    node.block_on(async {
        let me = self_pid();
        for n in 0..100_000_u64 {
            spawn(async move {
                trap_exit(true);
                send(me, ());
                if n % 2 == 0 {
                    link(me);
                }
                loop {
                    receive! { _: u64 => {}, after secs(3600) => {} }
                }
            });
        }
        for _ in 0..100_000 {
            next::<()>().await;
        }
    });
    assert!(node.process_count() > 40_000, "those that were not linked");
    let begun = node.env().now();
    assert!(node.stop());
    let took = node.env().now().since(begun);
    assert!(took < LIMIT, "{took:?}");
    assert_eq!((node.process_count(), node.timer_count()), (0, 0));
    assert_eq!(node.spawn(async {}), None);
}

/// A node stops even though its processes spawn others all the time.
#[test]
fn a_node_stops_in_the_middle_of_spawns() {
    for _ in 0..20 {
        let node = Node::builder().workers(4).build().unwrap();
        let (started, has_started) = std::sync::mpsc::channel();
        for _ in 0..4 {
            let started = started.clone();
            node.spawn(async move {
                for n in 0.. {
                    spawn(serve());
                    if n % 10 == 0 {
                        yield_now().await;
                    }
                    if n == 100 {
                        started.send(()).unwrap();
                    }
                }
            });
        }
        for _ in 0..4 {
            has_started.recv().unwrap();
        }
        let begun = node.env().now();
        assert!(node.stop());
        let took = node.env().now().since(begun);
        assert!(took < millis(4500), "{took:?}");
        assert_eq!(node.process_count(), 0);
    }
}

/// PROC-2: two nodes of one program have no pid, reference or name in common.
#[test]
fn nodes_of_one_program_are_separate() {
    let [a, b] = [(); 2].map(|()| Node::builder().workers(1).build().unwrap());
    assert_ne!(a.id(), b.id());
    assert_ne!(a.make_ref(), b.make_ref());
    let of_a = a.spawn(serve()).expect("room for one");
    let of_b = b.spawn(serve()).expect("room for one");
    assert_ne!(of_a, of_b);
    a.register("name", of_a).unwrap();
    assert_eq!((a.whereis("name"), b.whereis("name")), (Some(of_a), None));
    b.register("name", of_b).unwrap();
    b.block_on(async move {
        // An operation on a pid of a node that is not connected has no effect.
        exit_process(of_a, ExitReason::Kill);
        send(of_a, self_pid());
        assert_eq!(down(monitor(of_a)).await, ExitReason::Noconnection);
        sync(of_b).await;
    });
    assert!(b.stop());
    a.block_on(async move { sync(of_a).await });
    assert!(a.stop());
}

/// Each function that acts for a process fails outside of one, with a panic that says what to use
/// instead.
#[test]
fn outside_of_a_process_a_panic_names_the_alternative() {
    let node = Node::builder().workers(1).build().unwrap();
    let pid = node.spawn(serve()).expect("room for one");
    let reference = node.make_ref();
    let timer = node.block_on(async { send_after(secs(60), self_pid(), ()) });
    fn used<T>(_: T) {}
    fn poll<F: Future>(future: F) {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let _ = std::pin::pin!(future).poll(&mut context);
    }
    type Case<'a> = (&'a str, Box<dyn Fn() + 'a>);
    let cases: Vec<Case<'_>> = vec![
        ("self_pid", Box::new(|| used(self_pid()))),
        ("self_node", Box::new(|| used(self_node()))),
        ("make_ref", Box::new(|| used(make_ref()))),
        ("send", Box::new(move || send(pid, ()))),
        ("link", Box::new(move || link(pid))),
        ("unlink", Box::new(move || unlink(pid))),
        ("monitor", Box::new(move || used(monitor(pid)))),
        ("demonitor", Box::new(move || used(demonitor(reference)))),
        ("demonitor_flush", Box::new(move || used(demonitor_flush(reference)))),
        ("exit", Box::new(|| exit(ExitReason::Normal))),
        ("exit_process", Box::new(move || exit_process(pid, ExitReason::Kill))),
        ("trap_exit", Box::new(|| used(trap_exit(true)))),
        ("register", Box::new(move || used(register("name", pid)))),
        ("unregister", Box::new(|| used(unregister("name")))),
        ("whereis", Box::new(|| used(whereis("name")))),
        ("registered", Box::new(|| used(registered()))),
        ("process_count", Box::new(|| used(process_count()))),
        ("send_after", Box::new(move || used(send_after(secs(1), pid, ())))),
        ("start_timer", Box::new(move || used(start_timer(secs(1), pid, ())))),
        ("cancel_timer", Box::new(move || used(cancel_timer(timer)))),
        ("read_timer", Box::new(move || used(read_timer(timer)))),
        ("spawn", Box::new(|| used(spawn(async {})))),
        ("spawn_link", Box::new(|| used(spawn_link(async {})))),
        ("spawn_monitor", Box::new(|| used(spawn_monitor(async {})))),
        ("spawn_blocking", Box::new(|| used(spawn_blocking(|| ())))),
        ("sleep", Box::new(|| used(sleep(secs(1))))),
        ("sleep", Box::new(|| poll(timeout(secs(1), async {})))),
        (
            "receive!",
            Box::new(|| {
                poll(async {
                    receive! { _: u64 => {} }
                })
            }),
        ),
        (
            "receive!",
            Box::new(|| {
                poll(async {
                    receive! { after secs(1) => {} }
                })
            }),
        ),
    ];
    for (function, call) in cases {
        let panic = catch_unwind(AssertUnwindSafe(call)).expect_err(function);
        let text = panic.downcast_ref::<String>().expect("it is a text");
        assert!(text.starts_with(&format!("`{function}` acts for the running process")), "{text}");
        assert!(text.contains("`spawn`") && text.contains("method of `Node`"), "{text}");
    }
    node.block_on(async move { sync(pid).await });
    node.stop();
}

/// `block_on` panics in a process, because the process would wait for itself.
#[fika::test]
async fn block_on_in_a_process_is_refused() {
    let node = self_node();
    match end_of(async move { node.block_on(async {}) }).await {
        ExitReason::Panic(panic) => assert!(panic.message.contains("await the future instead")),
        other => panic!("{other}"),
    }
}

/// `block_on` returns the value of its future, or the reason of its end.
#[test]
fn block_on_returns_the_value_or_the_reason() {
    let node = Node::builder().workers(1).build().unwrap();
    assert_eq!(node.block_on(async { "value".to_owned() }), "value");
    for reason in [ExitReason::Normal, ExitReason::Shutdown, ExitReason::Kill, text("x")] {
        let ends = reason.clone();
        assert_eq!(node.try_block_on(async { exit(ends) }), Err::<(), _>(reason));
    }
    let panic = catch_unwind(AssertUnwindSafe(|| node.block_on(async { panic!("at last") })));
    let panic = panic.expect_err("it panics with the process");
    assert_eq!(panic.downcast_ref::<String>().unwrap(), "at last");
    node.stop();
}
