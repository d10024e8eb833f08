//! Links: races of `link`, `unlink` and the ends of processes. Each race has one outcome.
#![deny(warnings)]

use crate::wait;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fika::inspect::info;
use fika::prelude::*;
use fika::process::{unlink, yield_now};

use wait::{down, end_of, exit_from, has_none, next, serve, sync};

fn text(text: &str) -> ExitReason {
    ExitReason::term(text.to_owned())
}

/// A process that links and unlinks on request, and answers `sync`.
async fn puppet() {
    loop {
        receive! {
            from: Pid => send(from, ()),
            (true, peer): (bool, Pid) => link(peer),
            (false, peer): (bool, Pid) => unlink(peer),
            reason: ExitReason => exit(reason),
        }
    }
}

/// LINK-4: a link to a dead process gives `noproc`.
#[fika::test]
async fn a_link_to_a_dead_process_gives_noproc() {
    let dead = spawn(async {});
    down(monitor(dead)).await;
    let me = self_pid();
    // A process that does not trap exits ends in the call.
    let end = end_of(async move {
        link(dead);
        send(me, ());
    });
    assert_eq!(end.await, ExitReason::Noproc);
    assert!(has_none::<()>().await);
    // A process that traps exits continues, and gets one message for each attempt.
    trap_exit(true);
    for _ in 0..3 {
        link(dead);
        assert_eq!(exit_from(dead).await, ExitReason::Noproc);
    }
    assert!(has_none::<Exit>().await);
}

/// The other end of a link confirms an unlink. The unlink is outstanding until then.
#[fika::test(workers = 1)]
async fn an_unlink_is_acknowledged() {
    let peer = spawn(puppet());
    link(peer);
    assert_eq!(info::unanswered(self_pid()).await, Some(0));
    unlink(peer);
    assert_eq!(info::unanswered(self_pid()).await, Some(1));
    sync(peer).await;
    assert_eq!(info::unanswered(self_pid()).await, Some(0));
}

/// LINK-2, LINK-3: linking several times makes one link, and unlinking without a link does nothing.
#[fika::test]
async fn there_is_at_most_one_link() {
    trap_exit(true);
    let me = self_pid();
    for unlinks in 0..2 {
        let peer = spawn(puppet());
        unlink(peer);
        for _ in 0..5 {
            link(peer);
            send(peer, (true, me));
        }
        sync(peer).await;
        for _ in 0..unlinks {
            unlink(peer);
        }
        send(peer, text("end"));
        down(monitor(peer)).await;
        if unlinks == 0 {
            exit_from(peer).await;
        }
        assert!(has_none::<Exit>().await);
    }
}

/// LINK-8: an `Exit` in the mailbox stays after `unlink`.
#[fika::test]
async fn an_exit_in_the_mailbox_survives_unlink() {
    trap_exit(true);
    let child = spawn_link(async { exit(text("early")) });
    let watch = monitor(child);
    down(watch).await;
    unlink(child);
    assert_eq!(exit_from(child).await, text("early"));
}

/// LINK-9: the peer's end has no effect on a process that has unlinked itself.
#[fika::test]
async fn either_side_may_unlink() {
    for unlinks_here in [true, false] {
        for _ in 0..500 {
            let me = self_pid();
            let child = spawn_link(puppet());
            let watch = monitor(child);
            if unlinks_here {
                unlink(child);
            } else {
                send(child, (false, me));
            }
            // The test does not wait for the unlink, which may still be in flight.
            send(child, text("would be fatal"));
            assert_eq!(down(watch).await, text("would be fatal"));
        }
    }
    // The reverse holds, too: the unlinked process survives the end of this side.
    let child = spawn(puppet());
    end_of(async move {
        link(child);
        unlink(child);
        exit(text("would be fatal"));
    })
    .await;
    sync(child).await;
}

/// LINK-10: a link right after an unlink is effective.
#[fika::test]
async fn a_link_right_after_an_unlink_holds() {
    trap_exit(true);
    for round in 0..3000 {
        let child = spawn_link(puppet());
        for _ in 0..round % 4 {
            unlink(child);
            link(child);
        }
        if round % 2 == 0 {
            sync(child).await;
        }
        send(child, text("end"));
        assert_eq!(exit_from(child).await, text("end"));
        down(monitor(child)).await;
        assert!(has_none::<Exit>().await);
    }
}

/// LINK-10: both sides link and unlink in any order, and finally agree.
#[fika::test]
async fn both_sides_agree_after_any_crossing() {
    trap_exit(true);
    let me = self_pid();
    let env = self_node().env().clone();
    let (mut linked, mut unlinked) = (0, 0);
    for round in 0..3000 {
        let peer = spawn(puppet());
        let mut bits = env.random();
        for _ in 0..8 {
            match bits & 7 {
                0 => link(peer),
                1 => unlink(peer),
                2 => send(peer, (true, me)),
                3 => send(peer, (false, me)),
                4 => yield_now().await,
                _ => {}
            }
            bits >>= 3;
        }
        sync(peer).await;
        // By now, the acknowledgements and all messages of the peer have arrived.
        sync(peer).await;
        let watch = monitor(peer);
        if round % 2 == 0 {
            send(peer, text("end"));
            down(watch).await;
            let notified = !has_none::<Exit>().await;
            if notified { linked += 1 } else { unlinked += 1 }
        } else {
            // The other side shows it, too: it ends with this side only if the link exists.
            exit_process(peer, ExitReason::Kill);
            down(watch).await;
            let _ = has_none::<Exit>().await;
        }
        assert!(has_none::<Exit>().await, "one end, one signal");
    }
    assert!(linked > 0 && unlinked > 0, "{linked} {unlinked}");
}

