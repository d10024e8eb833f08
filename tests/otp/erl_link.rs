//! `erl_link_SUITE`: links and monitors, between processes of one node and of two.

use std::sync::mpsc;

use fika::message::Reference;
use fika::net::{Ping as PingAnswer, monitor_node, ping};
use fika::prelude::*;
use fika::process::{demonitor_flush, spawn_link_on, unlink, yield_now};

use crate::busy;
use crate::wait::{down, end_of, exit_from, has_none, next, serve, sync};

fn text(text: &str) -> ExitReason {
    ExitReason::term(text.to_owned())
}

/// LINK-1, LINK-2, LINK-3, LINK-7: the end of either linked process signals the other one once, and
/// an unlink by either side removes the link.
#[fika::test]
async fn links() {
    trap_exit(true);
    let me = self_pid();

    // The child ends, then the parent.
    for reason in [ExitReason::Normal, ExitReason::Shutdown, text("x"), ExitReason::Kill] {
        let ends = reason.clone();
        let child = spawn_link(async { exit(ends) });
        assert_eq!(exit_from(child).await, reason);
        let ends = reason.clone();
        let parent = spawn(async move {
            let child = spawn_link(async {
                trap_exit(true);
                let (test, parent): (Pid, Pid) = next().await;
                send(test, ());
                let reason = exit_from(parent).await;
                send(test, reason);
            });
            send(child, (me, self_pid()));
            next::<()>().await;
            exit(ends);
        });
        next::<()>().await;
        send(parent, ());
        assert_eq!(next::<ExitReason>().await, reason);
    }

    // One side or both have linked, and either side unlinks.
    for linkers in 1..4 {
        for unlinked_here in [None, Some(true), Some(false)] {
            let peer = spawn(async move {
                loop {
                    receive! {
                        from: Pid => send(from, ()),
                        true: bool => link(me),
                        false: bool => unlink(me),
                        reason: ExitReason => exit(reason),
                    }
                }
            });
            if linkers & 1 != 0 {
                link(peer);
                link(peer);
            }
            if linkers & 2 != 0 {
                send(peer, true);
            }
            sync(peer).await;
            match unlinked_here {
                Some(true) => unlink(peer),
                Some(false) => send(peer, false),
                None => {}
            }
            sync(peer).await;
            let monitor = monitor(peer);
            send(peer, text("end"));
            assert_eq!(down(monitor).await, text("end"));
            if unlinked_here.is_none() {
                assert_eq!(exit_from(peer).await, text("end"));
            }
            assert!(has_none::<Exit>().await, "{linkers} {unlinked_here:?}");
        }
    }

    // The end of a process kills a peer that does not trap exits, unless the end is normal.
    for (reason, dies) in [(ExitReason::Normal, false), (ExitReason::Shutdown, true)] {
        let peer = spawn(serve());
        let watch = monitor(peer);
        let ends = reason.clone();
        end_of(async move {
            link(peer);
            exit(ends);
        })
        .await;
        if dies {
            assert_eq!(down(watch).await, reason);
        } else {
            sync(peer).await;
        }
    }

    // A link to the process itself has no effect.
    link(me);
    unlink(me);
    let end = end_of(async {
        link(self_pid());
        exit(text("alone"));
    });
    assert_eq!(end.await, text("alone"));
    assert!(has_none::<Exit>().await);
}

/// MON-1, MON-4, MON-6, MON-8, MON-12: a monitor is one-way, by pid or by name, and belongs to the
/// process that made it.
#[fika::test]
async fn process_monitors() {
    // Two monitors by pid: when the target ends, each monitor gives its own message.
    let target = spawn(serve());
    let (first, second) = (monitor(target), monitor(target));
    assert_ne!(first, second);
    exit_process(target, text("x"));
    assert_eq!((down(second).await, down(first).await), (text("x"), text("x")));
    assert_eq!(down(monitor(target)).await, ExitReason::Noproc);

    // The end of the watcher does not affect the target.
    let target = spawn(serve());
    end_of(async move {
        let _ = monitor(target);
        exit(text("watcher"));
    })
    .await;
    sync(target).await;

    // The monitor is by name, so the object is the name and the node.
    register("target", target).unwrap();
    let here = self_node().name();
    let by_name = monitor("target");
    let by_name_and_node = monitor(("target", here.as_str()));
    exit_process(target, ExitReason::Kill);
    for monitor in [by_name, by_name_and_node] {
        receive! {
            Down { monitor: m, object: fika::process::Object::Name(name, node), reason } if m == monitor => {
                assert_eq!((name.as_str(), &node), ("target", &here));
                assert_eq!(reason, ExitReason::Killed);
            }
            after secs(5) => panic!("no Down"),
        }
    }
    assert_eq!(down(monitor("target")).await, ExitReason::Noproc);
    assert_eq!(down(monitor(("target", here.as_str()))).await, ExitReason::Noproc);

    // Neither another process nor the target can remove the monitor.
    let target = spawn(async {
        loop {
            receive! {
                from: Pid => send(from, ()),
                monitor: Reference => assert!(!demonitor(monitor)),
            }
        }
    });
    let mine = monitor(target);
    send(target, mine);
    let end = end_of(async move { assert!(!demonitor(mine)) });
    assert_eq!(end.await, ExitReason::Normal);
    sync(target).await;
    exit_process(target, ExitReason::Kill);
    assert_eq!(down(mine).await, ExitReason::Killed);

    // A process's monitor of itself never fires.
    let _ = monitor(self_pid());
    assert!(has_none::<Down>().await);
}

