//! `signal_SUITE`: the order of signals, and signals to a process that is in foreign code.

use fika::process::demonitor_flush;
use std::sync::mpsc;

use fika::inspect::info;
use fika::message::{AliasOpts, Local, Reference, alias, alias_with, send_priority, unalias};
use fika::prelude::*;
use fika::process::{
    LinkOpts, MonitorAlias, MonitorOpts, SpawnOpts, exit_process_priority, hibernate, link_with,
    monitor_with, spawn_blocking, spawn_opt, unlink, yield_now,
};
use serde::{Deserialize, Serialize};

use crate::busy;
use crate::message_queue_data::{change, expect};
use crate::support::Place;
use crate::support::peer::{Hello, Peer, frame as peer_frame, text as peer_text, varint};
use crate::wait::{LIMIT, down, end_of, exit_from, has_none, next, serve, sync};

fn text(text: &str) -> ExitReason {
    ExitReason::term(text.to_owned())
}

/// PROC-12: a receiver that waits for a blocking call handles all kinds of signals.
#[fika::test]
async fn contended_signal_handling() {
    const SENDERS: u64 = 8;
    const EACH: u64 = 500;
    let (finish, finished) = mpsc::channel::<()>();
    let me = self_pid();
    let (target, target_down) = spawn_monitor(async move {
        trap_exit(true);
        send(me, ());
        spawn_blocking(move || finished.recv().unwrap()).await;
        let (mut messages, mut exits) = (0, 0);
        while messages < SENDERS * EACH || exits < SENDERS * EACH {
            receive! {
                _: u64 => messages += 1,
                Exit { .. } => exits += 1,
                after LIMIT => panic!("{messages} messages and {exits} exits"),
            }
        }
        exit(text("all came"));
    });
    next::<()>().await;
    let senders: Vec<_> = (0..SENDERS)
        .map(|_| {
            spawn_monitor(async move {
                trap_exit(true);
                for n in 0..EACH {
                    send(target, n);
                    link(target);
                    let watch = monitor(target);
                    exit_process(target, ExitReason::Shutdown);
                    assert!(demonitor(watch));
                    unlink(target);
                }
                assert!(has_none::<Down>().await);
            })
        })
        .collect();
    for (_, monitor) in senders {
        assert_eq!(down(monitor).await, ExitReason::Normal);
    }
    assert!(has_none::<Down>().await);
    finish.send(()).unwrap();
    assert_eq!(down(target_down).await, text("all came"));
}

/// PROC-12: processes that repeatedly make blocking calls handle signals all the time.
#[fika::test]
async fn dirty_schedule() {
    const EACH: u64 = 300;
    let me = self_pid();
    let targets: Vec<_> = (0..6_u64)
        .map(|n| {
            spawn_monitor(async move {
                trap_exit(true);
                send(me, ());
                let mut sum = 0;
                for _ in 0..EACH {
                    sum += spawn_blocking(move || n).await;
                    receive! { m: u64 => sum += m, after Duration::ZERO => {} }
                }
                // All signals that arrived during the calls are in the mailbox.
                loop {
                    receive! {
                        m: u64 => sum += m,
                        Exit { from, .. } if from == me => break,
                        after LIMIT => panic!("no Exit"),
                    }
                }
                receive! { _: Local<()> => panic!("sent after the exit"), after Duration::ZERO => {} }
                exit(ExitReason::term(sum));
            })
        })
        .collect();
    for _ in &targets {
        next::<()>().await;
    }
    for m in 0..EACH {
        for (target, _) in &targets {
            send(target, m);
            link(*target);
            unlink(*target);
        }
        yield_now().await;
    }
    for (target, _) in &targets {
        exit_process(*target, ExitReason::Shutdown);
    }
    for (n, (_, monitor)) in (0..).zip(targets) {
        let sum = EACH * n + EACH * (EACH - 1) / 2;
        assert_eq!(down(monitor).await, ExitReason::term(sum));
    }
    assert!(has_none::<Exit>().await);
}

