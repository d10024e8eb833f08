//! Cases of `process_SUITE` about requests to spawn.

use super::super::*;
use fika::message::{make_ref, unalias};
use fika::process::{
    MonitorAlias, MonitorOpts, ReplyOn, SpawnOpts, spawn_link_on, spawn_monitor_on, spawn_opt_on,
    spawn_request, spawn_request_abandon, spawn_request_on,
};

/// Sends its pid to `to`, and ends on request, or when a process ends that it is linked to.
#[remote(name = "test::reports_pid_and_serves")]
async fn reports_pid_and_serves(to: Pid) {
    send(to, self_pid());
    receive! { reason: ExitReason => exit(reason) }
}

/// Reports to `to` when it has started, and later the reason of an exit over a link.
#[remote(name = "test::reports_exit")]
async fn reports_exit(to: Pid, n: u64) {
    trap_exit(true);
    send(to, n);
    let Exit { reason, .. } = next().await;
    send(to, (n, reason));
}

/// Makes all kinds of requests to `node`, which may be the own node.
async fn requests_are_answered(node: &str) {
    trap_exit(true);
    let me = self_pid();
    let plain = SpawnOpts::new;
    let request = |opts: RequestOpts| spawn_request_on(node, opts, reports_pid_and_serves(me));
    let fails = |opts: RequestOpts| spawn_request_on(node, opts, Unknown);
    let is_remote = self_node().name().as_str() != node;

    // The request gives the answer and the process.
    let asked = request(plain().into());
    let child = reply_to(asked).await.expect("there is room");
    assert_eq!(next::<Pid>().await, child);
    assert_eq!(child.node().name().as_str(), node);
    send(child, ExitReason::Normal);
    if is_remote {
        assert_eq!(reply_to(fails(plain().into())).await, Err(SpawnError::Notsup));
    }
    // The tagged answer replaces the plain one.
    let asked = request(plain().reply_tag("my tag".to_owned()));
    let (tag, reply) = tagged::<String, SpawnReply>().await;
    assert_eq!((tag.as_str(), reply.reference), ("my tag", asked));
    assert_eq!(reply.result, Ok(next::<Pid>().await));

    // The option decides which answers come.
    for (on, of_success, of_error) in [
        (ReplyOn::Any, true, true),
        (ReplyOn::Nothing, false, false),
        (ReplyOn::Success, true, false),
        (ReplyOn::Error, false, true),
    ] {
        let asked = request(plain().monitor().reply(on));
        let child: Pid = next().await;
        let answer = || async {
            receive! { reply: SpawnReply => Some(reply), after Duration::ZERO => None }
        };
        // An answer would have arrived before the child's message.
        let reply = answer().await;
        assert_eq!(reply, of_success.then_some(SpawnReply { reference: asked, result: Ok(child) }));
        send(child, text("end"));
        assert_eq!(down(asked).await, text("end"));
        if is_remote {
            let asked = fails(plain().reply(on));
            // The answer to a later request comes after it.
            assert_eq!(reply_to(fails(plain().into())).await, Err(SpawnError::Notsup));
            let result = Err(SpawnError::Notsup);
            let reply = answer().await;
            assert_eq!(reply, of_error.then_some(SpawnReply { reference: asked, result }));
        }
    }

    // Requests with a link, with a monitor, with both, and with neither.
    for n in 0..8 {
        let (has_link, has_monitor, fails) = (n & 1 != 0, n & 2 != 0, n & 4 != 0 && is_remote);
        let opts = if has_link { plain().link() } else { plain() };
        let opts = if has_monitor { opts.monitor() } else { opts };
        if fails {
            let asked = spawn_request_on(node, opts, Unknown);
            assert_eq!(reply_to(asked).await, Err(SpawnError::Notsup));
            // No Exit and no Down comes, because no child ever existed.
            assert!(!demonitor(asked));
        } else {
            let asked = spawn_request_on(node, opts, reports_pid_and_serves(me));
            let child = reply_to(asked).await.unwrap();
            assert_eq!(next::<Pid>().await, child);
            send(child, text("end"));
            if has_monitor {
                assert_eq!(down(asked).await, text("end"));
            }
            if has_link {
                assert_eq!(exit_from(child).await, text("end"));
            }
            let late = down(monitor(child)).await;
            assert!([text("end"), ExitReason::Noproc].contains(&late), "{late}");
        }
        assert!(has_none::<Exit>().await && has_none::<Down>().await);
    }

    // An alias of any kind ends with a request that fails.
    for (alias, outlives) in
        [(MonitorAlias::ExplicitUnalias, true), (MonitorAlias::ReplyDemonitor, false)]
    {
        let opts = || plain().monitor_with(MonitorOpts::new().alias(alias));
        let asked = request(opts().into());
        // The alias can be used at once.
        send(asked, 1_u64);
        assert_eq!(next::<u64>().await, 1);
        let child = reply_to(asked).await.unwrap();
        assert_eq!(next::<Pid>().await, child);
        let watch = monitor(child);
        send(child, text("end"));
        assert_eq!(down(watch).await, text("end"));
        if outlives {
            assert_eq!(down(asked).await, text("end"));
            assert!(unalias(asked));
        }
        assert!(has_none::<Down>().await, "the reply ended the monitor");
        if is_remote {
            let asked = fails(opts().into());
            assert_eq!(reply_to(asked).await, Err(SpawnError::Notsup));
            send(asked, 2_u64);
            assert!(has_none::<u64>().await && !unalias(asked), "{alias:?}");
        }
    }
}

