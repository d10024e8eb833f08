//! Mailboxes with a limit: which messages get in, what happens to the others, and which senders
//! wait.
#![deny(warnings)]

use crate::wait;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use fika::inspect::is_process_alive;
use fika::message::{
    Local, MailboxLimit, Reference, WhenFull, alias, mailbox_limit, make_ref, send_wait, try_send,
};
use fika::prelude::*;
use fika::process::{SpawnOpts, SpawnReply, spawn_opt, spawn_request, yield_now};
use fika::time::{CancelTimer, cancel_timer_async};
use futures_lite::future;

use wait::{LIMIT, down, end_of, exit_from, has_none, next, serve};

fn at_most(messages: usize) -> MailboxLimit {
    MailboxLimit::messages(messages).log(false)
}

fn dropping(messages: usize) -> MailboxLimit {
    at_most(messages).when_full(WhenFull::DropNewest)
}

fn bounded<F>(limit: MailboxLimit, body: F) -> (Pid, Reference)
where
    F: Future<Output = ()> + Send + 'static,
{
    let spawned = spawn_opt(SpawnOpts::new().mailbox_limit(limit).monitor(), body);
    (spawned.pid, spawned.monitor.expect("it was asked for"))
}

/// Lets a process continue whose mailbox is full.
#[derive(Clone, Default)]
struct Go(Arc<(AtomicBool, AtomicUsize)>);

impl Go {
    fn go(&self) {
        self.0.0.store(true, Ordering::SeqCst);
    }

    fn is_given(&self) -> bool {
        self.0.0.load(Ordering::SeqCst)
    }

    async fn wait(&self) {
        while !self.is_given() {
            self.0.1.fetch_add(1, Ordering::SeqCst);
            yield_now().await;
        }
    }

    /// Waits until a waiting sender has had a whole turn.
    async fn turn(&self) {
        let turns = self.0.1.load(Ordering::SeqCst);
        while self.0.1.load(Ordering::SeqCst) < turns + 2 {
            yield_now().await;
        }
    }
}

/// Returns all numbers in the mailbox.
async fn numbers() -> Vec<u64> {
    let mut numbers = Vec::new();
    loop {
        receive! { n: u64 => numbers.push(n), after Duration::ZERO => return numbers }
    }
}

/// FLAG-3: with one message too many, the process ends with `killed`, trapping exits or not.
#[fika::test]
async fn one_message_too_many_kills_the_receiver() {
    for trap in [false, true] {
        let (target, monitor) = bounded(at_most(10), async move {
            trap_exit(trap);
            receive! { (): () => {} }
        });
        for n in 0..10_u64 {
            send(target, n);
        }
        let refused = try_send(target, 10_u64).unwrap_err();
        assert!(refused.is_full() && !refused.is_noproc());
        assert_eq!(refused.into_message(), Some(10));
        send(target, 11_u64);
        assert_eq!(down(monitor).await, ExitReason::Killed);
        let refused = try_send(target, 12_u64).unwrap_err();
        assert!(refused.is_noproc() && !refused.is_full());
        assert_eq!(refused.into_message(), Some(12));
    }
}

/// A message that can't wait and finds no room is dropped, however it was sent, even with `Wait`.
#[fika::test]
async fn messages_without_room_are_dropped() {
    for policy in [WhenFull::DropNewest, WhenFull::Wait] {
        let (me, go) = (self_pid(), Go::default());
        let goes = go.clone();
        let (target, monitor) = bounded(at_most(100).when_full(policy), async move {
            register("full", self_pid()).unwrap();
            send(me, alias());
            goes.wait().await;
            send(me, numbers().await);
            send(me, next::<u64>().await);
        });
        let alias: Reference = next().await;
        for n in 0..1000_u64 {
            match n % 3 {
                0 => send(target, n),
                1 => send("full", n),
                _ => send(alias, n),
            }
        }
        for dest in [target.into(), "full".into(), alias.into()] {
            let dest: fika::message::Dest<'_> = dest;
            assert!(try_send(dest, 1001_u64).unwrap_err().is_full());
        }
        send_after(Duration::ZERO, target, 1002_u64);
        send_after(millis(1), me, ());
        next::<()>().await;
        go.go();
        assert!(next::<Vec<u64>>().await.into_iter().eq(0..100), "{policy:?}");
        send(target, 1003_u64);
        assert_eq!(next::<u64>().await, 1003);
        assert_eq!(down(monitor).await, ExitReason::Normal);
    }
}