/// MON-14, SIG-1: with many senders at the same time, the Down of each is its last message.
#[fika::test]
async fn monitor_order() {
    const SENDERS: usize = 50;
    const EACH: u64 = 200;
    for _ in 0..10 {
        let me = self_pid();
        let children: Vec<_> = (0..SENDERS)
            .map(|_| {
                spawn_monitor(async move {
                    for n in 0..EACH {
                        send(me, (self_pid(), n));
                        if n % 64 == 0 {
                            yield_now().await;
                        }
                    }
                })
            })
            .collect();
        let mut expected: std::collections::HashMap<_, _> =
            children.iter().map(|(child, _)| (*child, 0)).collect();
        let mut left = SENDERS;
        while left > 0 {
            receive! {
                (from, n): (Pid, u64) => {
                    let next = expected.get_mut(&from).unwrap();
                    assert_eq!(*next, n);
                    *next += 1;
                }
                Down { object: fika::process::Object::Pid(child), .. } => {
                    assert_eq!(expected[&child], EACH, "the Down overtook messages");
                    left -= 1;
                }
                after LIMIT => panic!("{left} are missing"),
            }
        }
    }
}

/// MON-14, ALIAS-10, SIG-1: one sender's messages by pid, by name and by alias keep their order.
/// Its Down comes last, though the monitor is by name.
#[fika::test]
async fn monitor_named_order_local() {
    const EACH: u64 = 100;
    let me = self_pid();
    register("receiver", me).unwrap();
    let alias = alias();
    for round in 0..200 {
        let sender = spawn(async move {
            next::<()>().await;
            for n in 0..EACH {
                match (round + n) % 3 {
                    0 => send(me, n),
                    1 => send("receiver", n),
                    _ => send(alias, n),
                }
                if n % 30 == 0 {
                    yield_now().await;
                }
            }
        });
        register("sender", sender).unwrap();
        let watch = monitor("sender");
        send(sender, ());
        for expected in 0..EACH {
            receive! {
                n: u64 => assert_eq!(n, expected),
                _: Down => panic!("the Down overtook messages"),
                after LIMIT => panic!("{expected} did not come"),
            }
        }
        assert_eq!(down(watch).await, ExitReason::Normal);
    }
}

/// ALIAS-7: answers by an alias arrive while their receiver is in foreign code. The receiver gets
/// the first one, no second one, and no Down.
async fn answers_in_foreign_code(sends: fn(Node, Reference)) {
    for round in 0..200 {
        let (finish, finished) = mpsc::channel::<()>();
        let server = spawn(async move {
            let to: Reference = next().await;
            send(to, 0_u64);
            exit(text("after the answer"));
        });
        let opts = MonitorOpts::new().alias(MonitorAlias::ReplyDemonitor);
        let request = monitor_with(server, opts);
        let watch = monitor(server);
        let node = self_node();
        send(server, request);
        let call = spawn_blocking(move || {
            sends(node, request);
            finished.recv().unwrap();
        });
        let mut call = std::pin::pin!(call);
        // One poll puts the call in progress.
        let _ = timeout(Duration::ZERO, call.as_mut()).await;
        if round % 2 == 0 {
            assert_eq!(down(watch).await, text("after the answer"));
        }
        finish.send(()).unwrap();
        call.await;
        if round % 2 != 0 {
            assert_eq!(down(watch).await, text("after the answer"));
        }
        let _: u64 = next().await;
        assert!(has_none::<u64>().await, "a second answer");
        assert!(has_none::<Down>().await);
        assert!(!demonitor(request) && !unalias(request));
    }
}

/// ALIAS-7, PROC-12: an answer to a process in foreign code ends its alias and monitor.
#[fika::test]
async fn dirty_signal_handling_race() {
    answers_in_foreign_code(|_, _| ()).await;
}