/// SPAWN-3, SPAWN-4, SPAWN-5, SPAWN-6, SPAWN-9, ALIAS-9: a request gets the answer that its options
/// ask for, from any node.
#[test]
fn spawn_request_bif() {
    let place = Place::new();
    let _there = place.os("there").start();
    let here = place.node("here");
    here.block_on(async move {
        requests_are_answered(&place.name("here")).await;
        requests_are_answered(&place.name("there")).await;
        // The target node can't be reached.
        let nowhere = place.name("nowhere");
        let me = self_pid();
        for opts in [SpawnOpts::new(), SpawnOpts::new().link().monitor()] {
            let asked = spawn_request_on(&nowhere, opts, reports_pid_and_serves(me));
            assert_eq!(reply_to(asked).await, Err(SpawnError::Noconnection));
        }
        let asked = spawn_request_on(&nowhere, SpawnOpts::new().reply_tag(7_u64), Unknown);
        assert_eq!(tagged::<u64, SpawnReply>().await.1.reference, asked);
        assert!(has_none::<Exit>().await && has_none::<Down>().await);
        // A request on this node needs no remote function.
        let asked = spawn_request(SpawnOpts::new(), async move { send(me, self_pid()) });
        assert_eq!(reply_to(asked).await, Ok(next::<Pid>().await));
        // Requests to something that is not a node are `badarg`.
        for node in ["no node", ""] {
            let end = end_of(async move {
                spawn_request_on(node, SpawnOpts::new(), ends_with(ExitReason::Normal));
            });
            assert!(matches!(end.await, ExitReason::Badarg(_)));
        }
    });
    // This node is full, and it is not distributed.
    let full = Node::builder().workers(1).process_limit(1).build().unwrap();
    full.block_on(async {
        let opts = || SpawnOpts::new().link().monitor();
        let asked = spawn_request(opts(), async {});
        assert_eq!(reply_to(asked).await, Err(SpawnError::SystemLimit));
        let asked = spawn_request_on("a@127.0.0.1", opts(), ends_with(ExitReason::Normal));
        assert_eq!(reply_to(asked).await, Err(SpawnError::Noconnection));
        assert!(has_none::<Down>().await);
    });
    full.stop();
}

/// Sends many requests to this node and another. Their children end at once. `end` waits for the
/// signal that follows the answer.
fn answers_come_first<F, E>(opts: fn() -> SpawnOpts, end: F)
where
    F: Fn(Reference, Pid) -> E + Send + 'static,
    E: Future<Output = ExitReason> + Send,
{
    let place = Place::new();
    let there = place.node("there");
    let here = place.node("here");
    here.block_on(async move {
        trap_exit(true);
        for name in [place.name("here"), place.name("there")] {
            for n in 0..1000_u64 {
                let reason = ExitReason::term(n);
                let asked = spawn_request_on(&name, opts(), ends_with(reason.clone()));
                // The first message is the answer.
                let result = receive! {
                    SpawnReply { reference, result } if reference == asked => result,
                    _: Down => panic!("the Down came first"),
                    _: Exit => panic!("the Exit came first"),
                    after LIMIT => panic!("no answer"),
                };
                let child = result.unwrap();
                assert_eq!(end(asked, child).await, reason);
            }
        }
        assert!(has_none::<Exit>().await && has_none::<Down>().await);
    });
    drop(there);
}

/// SPAWN-6: the answer comes before the Down of a child that ends at once.
#[test]
fn spawn_request_monitor_child_exit() {
    answers_come_first(|| SpawnOpts::new().monitor(), |asked, _| down(asked));
}