/// LINK-8: after `unlink` and a look into the mailbox, no `Exit` arrives any more.
#[fika::test]
async fn otp_5772_link() {
    trap_exit(true);
    for n in 0..10_000 {
        let child = spawn_link(async {});
        for _ in 0..n % 4 {
            yield_now().await;
        }
        unlink(child);
        receive! { Exit { from, .. } if from == child => {}, after Duration::ZERO => {} }
        // The Down comes after everything else from the child.
        down(monitor(child)).await;
        assert!(has_none::<Exit>().await, "round {n}");
    }
}

/// MON-9, MON-10: after `demonitor_flush`, no `Down` arrives any more.
#[fika::test]
async fn otp_5772_monitor() {
    for n in 0..10_000 {
        let (child, monitor) = spawn_monitor(async {});
        for _ in 0..n % 4 {
            yield_now().await;
        }
        demonitor_flush(monitor);
        down(fika::process::monitor(child)).await;
        assert!(has_none::<Down>().await, "round {n}");
    }
}

/// LINK-1, LINK-2, LINK-12: links between nodes work from either side, and fire when the node ends.
#[test]
fn dist_links() {
    use crate::support::{EndWith, LIMIT, Place, answerer, assert_answers, down, exit_of};
    let place = Place::new();
    let mut peer = place.os("peer").start();
    let here = place.node("here");
    let on_peer = here.block_on(async move {
        let name = place.name("peer");
        trap_exit(true);
        // The remote process ends, with several reasons.
        for reason in [ExitReason::Shutdown, ExitReason::Normal, text("x")] {
            let there = spawn_link_on(&name, answerer()).await;
            // Two calls of `link` have the effect of one call.
            link(there);
            send(there, EndWith(reason.clone()));
            assert_eq!(exit_of(there).await, reason);
            none!(Exit);
        }
        // The local process ends, and the remote process sees it.
        let there = spawn_on(&name, answerer()).await;
        let of_there = monitor(there);
        spawn(async move {
            link(there);
            assert_answers(there, 1).await;
            exit(ExitReason::Shutdown);
        });
        assert_eq!(down(of_there).await, ExitReason::Shutdown);
        // After an unlink, each process ends alone.
        let there = spawn_link_on(&name, answerer()).await;
        unlink(there);
        let of_there = monitor(there);
        exit_process(there, ExitReason::Kill);
        assert_eq!(down(of_there).await, ExitReason::Killed);
        none!(Exit);
        // Processes that are unlinked can be linked again at once.
        let there = spawn_link_on(&name, answerer()).await;
        for _ in 0..10 {
            unlink(there);
            link(there);
        }
        assert_answers(there, 2).await;
        send(there, EndWith(ExitReason::Shutdown));
        assert_eq!(exit_of(there).await, ExitReason::Shutdown);
        spawn_on(&name, answerer()).await
    });
    let (linked, is_linked) = mpsc::channel();
    let (tx, rx) = mpsc::channel();
    here.spawn(async move {
        let (pid, of_linker) = spawn_monitor(async move {
            link(on_peer);
            assert_answers(on_peer, 3).await;
            linked.send(()).unwrap();
            std::future::pending::<()>().await;
        });
        let reason = down(of_linker).await;
        tx.send((pid, reason)).unwrap();
    });
    is_linked.recv_timeout(LIMIT).unwrap();
    peer.kill();
    assert_eq!(rx.recv_timeout(LIMIT).unwrap().1, ExitReason::Noconnection);
    here.block_on(async move {
        trap_exit(true);
        link(on_peer);
        assert_eq!(exit_of(on_peer).await, ExitReason::Noconnection);
    });
}