/// ALIAS-7, PROC-12: the first answer counts if the thread of the foreign code sends answers, too.
#[fika::test]
async fn dirty_signal_handling_race_dirty_access() {
    answers_in_foreign_code(|node, request| {
        for n in 1..5_u64 {
            node.send(request, n).unwrap();
        }
    })
    .await;
}

/// The kind of the next message.
#[derive(Debug, PartialEq)]
enum What {
    Number(u64),
    Exit,
    Down,
    Other,
}

async fn next_of_all() -> What {
    receive! {
        n: u64 => What::Number(n),
        _: Exit => What::Exit,
        _: Down => What::Down,
        _: () => What::Other,
        after LIMIT => panic!("nothing came"),
    }
}

/// Returns the order of the `count` messages in the mailbox, after `end` has ended the target and
/// all effects have arrived.
async fn order_after(target: Pid, count: usize, end: impl FnOnce()) -> Vec<What> {
    let me = self_pid();
    (0..3_u64).for_each(|n| send(me, n));
    let observer = spawn(async move {
        let watch = monitor(target);
        sync_with(target, watch).await;
        send(me, ());
        down(watch).await;
        // Processes with an earlier link or monitor have been notified before.
        send(me, ());
    });
    next::<()>().await;
    end();
    next::<()>().await;
    assert_eq!(down(monitor(observer)).await, ExitReason::Noproc);
    let mut order = Vec::new();
    for _ in 0..count {
        order.push(next_of_all().await);
    }
    order
}

/// Waits until the target has handled this monitor, or has ended.
async fn sync_with(target: Pid, watch: Reference) {
    send(target, self_pid());
    receive! {
        (): () => {}
        Down { monitor, reason, .. } if monitor == watch => panic!("it has ended: {reason}"),
        after LIMIT => panic!("no answer"),
    }
}

/// SIG-14: checks that `order` is the numbers 0, 1 and 2, with `what` before or after them.
#[track_caller]
fn assert_order(order: &[What], what: What, is_ahead: bool) {
    let mut expected: Vec<_> = (0..3).map(What::Number).collect();
    expected.insert(if is_ahead { 0 } else { 3 }, what);
    assert_eq!(order, expected);
}

/// SIG-14: the last call of `link` decides whether the link's `Exit` goes ahead, for the process
/// that called it.
#[fika::test]
async fn priority_messages_link_enable_disable() {
    trap_exit(true);
    let priority = || LinkOpts::new().priority();
    type Links = fn(Pid);
    let cases: [(Links, bool); 7] = [
        (link, false),
        (|peer| link_with(peer, LinkOpts::new().priority()), true),
        (|peer| link_with(peer, LinkOpts::new()), false),
        (
            |peer| {
                link(peer);
                link_with(peer, LinkOpts::new().priority());
            },
            true,
        ),
        (
            |peer| {
                link_with(peer, LinkOpts::new().priority());
                link(peer);
            },
            false,
        ),
        (
            |peer| {
                link_with(peer, LinkOpts::new().priority());
                unlink(peer);
                link(peer);
            },
            false,
        ),
        (
            |peer| {
                link(peer);
                unlink(peer);
                link_with(peer, LinkOpts::new().priority());
            },
            true,
        ),
    ];
    for _ in 0..20 {
        for (links, is_ahead) in cases {
            let peer = spawn(serve());
            links(peer);
            let order = order_after(peer, 4, || exit_process(peer, ExitReason::Kill)).await;
            assert_order(&order, What::Exit, is_ahead);
        }
        // A child is linked with priority at its spawn.
        let child = spawn_opt(SpawnOpts::new().link_with(priority()), serve()).pid;
        let order = order_after(child, 4, || exit_process(child, ExitReason::Kill)).await;
        assert_order(&order, What::Exit, true);
        // The peer's own setting does not affect this process.
        let me = self_pid();
        let peer = spawn(async move {
            link_with(me, LinkOpts::new().priority());
            send(me, ());
            serve().await;
        });
        next::<()>().await;
        let order = order_after(peer, 4, || exit_process(peer, ExitReason::Kill)).await;
        assert_order(&order, What::Exit, false);
    }
    // A fatal signal stays fatal.
    let end = end_of(async {
        let child = spawn_opt(SpawnOpts::new().link_with(LinkOpts::new().priority()), async {
            exit(text("x"))
        });
        link_with(child.pid, LinkOpts::new().priority());
        serve().await;
    });
    let reason = end.await;
    assert!([text("x"), ExitReason::Noproc].contains(&reason), "{reason}");
}