/// SPAWN-6, SPAWN-7: the answer comes before the Exit of a child that ends at once.
#[test]
fn spawn_request_link_child_exit() {
    answers_come_first(|| SpawnOpts::new().link(), |_, child| exit_from(child));
}

/// Returns the reason that child number `n` reports for its end. `None` if the signal came before
/// the child was ready to trap it, which may happen on a busy machine.
async fn reported_exit(n: u64) -> Option<ExitReason> {
    receive! {
        (m, reason): (u64, ExitReason) if m == n => Some(reason),
        after secs(1) => None,
    }
}

/// Checks that many children report their end, all with the expected reason.
fn assert_reported(reported: &[Option<ExitReason>], expected: &ExitReason) {
    assert!(reported.iter().flatten().all(|reason| reason == expected), "{reported:?}");
    assert!(reported.iter().flatten().count() * 3 >= reported.len(), "{reported:?}");
}

/// EXIT-15, SPAWN-7: if a parent ends before it receives the answer to its request, the child gets
/// the parent's reason.
#[test]
fn spawn_request_link_parent_exit_compound_reason() {
    const ROUNDS: u64 = 30;
    let place = Place::new();
    let there = place.os("there").start();
    let here = place.node("here");
    here.block_on(async move {
        let compound =
            || ExitReason::term((vec!["a".to_owned(); 3], 7_u64, (0..99).collect::<Vec<u64>>()));
        let test = self_pid();
        let name = place.name("there");
        // The answer has arrived or is in flight, and the parent has not received it.
        for n in 0..ROUNDS {
            let node = if n % 5 == 0 { place.name("here") } else { name.clone() };
            let go = Arc::new(AtomicBool::new(false));
            let gone = go.clone();
            let parent = spawn(async move {
                spawn_request_on(&node, SpawnOpts::new().link(), reports_exit(test, n));
                while !gone.load(Ordering::SeqCst) {
                    std::hint::spin_loop();
                }
                exit(compound());
            });
            let watch = monitor(parent);
            // The child exists and traps exits.
            assert_eq!(next::<u64>().await, n);
            go.store(true, Ordering::SeqCst);
            assert_eq!(down(watch).await, compound());
            assert_eq!(next::<(u64, ExitReason)>().await, (n, compound()));
        }
        // The answer can't have arrived, because the other node is frozen.
        let mut reported = Vec::new();
        for n in 0..ROUNDS {
            let node = name.clone();
            there.freeze();
            let end = end_of(async move {
                spawn_request_on(&node, SpawnOpts::new().link(), reports_exit(test, n));
                // This child has no link, so no process ends it.
                spawn_request_on(&node, SpawnOpts::new(), reports_exit(test, n + ROUNDS));
                exit(compound());
            });
            assert_eq!(end.await, compound());
            there.thaw();
            reported.push(reported_exit(n).await);
            while next::<u64>().await != n + ROUNDS {}
        }
        assert_reported(&reported, &compound());
        receive! {
            (n, reason): (u64, ExitReason) if n >= ROUNDS => panic!("{n} has no link: {reason}"),
            after Duration::ZERO => {}
        }
    });
}

