//! Panics and destructors: what they end, and whom they can't hurt.
#![deny(warnings)]

#[allow(dead_code, reason = "other test binaries use the rest")]
#[path = "otp/wait.rs"]
mod wait;

use std::panic::panic_any;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fika::prelude::*;
use fika::process_count;

use wait::{LIMIT, down, end_of, has_none, next, serve, sync};

fn text(text: &str) -> ExitReason {
    ExitReason::term(text.to_owned())
}

/// Runs when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// PROC-7: told to end, a process runs nothing but destructors, and these reach nobody.
#[fika::test]
async fn what_destructors_send_is_dropped() {
    let me = self_pid();
    let dropped = Arc::new(AtomicUsize::new(0));
    let guard = |dropped: &Arc<AtomicUsize>| {
        let dropped = dropped.clone();
        OnDrop(move || {
            dropped.fetch_add(1, Ordering::SeqCst);
            send(me, "from a destructor".to_owned());
            exit_process(me, text("from a destructor"));
            link(me);
            send("nobody has this name", ());
        })
    };
    for reason in [ExitReason::Kill, ExitReason::Shutdown] {
        for _ in 0..500 {
            let inside = guard(&dropped);
            let (child, monitor) = spawn_monitor(async move {
                send(me, ());
                serve().await;
                drop(inside);
                send(me, "it went on".to_owned());
            });
            next::<()>().await;
            exit_process(child, reason.clone());
            down(monitor).await;
        }
        // A process that never ran has destructors, too.
        let inside = guard(&dropped);
        let child = spawn(async move { drop(inside) });
        exit_process(child, reason.clone());
        down(monitor(child)).await;
    }
    assert!(dropped.load(Ordering::SeqCst) >= 1000);
    while !has_none::<String>().await {
        // One that ran to its end before the signal came sent it while it was alive.
        assert!(dropped.load(Ordering::SeqCst) >= 1000);
    }
}

/// PROC-4: whatever a panic carries, it ends one process, and others only by their links.
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
        ("a panic with a payload that is no text", || Box::pin(async { panic_any(7_u8) })),
        ("a panic with a payload that is no text", || Box::pin(async { panic_any(Bomb) })),
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
        let watch = fika::monitor(linked);
        match down(monitor).await {
            ExitReason::Panic(panic) => {
                assert!(panic.message.starts_with(expected), "{expected}: {}", panic.message);
            }
            other => panic!("{expected}: {other}"),
        }
        // It linked itself in time, or to the dead.
        let reason = down(watch).await;
        assert!(matches!(reason, ExitReason::Panic(_) | ExitReason::Noproc), "{reason}");
        sync(bystander).await;
    }

    // In a destructor of a process that is told to end: the reason stays, but for an orderly one.
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

/// A message whose destructor acts for a process.
struct Talkative(Pid);

impl Drop for Talkative {
    fn drop(&mut self) {
        send(self.0, "a message's destructor".to_owned());
    }
}

/// PROC-9, PROC-6: messages that nobody receives are dropped where their destructors hurt
/// nobody.
#[fika::test(workers = 2)]
async fn a_mailbox_is_discarded_whatever_its_messages_do() {
    let me = self_pid();
    let node = self_node();
    for n in 0..200_u64 {
        // In the mailbox, in the queue, behind a fatal signal, and for the dead.
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
    // All workers are there: they meet, though each is kept busy until they have.
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

/// A message whose destructor takes its time.
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

/// PROC-6, PROC-9: who sees the end finds that messages and locals are gone.
#[fika::test(workers = 3)]
async fn all_that_it_had_is_gone_when_its_end_is_seen() {
    trap_exit(true);
    for _ in 0..20 {
        let gone = Arc::new(AtomicUsize::new(0));
        let local = Slow(gone.clone());
        let child = spawn_link(async move {
            // One message is taken in, and stays in the mailbox.
            receive! { (): () => {} }
            drop(local);
        });
        send(child, Local(Slow(gone.clone())));
        send(child, ());
        receive! { Exit { from, .. } if from == child => {}, after LIMIT => panic!("no Exit") }
        assert_eq!(gone.load(Ordering::SeqCst), 2);
    }
}

/// What a destructor sends while a panic unwinds can't end the program.
#[fika::test]
async fn a_failed_send_while_a_panic_unwinds_is_dropped() {
    let end = end_of(async {
        let _local = OnDrop(|| send("nobody has this name", ()));
        panic!("the one that counts");
    });
    match end.await {
        ExitReason::Panic(panic) => assert_eq!(panic.message, "the one that counts"),
        other => panic!("{other}"),
    }
    let end = end_of(async {
        let _local = OnDrop(|| send("nobody has this name", ()));
        exit(text("the one that counts"));
    });
    assert_eq!(end.await, text("the one that counts"));
}