/// SIG-14: a monitor's option decides whether its `Down` goes ahead.
#[fika::test]
async fn priority_messages_monitor_enable_disable() {
    let priority = || MonitorOpts::new().priority();
    for round in 0..50 {
        for is_ahead in [false, true] {
            let target = spawn(serve());
            register("target", target).unwrap();
            let opts = if is_ahead { priority() } else { MonitorOpts::new() };
            let watch = match round % 3 {
                0 => monitor_with("target", opts),
                1 => monitor_with(target, opts.alias(MonitorAlias::Demonitor)),
                _ => monitor_with(target, opts),
            };
            let order = order_after(target, 4, || exit_process(target, ExitReason::Kill)).await;
            assert_order(&order, What::Down, is_ahead);
            assert!(!demonitor(watch));
        }
        let opts = SpawnOpts::new().monitor_with(priority());
        let child = spawn_opt(opts, serve()).pid;
        let order = order_after(child, 4, || exit_process(child, ExitReason::Kill)).await;
        assert_order(&order, What::Down, true);
        // Each of several monitors follows its own option. The flushed Down is gone wherever it
        // was.
        let target = spawn(serve());
        let late = monitor(target);
        let early = [monitor_with(target, priority()), monitor_with(target, priority())];
        let flushed = monitor_with(target, priority());
        order_after(target, 0, || exit_process(target, ExitReason::Kill)).await;
        assert!(!demonitor_flush(flushed));
        for expected in early {
            receive! {
                n: u64 => panic!("{n} is ahead"),
                Down { monitor, .. } => assert_eq!(monitor, expected),
            }
        }
        for n in 0..3 {
            assert_eq!(next_of_all().await, What::Number(n));
        }
        assert_eq!(down(late).await, ExitReason::Killed);
        assert!(has_none::<Down>().await);
    }
}

/// Sends numbers from 100 up, which go ahead, and numbers below 100, which arrive as ordinary
/// messages.
#[remote(name = "test::sends_some_with_priority")]
async fn sends_some_with_priority(to: Pid, alias: Reference, plain: Reference) {
    for n in 0..10_u64 {
        send_priority(alias, 100 + n);
        match n % 5 {
            0 => send(to, n),
            // Neither the pid nor the plain alias allows a message to go ahead.
            1 => send_priority(to, n),
            2 => send_priority(plain, n),
            3 => send(alias, n),
            _ => send(plain, n),
        }
    }
    send(to, ());
}