/// SPAWN-8: a request that is abandoned gets no answer, and its linked child ends.
#[test]
fn spawn_request_abandon_bif() {
    const ROUNDS: u64 = 10;
    let place = Place::new();
    let there = place.os("there").start();
    let here = place.node("here");
    here.block_on(async move {
        let test = self_pid();
        let (name, plain) = (place.name("there"), SpawnOpts::new);
        // These requests can't be abandoned: an answered one, another process's, and a reference
        // that is not a request.
        for node in [place.name("here"), name.clone()] {
            let asked = spawn_request_on(&node, plain().monitor(), reports_pid_and_serves(test));
            let others = end_of(async move { assert!(!spawn_request_abandon(asked)) });
            assert_eq!(others.await, ExitReason::Normal);
            let child = reply_to(asked).await.unwrap();
            assert_eq!(next::<Pid>().await, child);
            assert!(!spawn_request_abandon(asked));
            send(child, text("end"));
            assert_eq!(down(asked).await, text("end"), "the monitor is still there");
        }
        assert!(!spawn_request_abandon(make_ref()));
        let asked = spawn_request(plain(), async {});
        assert!(!spawn_request_abandon(asked), "one on this node is answered at once");
        assert!(reply_to(asked).await.is_ok());

        let mut reported = Vec::new();
        for n in (0..).step_by(4).take(ROUNDS as usize) {
            there.freeze();
            let opts = plain()
                .link()
                .monitor_with(MonitorOpts::new().tag(1_u64).alias(MonitorAlias::Demonitor));
            let linked = spawn_request_on(&name, opts, reports_exit(test, n));
            let watched = spawn_request_on(&name, plain().monitor(), reports_pid_and_serves(test));
            let kept = spawn_request_on(&name, plain().monitor(), reports_exit(test, n + 1));
            for asked in [linked, watched] {
                assert!(spawn_request_abandon(asked) && !spawn_request_abandon(asked));
                assert!(!demonitor(asked), "no monitor is to come");
            }
            send(linked, "by an alias that has ended".to_owned());
            // The monitor is removed, so it does not fire. The answer still comes.
            assert!(demonitor(kept) && !demonitor(kept));
            // This process abandons its request, and then ends.
            let node = name.clone();
            let end = end_of(async move {
                let opts = SpawnOpts::new().link();
                let asked = spawn_request_on(&node, opts, reports_exit(test, n + 2));
                assert!(spawn_request_abandon(asked));
                exit(text("another reason"));
            });
            assert_eq!(end.await, text("another reason"));
            // Dropping the future abandons its request.
            let opts = reports_exit(test, n + 3);
            let waits = timeout(Duration::ZERO, spawn_link_on(&name, opts)).await;
            assert!(waits.is_err(), "nobody answers");
            there.thaw();
            assert!(reply_to(kept).await.is_ok());
            for n in [n, n + 2, n + 3] {
                reported.push(reported_exit(n).await);
            }
            // No process ends the child without a link, nor sees its end.
            let child: Pid = next().await;
            let watch = monitor(child);
            send(child, text("end"));
            assert_eq!(down(watch).await, text("end"));
            assert!(has_none::<SpawnReply>().await && has_none::<Down>().await);
            assert!(has_none::<Tagged<u64, Down>>().await && has_none::<Exit>().await);
            assert!(has_none::<String>().await);
        }
        assert_reported(&reported, &ExitReason::Abandoned);
        receive! {
            (n, reason): (u64, ExitReason) if n % 4 == 1 => panic!("{n} has no link: {reason}"),
            after Duration::ZERO => {}
        }
    });
}

/// MON-15, SPAWN-2, SPAWN-7: a monitor at spawn on another node reports the child's true reason, or
/// the loss of the node.
#[test]
fn dist_spawn_monitor() {
    let place = Place::new();
    let mut there = place.os("there").start();
    let here = place.node("here");
    here.block_on(async move {
        trap_exit(true);
        let name = place.name("there");
        for n in 0..300_u64 {
            let reason = ExitReason::term(n);
            let (child, watch) = spawn_monitor_on(&name, ends_with(reason.clone())).await;
            assert_eq!(child.node().name().as_str(), name);
            assert_eq!(down(watch).await, reason);
            let opts = SpawnOpts::new()
                .link()
                .monitor_with(MonitorOpts::new().tag(n).alias(MonitorAlias::Demonitor));
            let both = spawn_opt_on(&name, opts, ends_with(reason.clone())).await;
            let (tag, down) = tagged::<u64, Down>().await;
            assert_eq!((tag, Some(down.monitor), down.reason), (n, both.monitor, reason.clone()));
            assert_eq!(exit_from(both.pid).await, reason);
        }
        // The node is lost while a child lives, while a request is in flight, and before a request.
        let (_, lives) = spawn_monitor_on(&name, reports_pid_and_serves(self_pid())).await;
        next::<Pid>().await;
        there.freeze();
        let opts = || SpawnOpts::new().link().monitor();
        let asked = spawn_request_on(&name, opts(), ends_with(ExitReason::Normal));
        there.kill();
        assert_eq!(down(lives).await, ExitReason::Noconnection);
        assert_eq!(reply_to(asked).await, Err(SpawnError::Noconnection));
        let opts = opts().monitor_with(MonitorOpts::new().tag("gone".to_owned()));
        let never = spawn_opt_on(&name, opts, ends_with(ExitReason::Normal)).await;
        let (_, down) = tagged::<String, Down>().await;
        assert_eq!(down.reason, ExitReason::Noconnection);
        assert_eq!((Some(down.monitor), down.object), (never.monitor, Object::Pid(never.pid)));
        assert_eq!(exit_from(never.pid).await, ExitReason::Noconnection);
        assert!(has_none::<Exit>().await && has_none::<Down>().await);
        assert!(has_none::<SpawnReply>().await);
    });
}