/// A message that reports when it is dropped.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The limit holds at every moment, however messages are sent, on all workers, and however they are
/// received.
#[fika::test(workers = 4)]
async fn the_bound_is_never_exceeded() {
    const BOUND: usize = 20;
    const SENDERS: usize = 8;
    for policy in [WhenFull::DropNewest, WhenFull::Wait] {
        let (me, stop, there) = (self_pid(), Go::default(), Arc::new(AtomicUsize::new(0)));
        let stops = stop.clone();
        let (target, monitor) = bounded(at_most(BOUND).when_full(policy), async move {
            register("bounded", self_pid()).unwrap();
            send(me, alias());
            let mut round = 0;
            while !stops.is_given() {
                // A message is looked at and put back, and the receive is given up.
                receive! { Local(_): Local<Counted> if round < 0 => {}, after Duration::ZERO => {} }
                receive! {
                    counted: Local<Counted> => drop(counted),
                    after Duration::ZERO => yield_now().await,
                }
                round += 1;
            }
        });
        let alias: Reference = next().await;
        let mut senders = Vec::new();
        for mut n in 0..SENDERS {
            let (there, stop) = (there.clone(), stop.clone());
            let (_, monitor) = spawn_monitor(async move {
                while !stop.is_given() {
                    n += 1;
                    let others = there.fetch_add(1, Ordering::SeqCst);
                    // The others are the message that the receiver has just taken, and the messages
                    // that the senders hold.
                    assert!(others < BOUND + 1 + SENDERS, "{others} messages");
                    let message = Local(Counted(there.clone()));
                    match n % 6 {
                        0 => send(target, message),
                        1 => send("bounded", message),
                        2 => send(alias, message),
                        3 => drop(try_send(target, message)),
                        4 => drop(timeout(Duration::ZERO, send_wait(alias, message)).await),
                        _ => drop(timeout(millis(1), send_wait("bounded", message)).await),
                    }
                    if n % 16 == 0 {
                        yield_now().await;
                    }
                }
            });
            senders.push(monitor);
        }
        sleep(millis(300)).await;
        stop.go();
        for sender in senders {
            assert!(matches!(down(sender).await, ExitReason::Normal | ExitReason::Badarg(_)));
        }
        assert_eq!(down(monitor).await, ExitReason::Normal);
        assert_eq!(there.load(Ordering::SeqCst), 0);
    }
}

/// Senders get room in the order in which they asked.
#[fika::test]
async fn senders_wait_in_order() {
    let (me, go) = (self_pid(), Go::default());
    let goes = go.clone();
    let (target, _) = bounded(at_most(1).when_full(WhenFull::Wait), async move {
        goes.wait().await;
        for _ in 0..51 {
            send(me, next::<u64>().await);
        }
    });
    send(target, 0_u64);
    for n in 1..=50_u64 {
        spawn(async move {
            let mut sent = Box::pin(send_wait(target, n));
            assert!(future::poll_once(&mut sent).await.is_none());
            if n % 10 == 7 {
                // This sender gives up, and its message is not sent. Then it asks again.
                sent = Box::pin(send_wait(target, 100 + n));
                assert!(future::poll_once(&mut sent).await.is_none());
            }
            send(me, ());
            sent.await.unwrap();
        });
        next::<()>().await;
    }
    go.go();
    for n in 0..=50_u64 {
        assert_eq!(next::<u64>().await, if n % 10 == 7 { 100 + n } else { n });
    }
}