/// SIG-14: priority messages keep their order, and ordinary ones keep theirs.
#[test]
fn priority_messages_order() {
    let place = Place::new();
    let there = place.node("there");
    let here = place.node("here");
    here.block_on(async move {
        trap_exit(true);
        for node in [place.name("here"), place.name("there")] {
            for _ in 0..50 {
                let me = self_pid();
                let (urgent, plain) = (alias_with(AliasOpts::new().priority()), alias());
                spawn_on(&node, sends_some_with_priority(me, urgent, plain)).await;
                next::<()>().await;
                for n in (100..110).chain(0..10) {
                    assert_eq!(next_of_all().await, What::Number(n));
                }
                // A receive that wants an ordinary message leaves the priority ones in place.
                for n in [1_u64, 2] {
                    send(me, n);
                    send_priority(urgent, 100 + n);
                }
                receive! { n: u64 if n < 100 => assert_eq!(n, 1) }
                for n in [101, 102, 2] {
                    assert_eq!(next_of_all().await, What::Number(n));
                }
                // The order of exit signals is checked as well.
                send(me, 1_u64);
                exit_process(me, text("ordinary"));
                exit_process(urgent, text("ordinary, by the alias"));
                exit_process_priority(plain, text("ordinary, by another alias"));
                exit_process_priority(me, text("ordinary, by the pid"));
                exit_process_priority(urgent, text("ahead"));
                exit_process_priority(urgent, text("second ahead"));
                for reason in ["ahead", "second ahead"] {
                    receive! {
                        Exit { from, reason: seen } => assert_eq!((from, seen), (me, text(reason))),
                        _: u64 => panic!("{reason} is not ahead"),
                    }
                }
                assert_eq!(next::<u64>().await, 1);
                for reason in ["", ", by the alias", ", by another alias", ", by the pid"] {
                    let reason = text(&format!("ordinary{reason}"));
                    assert_eq!(next::<Exit>().await, Exit { from: me, reason });
                }
                // Nothing arrives by an alias that has ended.
                assert!(unalias(urgent));
                send_priority(urgent, 1_u64);
                exit_process_priority(urgent, ExitReason::Kill);
                exit_process(urgent, ExitReason::Kill);
                assert!(has_none::<u64>().await && has_none::<Exit>().await);
            }
        }
        // This alias lasts for its first message only.
        let once = alias_with(AliasOpts::new().reply().priority());
        send(self_pid(), 1_u64);
        send_priority(once, 2_u64);
        send_priority(once, 3_u64);
        for n in [2, 1] {
            assert_eq!(next_of_all().await, What::Number(n));
        }
        assert!(has_none::<u64>().await);
    });
    drop(there);
}

/// SIG-14, SIG-8: priority messages that are sent while there is no connection yet also go ahead.
#[test]
fn priority_messages_hopefull_encoding() {
    let place = Place::new();
    for n in 0..5 {
        let there = place.node(&format!("there{n}"));
        let here = place.node(&format!("here{n}"));
        let (tx, rx) = mpsc::channel();
        let (report, reports) = mpsc::channel();
        there.spawn(async move {
            trap_exit(true);
            tx.send((self_pid(), alias_with(AliasOpts::new().priority()))).unwrap();
            next::<()>().await;
            let mut order = Vec::new();
            for _ in 0..7 {
                order.push(next_of_all().await);
            }
            report.send(order).unwrap();
        });
        let (to, alias) = rx.recv_timeout(LIMIT).unwrap();
        here.block_on(async move {
            for n in 0..3_u64 {
                send(to, n);
                send_priority(alias, 100 + n);
            }
            exit_process_priority(alias, text("x"));
            send(to, ());
        });
        let order = reports.recv_timeout(LIMIT).unwrap();
        let mut expected: Vec<_> = [100, 101, 102].map(What::Number).into();
        expected.push(What::Exit);
        expected.extend([0, 1, 2].map(What::Number));
        assert_eq!(order, expected);
    }
}

