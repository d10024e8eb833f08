//! Panics and destructors: they end one process, and harm no other.
#![deny(warnings)]

use crate::wait;

use std::panic::panic_any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use fika::inspect::process_count;
use fika::message::{AliasOpts, Local, Reference, alias, alias_with, make_ref, send_priority};
use fika::prelude::*;
use fika::process::{
    SpawnOpts, spawn_blocking, spawn_opt, spawn_request, spawn_request_on, unlink, unregister,
    yield_now,
};
use fika::time::start_timer;

use wait::{LIMIT, down, end_of, has_none, next, serve, sync};

fn text(text: &str) -> ExitReason {
    ExitReason::term(text.to_owned())
}

/// Runs code when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// The actions of a destructor in these tests: everything that can reach other processes.
#[derive(Clone)]
struct Meddler {
    test: Pid,
    /// A process that is linked to the process that ends.
    peer: Pid,
    /// An alias of the test's process.
    alias: Reference,
    monitor_of_peer: Reference,
    dropped: Arc<AtomicUsize>,
}

impl Drop for Meddler {
    fn drop(&mut self) {
        let Meddler { test, peer, alias, monitor_of_peer, .. } = *self;
        let say = || "from a destructor".to_owned();
        send(test, say());
        send(alias, say());
        send_priority(alias, say());
        send("nobody has this name", ());
        exit_process(test, text("from a destructor"));
        exit_process(alias, text("from a destructor"));
        fika::process::exit_process_priority(alias, text("from a destructor"));
        link(test);
        // The peer's half of the link stays, and it gets its exit signal.
        unlink(peer);
        assert!(!demonitor(monitor_of_peer));
        let watch = monitor(peer);
        let _ = (monitor("nobody"), monitor(("name", "no node name")), monitor(watch));
        let child = move || async move { send(test, "from its child".to_owned()) };
        let children = [
            spawn(child()),
            spawn_link(child()),
            spawn_monitor(child()).0,
            spawn_opt(SpawnOpts::new().link().monitor(), child()).pid,
        ];
        assert!(children.iter().all(|child| *child == children[0]), "none of them is a process");
        spawn_request(SpawnOpts::new().link().monitor(), child());
        let node = self_node();
        drop(spawn_blocking(move || node.send(test, "from its thread".to_owned())));
        let timers = [
            send_after(Duration::ZERO, test, "from its timer".to_owned()),
            start_timer(Duration::ZERO, test, "from its timer".to_owned()),
            send_after(Duration::ZERO, ("name", "no node name"), ()),
        ];
        assert!(timers.iter().all(|timer| fika::time::read_timer(*timer).is_none()));
        assert!(register("from a destructor", test).is_err());
        assert!(unregister("test").is_err());
        self.dropped.fetch_add(1, Ordering::SeqCst);
    }
}

