//! Cases of `distribution_SUITE` about many and large messages.

use super::super::*;
use fika::net::disconnect_node;
use fika::process::{unlink, yield_now};

fn bulk(count: u64, size: usize) {
    let place = Place::new();
    let there = place.os("there").start();
    let here = place.node("here");
    here.block_on(async move {
        let taker = spawn_on(place.name("there"), takes_bulk(count, self_pid())).await;
        for n in 0..count {
            send(taker, (n, vec![n as u8; size]));
        }
        assert_eq!(next!(usize), count as usize * size);
    });
    drop(there);
}

/// SIG-3: 64 messages of 32 KiB arrive whole.
#[test]
fn bulk_send_small() {
    bulk(64, 32 << 10);
}

/// SIG-3: messages of 1 MiB arrive whole.
#[test]
fn bulk_send_big() {
    bulk(4, 1 << 20);
}

fn local_send(size: usize, times: usize) {
    let place = Place::new();
    place.node("here").block_on(async move {
        let name = place.name("here");
        for _ in 0..times {
            send(("nobody", &*name), vec![0_u8; size]);
        }
        assert!(nodes().is_empty());
    });
}

/// SIG-6, DIST-22: small messages to a missing name of the own node are dropped locally.
#[test]
fn local_send_small() {
    local_send(10, 10_000);
}

/// SIG-6, DIST-22: large messages to a missing name of the own node are dropped locally.
#[test]
fn local_send_big() {
    local_send(1 << 20, 20);
}

/// DIST-22, SIG-1: messages to a name of the own node arrive in order, without a connection.
#[test]
fn local_send_legal() {
    const TIMES: u64 = 20_000;
    let place = Place::new();
    place.node("here").block_on(async move {
        let me = self_pid();
        let receiver = spawn(async move {
            for n in 0..TIMES {
                assert_eq!(next!(u64), n);
            }
            send(me, "all".to_owned());
        });
        register("receiver", receiver).unwrap();
        let name = place.name("here");
        (0..TIMES).for_each(|n| send(("receiver", &*name), n));
        assert_eq!(next!(String), "all");
        assert!(nodes().is_empty());
    });
}

/// SIG-8, HS-6: messages that were sent while the connection was made arrive, by name and by pid.
#[test]
fn optimistic_dflags() {
    let place = Place::new();
    let there = place.os("there").start();
    let here = place.node("here");
    here.block_on(async move {
        let name = place.name("there");
        let pid = spawn_on(&name, echo(true)).await;
        for n in 0..20 {
            assert_eq!(disconnect_node(&name).await, Some(true));
            let kinds = Kinds::new(self_pid());
            // The first message starts the connection attempt, and the others wait for it.
            if n % 2 == 0 {
                send(("echo", &*name), (self_pid(), kinds.clone()));
                send(pid, (self_pid(), kinds.clone()));
            } else {
                send(pid, (self_pid(), kinds.clone()));
                send(("echo", &*name), (self_pid(), kinds.clone()));
            }
            assert_eq!(next!(Kinds), kinds);
            assert_eq!(next!(Kinds), kinds);
        }
    });
    drop(there);
}

/// Receives the messages of many senders, and checks that each sender's messages come in order and
/// whole. Reports when all senders are done.
#[remote]
async fn takes_from_many(senders: usize, each: u64, to: Pid) {
    let mut last = std::collections::BTreeMap::<Pid, u64>::new();
    let mut done = 0;
    while done < senders {
        let mut count = |from: Pid, n: u64| {
            let next = last.entry(from).or_default();
            assert_eq!(*next, n, "in order from each");
            *next += 1;
            done += usize::from(*next == each);
        };
        receive! {
            Ask { from, n } => count(from, n),
            (n, kinds): (u64, Kinds) => {
                assert_eq!(kinds.texts[2].len(), 70_000);
                count(kinds.pids[0], n);
            }
            (from, n): (Pid, u64) => count(from, n),
            after LIMIT => panic!("{done} of {senders} are done"),
        }
    }
    send(to, done as u64);
}

/// SIG-1, SIG-2, SIG-3, SIG-4: each of many senders keeps the order of its own messages. The order
/// between senders is not defined.
#[test]
fn dist_parallel_send() {
    const SENDERS: usize = 20;
    const EACH: u64 = 60;
    let place = Place::new();
    let there = place.os("there").start();
    let here = place.node("here");
    here.block_on(async move {
        let taker = spawn_on(place.name("there"), takes_from_many(SENDERS, EACH, self_pid())).await;
        link(taker);
        for _ in 0..SENDERS {
            spawn(async move {
                for n in 0..EACH {
                    match n % 3 {
                        0 => send(taker, Ask { from: self_pid(), n }),
                        1 => send(taker, (n, Kinds::new(self_pid()))),
                        _ => send(taker, (self_pid(), n)),
                    }
                    if n % 10 == 0 {
                        yield_now().await;
                    }
                }
            });
            // Other senders die in the middle of sending, and their messages do no harm.
            let dies = spawn(async move {
                loop {
                    send(taker, vec![0_u8; 10_000]);
                    yield_now().await;
                }
            });
            yield_now().await;
            exit_process(dies, ExitReason::Kill);
        }
        assert_eq!(next!(u64), SENDERS as u64);
        unlink(taker);
    });
    drop(there);
}