/// SIG-14, HS-11: messages to and from a peer that does not support priority are ordinary ones.
#[test]
fn priority_messages_old_nodes() {
    const SLOT: u32 = 3;
    const SERIAL: u64 = 5;
    const ALIAS: u8 = 0x50;
    let place = Place::new();
    let here = place.node("here");
    // The first peer does not support priority, and the second one does.
    for (n, knows) in [(0, false), (1, true)] {
        let mut hello = Hello::new(&format!("old{n}@{}", place.ip), &place.name("here"));
        hello.flags |= if knows { 4 } else { 0 };
        let peer_name = hello.name.clone();
        let mut peer = Peer::connected_as(place.addr_of("here"), &hello);
        let node = fika::node::NodeId::of(
            &peer_name.parse().unwrap(),
            fika::node::Creation(hello.creation),
        );
        let theirs = Reference::owned(node, SERIAL, Some(SLOT));
        let (tx, rx) = mpsc::channel();
        let (report, reports) = mpsc::channel();
        here.spawn(async move {
            send_priority(theirs, 7_u64);
            let ours = alias_with(AliasOpts::new().priority());
            // These messages are sent before the peer can answer.
            send(self_pid(), 1_u64);
            tx.send(ours).unwrap();
            next::<()>().await;
            report.send([next_of_all().await, next_of_all().await]).unwrap();
        });
        let frame = loop {
            let frame = peer.frame();
            if frame[0] == ALIAS {
                break frame;
            }
        };
        assert_eq!(frame[1..4], [SLOT as u8, SERIAL as u8, knows.into()]);
        // The peer answers by this node's alias.
        let ours = rx.recv_timeout(LIMIT).unwrap();
        let to = [varint(ours.owner().unwrap().into()), varint(ours.serial())].concat();
        let define = |number: u8, tag: &str| {
            peer_frame(&[&[3, number][..], &[0, 0, 0, 0, 0, 0, 0, 1], &peer_text(tag)].concat())
        };
        let say = |number: u8, payload: &[u8]| {
            let length = (payload.len() as u32).to_be_bytes();
            let parts = [&[ALIAS][..], &to, &[knows.into(), 0, number, 0], &length, payload];
            peer_frame(&parts.concat())
        };
        peer.write(&[define(0, "u64"), define(1, "()"), say(0, &[2]), say(1, &[])].concat());
        let order = reports.recv_timeout(LIMIT).unwrap();
        let (first, second) = if knows { (2, 1) } else { (1, 2) };
        assert_eq!(order, [What::Number(first), What::Number(second)]);
    }
}

/// EXIT-16, SIG-1: everything that a sender sent before a fatal signal has arrived when the signal
/// takes effect. Nothing that it sent afterwards ever arrives.
#[fika::test]
async fn xm_sig_order() {
    for round in 0..3000_u64 {
        let before = round % 7;
        let me = self_pid();
        let target = spawn(async move {
            trap_exit(round % 2 == 0);
            send(me, ());
            let mut seen = 0;
            loop {
                receive! {
                    from: Pid => send(from, seen),
                    n: u64 => {
                        assert_eq!(n, seen);
                        seen += 1;
                        send(me, n);
                    }
                    Exit { reason, .. } => {
                        assert_eq!(seen, before);
                        exit(reason);
                    }
                }
            }
        });
        let watch = monitor(target);
        next::<()>().await;
        for n in 0..before {
            send(target, n);
        }
        exit_process(target, text("x"));
        send(target, u64::MAX);
        assert_eq!(down(watch).await, text("x"), "round {round}");
        // The target may have processed messages that came before the signal, in their order.
        let mut last = None;
        loop {
            receive! {
                n: u64 => {
                    assert_eq!(n, last.map_or(0, |last| last + 1));
                    last = Some(n);
                }
                after Duration::ZERO => break,
            }
        }
        if round % 2 == 0 {
            assert_eq!(last, before.checked_sub(1));
        }
    }
    let alive = spawn(serve());
    sync(alive).await;
    trap_exit(true);
    link(alive);
    exit_process(alive, ExitReason::Kill);
    assert_eq!(exit_from(alive).await, ExitReason::Killed);
}

/// FLAG-4, SIG-4: many processes send while the receiver changes how its mailbox is stored.
#[fika::test(workers = 2)]
async fn parallel_signal_enqueue_race_1() {
    const SENDERS: u64 = 8;
    const EACH: u64 = 5000;
    let (target, watch) = spawn_monitor(async {
        let mut last = [0; SENDERS as usize];
        for n in 0..SENDERS * EACH {
            if n.is_multiple_of(7) {
                change(n / 7);
            }
            let (sender, number): (u64, u64) = next().await;
            last[sender as usize] += 1;
            assert_eq!(number, last[sender as usize], "from {sender}");
        }
        assert!(has_none::<(u64, u64)>().await);
    });
    flood(target, SENDERS, EACH);
    assert_eq!(down(watch).await, ExitReason::Normal);
}