/// PROC-7: a process that is told to end only runs destructors, and these reach no other process.
#[fika::test]
async fn destructors_of_an_ending_process_reach_no_other() {
    let me = self_pid();
    register("test", me).unwrap();
    let alias = alias_with(AliasOpts::new().priority());
    let dropped = Arc::new(AtomicUsize::new(0));
    let mut expected = 0;
    for round in 0..300 {
        let peer = spawn(async {
            trap_exit(true);
            let Exit { reason, .. } = next().await;
            exit(reason);
        });
        let watch = monitor(peer);
        let dropped_too = dropped.clone();
        let meddler = async move || {
            link(peer);
            let (test, monitor_of_peer, dropped) = (me, monitor(peer), dropped_too);
            Meddler { test, peer, alias, monitor_of_peer, dropped }
        };
        let (child, monitor) = match round % 3 {
            // The process is killed while it waits.
            0 => spawn_monitor(async move {
                let inside = meddler().await;
                send(me, ());
                serve().await;
                drop(inside);
                send(me, "it went on".to_owned());
            }),
            // The process ends by itself, in the middle of a call.
            1 => spawn_monitor(async move {
                let _inside = meddler().await;
                send(me, ());
                exit_process(self_pid(), ExitReason::Kill);
                send(me, "it went on".to_owned());
            }),
            // The process ends by the end of a linked process.
            _ => spawn_monitor(async move {
                let _inside = meddler().await;
                let child = spawn_link(async { exit(ExitReason::Killed) });
                send(me, ());
                serve().await;
                link(child);
            }),
        };
        next::<()>().await;
        if round % 3 == 0 {
            exit_process(child, ExitReason::Kill);
        }
        assert_eq!(down(monitor).await, ExitReason::Killed);
        assert_eq!(down(watch).await, ExitReason::Killed, "the peer was notified");
        expected += 1;
        assert_eq!(dropped.load(Ordering::SeqCst), expected, "and the destructor came to its end");
    }
    // A process that never ran also has destructors.
    for _ in 0..300 {
        let (peer, monitor_of_peer) = (spawn(serve()), make_ref());
        let dropped = dropped.clone();
        let inside = Meddler { test: me, peer, alias, monitor_of_peer, dropped };
        let child = spawn(async move {
            next::<u64>().await;
            drop(inside);
        });
        exit_process(child, ExitReason::Shutdown);
        let reason = down(monitor(child)).await;
        assert!([ExitReason::Shutdown, ExitReason::Noproc].contains(&reason), "{reason}");
        exit_process(peer, ExitReason::Kill);
        expected += 1;
    }
    assert_eq!(dropped.load(Ordering::SeqCst), expected);
    // Any effect would have arrived by now, because timers and threads are not slower than this
    // timer.
    send_after(millis(2), me, ());
    next::<()>().await;
    spawn_blocking(|| ()).await;
    assert!(has_none::<String>().await && has_none::<Exit>().await && has_none::<Down>().await);
    assert_eq!(whereis("test"), Some(me));
    assert_eq!(whereis("from a destructor"), None);
}

/// PROC-7: a process that takes in a fatal signal in the middle of a turn receives nothing that comes
/// behind the signal.
#[fika::test(workers = 2)]
async fn a_fatal_signal_in_the_middle_of_a_turn() {
    let me = self_pid();
    let all_sent = Arc::new(AtomicBool::new(false));
    let sent = all_sent.clone();
    let (pid, monitor) = spawn_monitor(async move {
        send(me, ());
        while !sent.load(Ordering::SeqCst) {
            std::hint::spin_loop();
        }
        receive! { from: Pid => send(from, "it went on".to_owned()) }
    });
    next::<()>().await;
    exit_process(pid, ExitReason::Kill);
    send(pid, me);
    all_sent.store(true, Ordering::SeqCst);
    assert_eq!(down(monitor).await, ExitReason::Killed);
    assert!(has_none::<String>().await);
}

/// PROC-4: a panic with any payload ends one process, and other processes only by their links.
#[fika::test]
async fn a_panic_of_any_kind_ends_one_process() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic_any(OnDrop(|| panic!("a payload that panics in turn")));
        }
    }

    let bystander = spawn(serve());
    type Body = fn() -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;
    let cases: [(&str, Body); 9] = [
        ("plain", || Box::pin(async { panic!("plain") })),
        ("formatted 7", || Box::pin(async { panic!("formatted {}", 7) })),
        ("a panic whose payload is not a text", || Box::pin(async { panic_any(7_u8) })),
        ("a panic whose payload is not a text", || Box::pin(async { panic_any(Bomb) })),
        ("index out of bounds", || {
            Box::pin(async {
                let none: Vec<u8> = Vec::new();
                let at = none.len();
                let _ = none[at];
            })
        }),
        ("after a wait", || {
            Box::pin(async {
                yield_now().await;
                panic!("after a wait")
            })
        }),
        ("as a local goes", || {
            Box::pin(async {
                let _local = OnDrop(|| panic!("as a local goes"));
                yield_now().await;
            })
        }),
        ("in a blocking call", || {
            Box::pin(async { spawn_blocking(|| panic!("in a blocking call")).await })
        }),
        ("in a nested future", || {
            Box::pin(async {
                let _ = timeout(secs(1), async { panic!("in a nested future") }).await;
            })
        }),
    ];
    for (expected, body) in cases {
        let (child, monitor) = spawn_monitor(async move { body().await });
        let linked = spawn(async move {
            link(child);
            serve().await;
        });
        let watch = fika::process::monitor(linked);
        match down(monitor).await {
            ExitReason::Panic(panic) => {
                assert!(panic.message.starts_with(expected), "{expected}: {}", panic.message);
            }
            other => panic!("{expected}: {other}"),
        }
        // The process linked itself in time, or to a dead process.
        let reason = down(watch).await;
        assert!(matches!(reason, ExitReason::Panic(_) | ExitReason::Noproc), "{reason}");
        sync(bystander).await;
    }

    // A panic in a destructor of an ending process does not change the reason, unless the reason is
    // an orderly one.
    for (reason, seen) in [(ExitReason::Kill, "killed"), (text("x"), "\"x\"")] {
        let me = self_pid();
        let (child, monitor) = spawn_monitor(async move {
            let _local = OnDrop(|| panic!("in a destructor"));
            send(me, ());
            serve().await;
        });
        next::<()>().await;
        exit_process(child, reason.clone());
        let end = down(monitor).await;
        assert!(end == reason || end == ExitReason::Killed, "{end} is not {seen}");
    }
    sync(bystander).await;
}