/// NMON-1, NMON-2, NMON-3: each call of `monitor_node` gives one message, and each undo takes one
/// message away.
#[test]
fn monitor_nodes() {
    use crate::support::{LIMIT, Place, nodedown};
    let place = Place::new();
    let mut peer = place.os("peer").start();
    let here = place.node("here");
    let (ready, is_ready) = mpsc::channel();
    let (done, is_done) = mpsc::channel();
    here.spawn(async move {
        let (name, dead) = (place.name("peer"), place.name("dead"));
        // A dead node gives one message for each call.
        for _ in 0..3 {
            monitor_node(&dead, true).unwrap();
        }
        for _ in 0..3 {
            nodedown(&dead).await;
        }
        // The first call connects. The node counts the calls, and undoes them one by one.
        for on in [true, true, false, true, true, false, true] {
            monitor_node(&name, on).unwrap();
        }
        assert_eq!(ping(&name).await, PingAnswer::Pong);
        none!(NodeDown);
        ready.send(()).unwrap();
        for _ in 0..3 {
            nodedown(&name).await;
        }
        assert_eq!(ping(&name).await, PingAnswer::Pang);
        none!(NodeDown);
        // More undos than calls have no effect and do no harm.
        monitor_node(&dead, false).unwrap();
        monitor_node(&dead, true).unwrap();
        nodedown(&dead).await;
        // The node itself is never lost.
        monitor_node(place.name("here"), true).unwrap();
        none!(NodeDown);
        done.send(()).unwrap();
    });
    is_ready.recv_timeout(LIMIT).unwrap();
    peer.kill();
    is_done.recv_timeout(LIMIT).unwrap();
}

/// MON-5, MON-6, MON-14: monitors of another node's processes work by pid and by name.
#[test]
fn dist_process_monitors() {
    use crate::support::{
        Answer, Ask, EndWith, LIMIT, Place, assert_answers, down, named_answerer,
    };
    let place = Place::new();
    let mut peer = place.os("peer").start();
    let here = place.node("here");
    let there = here.block_on(async move {
        let name = place.name("peer");
        let there = spawn_on(&name, named_answerer("one".into(), self_pid())).await;
        assert_eq!(next!(Answer).from, there);
        let (by_pid, by_name) = (monitor(there), monitor(("one", &*name)));
        // A monitor that is removed gives no message, and does not remove another monitor.
        let taken_back = monitor(there);
        assert!(demonitor(taken_back));
        spawn(async move { assert!(!demonitor(by_pid)) });
        // The target's messages come before its end.
        send(there, Ask { from: self_pid(), n: 7 });
        send(there, EndWith(ExitReason::Shutdown));
        receive! {
            Down { monitor, object, reason } if monitor == by_name => {
                assert_eq!(object.to_string(), format!("{{one,{name}}}"));
                assert_eq!(reason, ExitReason::Shutdown);
            }
            after LIMIT => panic!("no DOWN by the name"),
        }
        assert_eq!(down(by_pid).await, ExitReason::Shutdown);
        receive! { Answer { n, .. } => assert_eq!(n, 7), after Duration::ZERO => panic!("it is late") }
        none!(Down);
        assert_eq!(down(monitor(there)).await, ExitReason::Noproc);
        assert_eq!(down(monitor(("one", &*name))).await, ExitReason::Noproc);
        spawn_on(&name, named_answerer("two".into(), self_pid())).await
    });
    let (ready, is_ready) = mpsc::channel();
    let (tx, rx) = mpsc::channel();
    here.spawn(async move {
        let monitors = [monitor(there), monitor(("two", &*place.name("peer")))];
        assert_answers(there, 1).await;
        ready.send(()).unwrap();
        for monitor in monitors {
            tx.send(down(monitor).await).unwrap();
        }
        // Monitors that are made after the loss fire as well.
        for monitor in [monitor(there), monitor(("two", &*place.name("peer")))] {
            tx.send(down(monitor).await).unwrap();
        }
        none!(Down);
    });
    is_ready.recv_timeout(LIMIT).unwrap();
    peer.kill();
    for _ in 0..4 {
        assert_eq!(rx.recv_timeout(LIMIT).unwrap(), ExitReason::Noconnection);
    }
}

/// BUSY-1, BUSY-5, LINK-14: a process that monitors over a congested connection is suspended, and
/// no monitor is lost.
#[test]
fn busy_dist_port_monitor() {
    busy::port_monitor();
}