/// Starts this many processes, which send this many numbers each, from 1.
fn flood(target: Pid, senders: u64, each: u64) -> Vec<Reference> {
    let sender = |sender| async move {
        for number in 1..=each {
            send(target, (sender, number));
            if number.is_multiple_of(50) {
                yield_now().await;
            }
        }
    };
    (0..senders).map(|n| spawn_monitor(sender(n)).1).collect()
}

/// FLAG-4, PROC-9: many processes send while the receiver ends.
#[fika::test(workers = 2)]
async fn parallel_signal_enqueue_race_2() {
    let before = fika::inspect::process_count();
    for round in 0..100 {
        let (target, watch) = spawn_monitor(async move {
            for n in 0..round * 5 {
                change(n);
                next::<(u64, u64)>().await;
            }
        });
        let senders = flood(target, 4, 500);
        assert_eq!(down(watch).await, ExitReason::Normal);
        for sender in senders {
            assert_eq!(down(sender).await, ExitReason::Normal);
        }
    }
    assert_eq!(fika::inspect::process_count(), before);
}

/// FLAG-4: a full mailbox changes its storage while others send requests and signals.
#[fika::test(workers = 2)]
async fn move_msgs_off_heap_signal_basic() {
    const MESSAGES: u64 = 20_000;
    let (target, watch) = spawn_monitor(async {
        trap_exit(true);
        for n in 0..100 {
            receive! { Turn => drop(change(n)), after LIMIT => panic!("no turn {n}") }
        }
        expect(0..MESSAGES).await;
        assert!(has_none::<u64>().await);
    });
    (0..MESSAGES).for_each(|n| send(target, n));
    for _ in 0..100 {
        send(target, Turn);
        link(target);
        unlink(target);
        assert!(info::message_queue_len(target).await >= Some(MESSAGES as usize));
    }
    assert_eq!(down(watch).await, ExitReason::Normal);
}

#[derive(Message, Serialize, Deserialize)]
struct Turn;

/// Receives the odd numbers below `count`, then the even ones, and keeps changing how the mailbox
/// is stored.
async fn take_by_choice(count: u64) {
    for n in (1..count).step_by(2) {
        change(n / 2);
        receive! {
            m: u64 if m % 2 == 1 => assert_eq!(m, n),
            after LIMIT => panic!("no {n}"),
        }
    }
    if count.is_multiple_of(3) {
        hibernate().await;
    }
    expect((0..count).step_by(2)).await;
}

/// FLAG-4, RECV-2: selective receives find all messages while the mailbox's storage changes.
#[fika::test(workers = 2)]
async fn move_msgs_off_heap_signal_recv() {
    for count in (2..300).step_by(7) {
        let (target, watch) = spawn_monitor(take_by_choice(count));
        (0..count).for_each(|n| send(target, n));
        // This message is for a process that hibernates.
        send(target, count);
        assert_eq!(down(watch).await, ExitReason::Normal, "{count} messages");
    }
}

/// FLAG-4, RECV-2: a fatal signal arrives while the mailbox's storage changes.
#[fika::test(workers = 2)]
async fn move_msgs_off_heap_signal_recv_exit() {
    for count in (2..2000_u64).step_by(7) {
        let (target, watch) = spawn_monitor(take_by_choice(2000));
        (0..2000).for_each(|n| send(target, n));
        (0..count % 5).for_each(|_| std::hint::spin_loop());
        exit_process(target, text("enough"));
        let reason = down(watch).await;
        assert!(reason == text("enough") || reason == ExitReason::Normal, "{reason}");
    }
}

/// BUSY-5: link exits are not lost through a congested connection.
#[test]
fn busy_dist_exit_signal() {
    busy::ends_are_told(busy::Do::Link);
}

/// BUSY-5: Downs are not lost through a congested connection.
#[test]
fn busy_dist_down_signal() {
    busy::ends_are_told(busy::Do::Monitor);
}

/// BUSY-5, LINK-14: acknowledgements of unlinks are not lost through a congested connection.
#[test]
fn busy_dist_unlink_ack_signal() {
    busy::unlink_ack();
}