/// A sender that waits for room when the receiver ends is notified, and gets its message back.
#[fika::test(workers = 2)]
async fn senders_stop_waiting_when_the_receiver_ends() {
    for round in 0..2000_u64 {
        let (target, monitor) = bounded(at_most(2).when_full(WhenFull::Wait), async move {
            for _ in 0..round % 4 {
                next::<u64>().await;
            }
        });
        let senders: Vec<_> = (0..6_u64)
            .map(|n| {
                let (_, monitor) = spawn_monitor(async move {
                    if let Err(refused) = send_wait(target, n).await {
                        assert!(refused.is_noproc());
                        assert_eq!(refused.into_message(), Some(n));
                    }
                });
                monitor
            })
            .collect();
        for sender in senders {
            assert_eq!(down(sender).await, ExitReason::Normal);
        }
        assert_eq!(down(monitor).await, ExitReason::Normal);
    }
}

/// The slots of processes that ended with messages in flight serve new processes, whose limits are
/// exact.
#[fika::test(workers = 4)]
async fn a_reused_slot_starts_with_an_exact_limit() {
    for round in 0..300 {
        let (target, monitor) = bounded(dropping(10), async move {
            let urgent = alias();
            for n in 0..5_u64 {
                send(urgent, n);
            }
            for _ in 0..round % 7 {
                next::<u64>().await;
                yield_now().await;
            }
        });
        let senders: Vec<_> = (0..4)
            .map(|from| {
                let (_, monitor) = spawn_monitor(async move {
                    for n in 0..20_u64 {
                        match (n + from) % 3 {
                            0 => send(target, n),
                            1 => drop(try_send(target, n)),
                            _ => drop(timeout(Duration::ZERO, send_wait(target, n)).await),
                        }
                    }
                });
                monitor
            })
            .collect();
        exit_process(target, if round % 2 == 0 { ExitReason::Kill } else { ExitReason::Normal });
        down(monitor).await;
        for sender in senders {
            assert_eq!(down(sender).await, ExitReason::Normal);
        }
    }
    // Each slot that was used has one of these processes.
    let targets: Vec<_> = (0..100).map(|_| bounded(dropping(10), serve())).collect();
    for (target, _) in &targets {
        let taken = (0..20_u64).filter(|n| try_send(target, *n).is_ok()).count();
        assert_eq!(taken, 10);
    }
}

/// FLAG-1, FLAG-3, FLAG-4: a process sets its own limit. Existing messages count, and keep their
/// order.
#[fika::test]
async fn a_process_sets_its_own_limit() {
    let end = end_of(async {
        let me = self_pid();
        assert!(mailbox_limit(MailboxLimit::NONE).is_none());
        (0..10_u64).for_each(|n| send(me, n));
        assert!(mailbox_limit(dropping(5)).is_none());
        send(me, 10_u64);
        for n in 0..6 {
            assert_eq!(next::<u64>().await, n);
            send(me, 11 + n);
        }
        // There was room when there were fewer than five.
        assert_eq!(numbers().await, [6, 7, 8, 9, 16]);
        assert_eq!(mailbox_limit(at_most(2)), dropping(5));
        (0..2_u64).for_each(|n| send(me, n));
        assert_eq!(mailbox_limit(MailboxLimit::NONE), at_most(2));
        (2..100_u64).for_each(|n| send(me, n));
        assert!(numbers().await.into_iter().eq(0..100));
    });
    assert_eq!(end.await, ExitReason::Normal);
    let end = end_of(async {
        (0..10_u64).for_each(|n| send(self_pid(), n));
        mailbox_limit(at_most(5));
        yield_now().await;
        panic!("it goes on");
    });
    assert_eq!(end.await, ExitReason::Killed);
    // Its own last message is one too many.
    let end = end_of(async {
        mailbox_limit(at_most(5));
        (0..6_u64).for_each(|n| send(self_pid(), n));
        yield_now().await;
        panic!("it goes on");
    });
    assert_eq!(end.await, ExitReason::Killed);
}