/// LINK-11: a link that races with the end of a process has one outcome.
#[fika::test]
async fn a_link_racing_with_the_end_has_one_outcome() {
    trap_exit(true);
    let (mut in_time, mut late) = (0, 0);
    for round in 0..10_000 {
        let child = spawn(async move {
            for _ in 0..round % 3 {
                yield_now().await;
            }
            exit(text("true"));
        });
        for _ in 0..round % 5 {
            yield_now().await;
        }
        link(child);
        match exit_from(child).await {
            ExitReason::Noproc => late += 1,
            reason if reason == text("true") => in_time += 1,
            other => panic!("{other}"),
        }
        if round % 16 == 0 {
            down(monitor(child)).await;
            assert!(has_none::<Exit>().await);
        }
    }
    assert!(has_none::<Exit>().await);
    assert!(in_time > 0 && late > 0, "both were seen: {in_time} {late}");
    // A process that does not trap exits ends, with one of the two reasons.
    for round in 0..2000 {
        let reason = end_of(async move {
            let child = spawn(async { exit(text("true")) });
            for _ in 0..round % 3 {
                yield_now().await;
            }
            link(child);
            serve().await;
        })
        .await;
        assert!(reason == text("true") || reason == ExitReason::Noproc, "{reason}");
    }
}

/// LINK-7: no end of a child is missed.
#[fika::test]
async fn spawn_link_never_misses_an_exit() {
    trap_exit(true);
    for round in 0..10_000_u64 {
        let child = spawn_link(async move {
            if round % 2 == 0 {
                exit(ExitReason::term(round));
            }
        });
        let expected = if round % 2 == 0 { ExitReason::term(round) } else { ExitReason::Normal };
        assert_eq!(exit_from(child).await, expected);
    }
    // A child misses no end of its parent.
    for _ in 0..1000 {
        let me = self_pid();
        let parent = spawn(async move {
            send(me, spawn_link(serve()));
            exit(text("parent"));
        });
        let child: Pid = next().await;
        let reason = down(monitor(child)).await;
        assert!(reason == text("parent") || reason == ExitReason::Noproc);
        down(monitor(parent)).await;
    }
}

/// EXIT-9: the reason `killed` goes through a chain of links of any length. So does `kill`, if the
/// chain begins with it.
#[fika::test]
async fn exit_reasons_propagate_along_chains() {
    trap_exit(true);
    type Boxed = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;
    fn chain(depth: u32, first: Pid) -> Boxed {
        Box::pin(async move {
            if depth == 0 {
                send(first, self_pid());
                receive! { reason: ExitReason => exit(reason) }
            }
            spawn_link(chain(depth - 1, first));
            serve().await;
        })
    }
    let me = self_pid();
    for depth in [0, 1, 2, 10, 300] {
        for by_signal in [true, false] {
            let first = spawn_link(chain(depth, me));
            let last: Pid = next().await;
            if by_signal {
                exit_process(last, ExitReason::Kill);
                assert_eq!(exit_from(first).await, ExitReason::Killed, "{depth}");
            } else {
                send(last, ExitReason::Kill);
                assert_eq!(exit_from(first).await, ExitReason::Kill, "{depth}");
            }
        }
    }
}

/// EXIT-14: an exit signal needs no link, and leaves an existing one.
#[fika::test]
async fn an_explicit_exit_signal_does_not_affect_links() {
    trap_exit(true);
    let me = self_pid();
    let peer = spawn(async move {
        trap_exit(true);
        send(me, ());
        assert_eq!(exit_from(me).await, text("explicit"));
        puppet().await;
    });
    next::<()>().await;
    link(peer);
    exit_process(peer, text("explicit"));
    sync(peer).await;
    send(peer, text("end"));
    assert_eq!(exit_from(peer).await, text("end"));
}

/// EXIT-13: the signal of a link that is gone at the receiver is dropped, in any race.
#[fika::test]
async fn the_exit_signal_of_a_removed_link_is_dropped() {
    for round in 0..5000 {
        let end = end_of(async move {
            let child = spawn_link(async move {
                for _ in 0..round % 3 {
                    yield_now().await;
                }
                exit(text("late"));
            });
            unlink(child);
            down(monitor(child)).await;
        });
        assert_eq!(end.await, ExitReason::Normal);
    }
}

/// LINK-8, EXIT-13: `unlink` drops a signal that has arrived but was not handled.
#[fika::test(workers = 3)]
async fn unlink_drops_an_unhandled_exit_signal() {
    for round in 0..100 {
        let end = end_of(async move {
            trap_exit(round % 2 == 0);
            let child = spawn_link(async {
                next::<()>().await;
                exit(text("late"));
            });
            // Another process sees the end. Links are notified before monitors.
            let seen = Arc::new(AtomicBool::new(false));
            let sees = seen.clone();
            spawn(async move {
                let monitor = monitor(child);
                send(child, ());
                down(monitor).await;
                sees.store(true, Ordering::SeqCst);
            });
            // This loop has no suspension point, so that nothing is handled.
            while !seen.load(Ordering::SeqCst) {
                std::hint::spin_loop();
            }
            unlink(child);
            yield_now().await;
            assert_eq!(down(monitor(child)).await, ExitReason::Noproc);
            assert!(has_none::<Exit>().await);
        });
        assert_eq!(end.await, ExitReason::Normal);
    }
}