/// A message whose destructor panics.
struct Explosive;

impl Drop for Explosive {
    fn drop(&mut self) {
        panic!("a message's destructor");
    }
}

/// A message whose destructor sends and calls like a process.
struct Talkative(Pid);

impl Drop for Talkative {
    fn drop(&mut self) {
        send(self.0, "a message's destructor".to_owned());
    }
}

/// PROC-6, PROC-9: messages that are never received are dropped in a place where their destructors
/// do no harm.
#[fika::test(workers = 2)]
async fn a_mailbox_is_discarded_despite_panicking_messages() {
    let me = self_pid();
    let node = self_node();
    for n in 0..200_u64 {
        // The messages are in the mailbox, in the queue, behind a fatal signal, and sent to a dead
        // process.
        let (child, monitor) = spawn_monitor(async move {
            receive! { (): () => {} }
        });
        for _ in 0..2 {
            send(child, Local(Explosive));
            send(child, Local(Talkative(me)));
        }
        if n % 2 == 0 {
            exit_process(child, text("fatal"));
        } else {
            send(child, ());
        }
        send(child, Local(Explosive));
        send(child, Local(Talkative(me)));
        let reason = down(monitor).await;
        assert_eq!(reason, if n % 2 == 0 { text("fatal") } else { ExitReason::Normal });
        send(child, Local(Explosive));
        send_after(Duration::ZERO, child, Local(Explosive));
        send_after(Duration::ZERO, "nobody", Local(Explosive));
        send_after(Duration::ZERO, child, Local(Talkative(me)));
        node.send(child, Local(Explosive)).unwrap();
        send_after(millis(1), me, ());
        next::<()>().await;
    }
    // All workers still run, because two processes meet although each keeps a worker busy until
    // then.
    let meeting = Arc::new(AtomicUsize::new(0));
    let guests: Vec<_> = (0..2)
        .map(|_| {
            let meeting = meeting.clone();
            spawn_monitor(async move {
                meeting.fetch_add(1, Ordering::SeqCst);
                let begun = self_node().env().now();
                while meeting.load(Ordering::SeqCst) < 2 {
                    assert!(self_node().env().now().since(begun) < LIMIT, "a worker is gone");
                    std::hint::spin_loop();
                }
            })
        })
        .collect();
    for (_, monitor) in guests {
        assert_eq!(down(monitor).await, ExitReason::Normal);
    }
    assert_eq!(process_count(), 2, "this process and the one that waits for it");
}

/// A message whose destructor takes some time.
struct Slow(Arc<AtomicUsize>);