/// Messages that result from links, monitors, requests and exit signals always find room, and take
/// no room.
#[fika::test]
async fn requested_messages_always_find_room() {
    for policy in [WhenFull::DropNewest, WhenFull::Kill, WhenFull::Wait] {
        let (me, go) = (self_pid(), Go::default());
        let goes = go.clone();
        let (target, end) = bounded(at_most(1).when_full(policy), async move {
            trap_exit(true);
            let watched = spawn(serve());
            let watch = monitor(watched);
            let linked = spawn_link(serve());
            send(me, (watched, linked));
            let timer = send_after(secs(3600), self_pid(), ());
            goes.wait().await;
            cancel_timer_async(timer);
            let request = spawn_request(SpawnOpts::new(), async {});
            assert_eq!(next::<CancelTimer>().await.timer, timer);
            assert_eq!(next::<SpawnReply>().await.reference, request);
            assert_eq!(down(watch).await, ExitReason::Shutdown);
            assert_eq!(exit_from(linked).await, ExitReason::Shutdown);
            for _ in 0..10 {
                assert_eq!(exit_from(me).await, ExitReason::Noproc);
            }
            assert!(try_send(self_pid(), 8_u64).unwrap_err().is_full());
            assert_eq!(next::<u64>().await, 7);
            try_send(self_pid(), 8_u64).unwrap();
            assert!(try_send(self_pid(), 9_u64).unwrap_err().is_full());
        });
        let (watched, linked): (Pid, Pid) = next().await;
        send(target, 7_u64);
        (0..10).for_each(|_| exit_process(target, ExitReason::Noproc));
        for pid in [watched, linked] {
            exit_process(pid, ExitReason::Shutdown);
            down(monitor(pid)).await;
        }
        go.go();
        assert_eq!(down(end).await, ExitReason::Normal, "{policy:?}");
    }
}