impl Drop for Slow {
    fn drop(&mut self) {
        let begun = self_node().env().now();
        while self_node().env().now().since(begun) < millis(3) {
            std::hint::spin_loop();
        }
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// PROC-6, PROC-9: when the end of a process is seen, its messages and locals are gone.
#[fika::test(workers = 3)]
async fn messages_and_locals_are_gone_when_the_exit_is_observed() {
    trap_exit(true);
    for round in 0..20 {
        let gone = Arc::new(AtomicUsize::new(0));
        let local = Slow(gone.clone());
        let child = spawn_link(async move {
            // One message is in the mailbox, and stays there.
            receive! { (): () => {} }
            drop(local);
        });
        send(child, Local(Slow(gone.clone())));
        send(child, ());
        receive! { Exit { from, .. } if from == child => {}, after LIMIT => panic!("no Exit") }
        assert_eq!(gone.load(Ordering::SeqCst), 2);

        // A request behind a fatal signal is answered when the signal has taken effect.
        let (gone, parent) = (Arc::new(AtomicUsize::new(0)), self_pid());
        let local = Slow(gone.clone());
        let child = spawn(async move {
            register("slow", self_pid()).unwrap();
            send(parent, ());
            serve().await;
            drop(local);
        });
        next::<()>().await;
        exit_process(child, ExitReason::Kill);
        if round % 2 == 0 {
            assert_eq!(down(monitor(child)).await, ExitReason::Noproc);
        } else {
            link(child);
            receive! { Exit { from, .. } if from == child => {}, after LIMIT => panic!("no Exit") }
        }
        assert_eq!(gone.load(Ordering::SeqCst), 1);
        register("slow", parent).unwrap();
        unregister("slow").unwrap();
    }
}

/// PROC-7: a destructor that runs while a panic unwinds may make a call that would end the process.
/// The program does not abort.
#[test]
fn an_invalid_call_during_unwinding_does_not_abort() {
    let node = Node::builder().workers(1).process_limit(4).build().unwrap();
    node.block_on(async {
        let other_node = Node::builder().workers(1).build().unwrap();
        let elsewhere = other_node.spawn(serve()).expect("room for one");
        let me = self_pid;
        let calls = [
            ("send", call(|| send("nobody has this name", ()))),
            ("send_priority", call(|| send_priority("nobody has this name", ()))),
            ("send to no node", call(|| send(("name", "no node name"), ()))),
            ("monitor", call(|| monitor(("name", "no node name")))),
            ("monitor an alias", call(|| monitor(alias()))),
            ("monitor elsewhere", call(|| monitor(("name", "a@127.0.0.1")))),
            ("link", call(move || link(elsewhere))),
            ("send_after", call(move || send_after(secs(1), elsewhere, ()))),
            ("start_timer", call(|| start_timer(secs(1), ("x", "a@127.0.0.1"), ()))),
            ("spawn", call(move || [(); 4].map(|()| spawn(follow(me()))))),
            ("spawn_link", call(move || [(); 4].map(|()| spawn_link(follow(me()))))),
            ("spawn_monitor", call(move || [(); 4].map(|()| spawn_monitor(follow(me()))))),
            ("exit_process", call(move || exit_process(me(), ExitReason::Kill))),
            ("spawn_request_on", call(|| spawn_request_on("", SpawnOpts::new(), idle()))),
        ];
        for (name, call) in calls {
            for by_panic in [true, false] {
                let calls = call.clone();
                let made = Arc::new(AtomicUsize::new(0));
                let makes = made.clone();
                let end = end_of(async move {
                    let _local = OnDrop(move || {
                        calls();
                        makes.fetch_add(1, Ordering::SeqCst);
                    });
                    if by_panic {
                        panic!("the one that counts");
                    }
                    exit(text("the one that counts"));
                });
                let reason = end.await;
                match &reason {
                    // The call was fatal, and the first signal decides.
                    _ if name == "exit_process" => assert_eq!(reason, ExitReason::Killed),
                    _ if name == "link" => assert_eq!(reason, ExitReason::Noconnection),
                    ExitReason::Panic(panic) => assert_eq!(panic.message, "the one that counts"),
                    _ => assert_eq!(reason, text("the one that counts"), "{name}"),
                }
                assert_eq!(made.load(Ordering::SeqCst), 1, "{name} came back");
                // The spawned processes make room.
                while process_count() > 2 {
                    yield_now().await;
                }
            }
        }
        other_node.stop();
    });
    node.stop();
}

type Call = Arc<dyn Fn() + Send + Sync>;

fn call<R>(call: impl Fn() -> R + Send + Sync + 'static) -> Call {
    Arc::new(move || {
        let _ = call();
    })
}

/// Lives as long as this process does.
async fn follow(pid: Pid) {
    down(monitor(pid)).await;
}

#[remote(name = "test::panics::idle")]
async fn idle() {
    serve().await;
}