/// A process that sends to itself gets an error if there is no room, and does not wait for itself.
#[fika::test]
async fn a_process_never_waits_for_room_in_its_own_mailbox() {
    let end = end_of(async {
        mailbox_limit(at_most(2).when_full(WhenFull::Wait));
        let (me, own) = (self_pid(), alias());
        register("itself", me).unwrap();
        for n in 0..2_u64 {
            send_wait(me, n).await.unwrap();
        }
        let dests: [fika::message::Dest<'_>; 3] = [me.into(), own.into(), "itself".into()];
        for dest in dests {
            let refused = send_wait(dest, 2_u64).await.unwrap_err();
            assert!(refused.is_full() && refused.into_message() == Some(2));
        }
        send(me, 3_u64);
        assert_eq!(numbers().await, [0, 1]);
        send_wait(me, 4_u64).await.unwrap();
        assert_eq!(numbers().await, [4]);
    });
    assert_eq!(end.await, ExitReason::Normal);
}

/// A sender never waits for room in a mailbox whose limit is zero.
#[fika::test]
async fn senders_do_not_wait_at_a_limit_of_zero() {
    let (target, _) = bounded(at_most(0).when_full(WhenFull::Wait), serve());
    assert!(send_wait(target, 1_u64).await.unwrap_err().is_full());
    assert!(try_send(target, 1_u64).unwrap_err().is_full());
    send(target, 1_u64);
    assert!(is_process_alive(target).await);
}

/// A place that is granted to a sender that has given up goes to the next sender. A message is sent
/// once, or not at all.
#[fika::test(workers = 3)]
async fn a_cancelled_send_loses_no_message_and_no_slot() {
    const SENDERS: u64 = 6;
    const MESSAGES: u64 = 300;
    let (target, monitor) = bounded(at_most(2).when_full(WhenFull::Wait), async {
        let mut last = [0; SENDERS as usize];
        let mut open = SENDERS;
        while open > 0 {
            let (from, n): (u64, u64) = next().await;
            let last = &mut last[usize::try_from(from).unwrap()];
            assert_eq!(n, *last + 1, "lost, twice, or out of order");
            *last = n;
            open -= u64::from(n == MESSAGES);
            if n % 7 == 0 {
                yield_now().await;
            }
        }
        assert!(has_none::<(u64, u64)>().await);
    });
    let senders = (0..SENDERS).map(|from| {
        spawn_monitor(async move {
            for n in 1..=MESSAGES {
                // The sender tries as often as needed, each time only for a moment.
                for round in 0.. {
                    let mut sent = Box::pin(send_wait(target, (from, n)));
                    if let Some(result) = future::poll_once(&mut sent).await {
                        result.unwrap();
                        break;
                    }
                    if (round + n) % 3 == 0 {
                        sent.await.unwrap();
                        break;
                    }
                    yield_now().await;
                }
            }
        })
    });
    for (_, sender) in senders.collect::<Vec<_>>() {
        assert_eq!(down(sender).await, ExitReason::Normal);
    }
    assert_eq!(down(monitor).await, ExitReason::Normal);
}

/// Raising or removing the limit lets waiting senders in.
#[fika::test]
async fn raising_the_limit_admits_waiting_senders() {
    let (me, go) = (self_pid(), Go::default());
    let goes = go.clone();
    let (target, _) = bounded(at_most(1).when_full(WhenFull::Wait), async move {
        trap_exit(true);
        goes.wait().await;
        for limit in [at_most(3), MailboxLimit::NONE] {
            mailbox_limit(limit);
            send(me, 'x');
            exit_from(me).await;
        }
        send(me, numbers().await);
    });
    send(target, 0_u64);
    for n in 1..=8_u64 {
        spawn(async move {
            send_wait(target, n).await.unwrap();
            send(me, ());
        });
    }
    go.turn().await;
    go.go();
    for (limited, let_in) in [(true, 2), (false, 6)] {
        next::<char>().await;
        for _ in 0..let_in {
            next::<()>().await;
        }
        assert!(!limited || has_none::<()>().await);
        exit_process(target, ExitReason::Noproc);
    }
    let mut all: Vec<u64> = next().await;
    all.sort_unstable();
    assert!(all.into_iter().eq(0..=8));
}

/// A receive for a reference, and a receive that is given up, give back exactly what they have
/// taken.
#[fika::test]
async fn each_receive_frees_exactly_the_slots_it_took() {
    let end = end_of(async {
        let me = self_pid();
        mailbox_limit(dropping(3));
        for n in 0..100_u64 {
            let reference = make_ref();
            try_send(me, n).unwrap();
            try_send(me, 'x').unwrap();
            try_send(me, reference).unwrap();
            assert!(try_send(me, n).unwrap_err().is_full());
            // The message is looked at and put back, repeatedly.
            receive! { x: char if x == 'y' => unreachable!(), after Duration::ZERO => {} }
            assert!(try_send(me, n).unwrap_err().is_full());
            receive! { for reference, r: Reference if r == reference => {} }
            try_send(me, 'z').unwrap();
            assert!(try_send(me, n).unwrap_err().is_full());
            assert_eq!(next::<u64>().await, n);
            assert_eq!((next::<char>().await, next::<char>().await), ('x', 'z'));
        }
    });
    assert_eq!(end.await, ExitReason::Normal);
}

/// Without a limit, or without a process, `try_send` behaves like `send`, except for its result.
#[fika::test]
async fn without_a_limit_there_is_room() {
    let me = self_pid();
    for n in 0..1000_u64 {
        try_send(me, n).unwrap();
        send_wait(me, n).await.unwrap();
    }
    assert_eq!(numbers().await.len(), 2000);
    let (dead, monitor) = spawn_monitor(async {});
    down(monitor).await;
    let here = self_node().name();
    let nobody: [fika::message::Dest<'_>; 3] =
        [dead.into(), "nobody".into(), ("nobody", &here).into()];
    for dest in nobody {
        let refused = try_send(dest.clone(), 7_u64).unwrap_err();
        assert!(refused.is_noproc(), "{dest}");
        assert_eq!(refused.into_message(), Some(7));
        assert_eq!(send_wait(dest, 8_u64).await.unwrap_err().into_message(), Some(8));
    }
    let refused = try_send(("nobody", "no node"), 7_u64).unwrap_err();
    assert!(!refused.is_noproc() && !refused.is_full());
    assert_eq!(refused.into_message(), Some(7));
    // The node is not connected, and no process is notified.
    try_send(("nobody", "other@127.0.0.1"), 7_u64).unwrap();
    let refused = try_send(("nobody", "other@127.0.0.1"), Local(7_u64)).unwrap_err();
    assert_eq!(refused.into_message(), Some(Local(7)));
    assert!(timeout(LIMIT, send_wait(me, ())).await.is_ok());
}
