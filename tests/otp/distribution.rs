//! `distribution_SUITE`: what crosses between nodes. Cases about two nodes have a second OS
//! process.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use fika::inspect::info;
use fika::message::{Reference, make_ref, try_send};
use fika::net::{
    AutoConnect, BusyDist, Ping as PingAnswer, async_dist, disconnect_node, monitor_node,
    monitor_nodes,
};
use fika::node::NodeName;
use fika::prelude::*;
use fika::process::{
    Name, SpawnError, SpawnOpts, spawn_link_on, spawn_monitor_on, spawn_opt, try_spawn_on, unlink,
    yield_now,
};

use crate::busy;
use crate::support::peer::{Hello, Peer, SPAWN, frame, framed, is_refusal, text, varint};
use crate::support::{
    self, Answer, Ask, EndWith, LIMIT, Place, TestNode, answerer, assert_answers, down, exit_of,
    named_answerer, nodedown,
};

/// DIST-7, DIST-18: a missing node, a present one and the own one, many times each.
#[test]
fn ping() {
    const TIMES: usize = 1000;
    let place = Place::new();
    let there = place.os("there").start();
    let here = place.node("here");
    here.block_on(async move {
        for (name, answer) in [
            (place.name("missing"), PingAnswer::Pang),
            (place.name("there"), PingAnswer::Pong),
            (place.name("here"), PingAnswer::Pong),
        ] {
            for _ in 0..TIMES {
                assert_eq!(fika::net::ping(&name).await, answer, "{name}");
            }
        }
        assert_eq!(nodes().len(), 1);
    });
    drop(there);
}

/// Takes so many binaries, and says how many bytes they had and whether all were right.
#[remote]
async fn takes_bulk(count: u64, to: Pid) {
    let mut bytes = 0_usize;
    for n in 0..count {
        let (number, binary) = next!((u64, Vec<u8>));
        assert_eq!(number, n, "in order");
        assert!(binary.iter().all(|byte| *byte == n as u8), "whole");
        bytes += binary.len();
    }
    send(to, bytes);
}

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

/// SIG-3.
#[test]
fn bulk_send_small() {
    bulk(64, 32 << 10);
}

/// SIG-3.
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

/// SIG-6, DIST-22.
#[test]
fn local_send_small() {
    local_send(10, 10_000);
}

/// SIG-6, DIST-22.
#[test]
fn local_send_big() {
    local_send(1 << 20, 20);
}

/// DIST-22, SIG-1.
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

/// Values of many kinds.
#[derive(Message, Serialize, Deserialize, Debug, Clone, PartialEq)]
#[message(tag = "otp::Kinds")]
struct Kinds {
    nothing: (),
    numbers: (u8, i64, u64, i128, f64),
    texts: Vec<String>,
    pids: Vec<Pid>,
    references: Vec<Reference>,
    name: Name,
    node: NodeName,
    reason: ExitReason,
    deep: Vec<Vec<Vec<Option<u8>>>>,
}

impl Kinds {
    fn new(pid: Pid) -> Kinds {
        Kinds {
            nothing: (),
            numbers: (255, i64::MIN, u64::MAX, i128::MIN, f64::MIN_POSITIVE),
            texts: vec![String::new(), "räksmörgås 🦐".into(), "x".repeat(70_000)],
            pids: vec![pid; 3],
            references: (0..3).map(|_| make_ref()).collect(),
            name: "a name".into(),
            node: pid.node().name(),
            reason: ExitReason::term(7_u64),
            deep: vec![vec![], vec![vec![None], vec![Some(1), None]]],
        }
    }
}

/// Sends back what it gets.
#[remote]
async fn echo(registered: bool) {
    if registered {
        register("echo", self_pid()).unwrap();
    }
    loop {
        receive! {
            (from, kinds): (Pid, Kinds) => send(from, kinds),
            (from, text): (Pid, String) => send(from, text),
            (from, nothing): (Pid, ()) => send(from, nothing),
            (from, list): (Pid, Vec<()>) => send(from, list),
            (from, none): (Pid, Option<u8>) => send(from, none),
            (from, names): (Pid, Vec<Name>) => send(from, names),
            (from, pids): (Pid, Vec<Pid>) => send(from, pids),
            (from, references): (Pid, Vec<Reference>) => send(from, references),
            Ask { from, n } => send(from, Answer { from: self_pid(), n }),
        }
    }
}

/// SIG-8, HS-6: what was sent while the connection was made arrives, by name and by pid.
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
            // The first one connects, the others wait with it.
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

/// LINK-5: twice the same.
#[test]
fn link_to_dead() {
    let place = Place::new();
    let there = place.os("there").start();
    let here = place.node("here");
    here.block_on(async move {
        let pid = spawn_on(place.name("there"), answerer()).await;
        let monitor = fika::process::monitor(pid);
        send(pid, EndWith(ExitReason::Normal));
        assert_eq!(down(monitor).await, ExitReason::Normal);
        trap_exit(true);
        for _ in 0..2 {
            link(pid);
            assert_eq!(exit_of(pid).await, ExitReason::Noproc);
            none!(Exit);
        }
        // Fatal to one that does not trap.
        let (_, of_linker) = spawn_monitor(async move {
            link(pid);
            std::future::pending::<()>().await;
        });
        assert_eq!(down(of_linker).await, ExitReason::Noproc);
        assert_eq!(nodes().len(), 1);
    });
    drop(there);
}

/// DIST-10, DIST-21: pids and references of three nodes, there and back, and again when the
/// node that sends them back is another life.
#[test]
fn ref_port_roundtrip() {
    let place = Place::new();
    let third = place.node("third");
    let here = place.node("here");
    let (third_pid, third_ref) = third.block_on(async { (self_pid(), make_ref()) });
    let mut of_earlier: Vec<(Pid, Reference)> = Vec::new();
    for _ in 0..3 {
        let mut there = place.os("there").start();
        let earlier = of_earlier.clone();
        let new = here.block_on(async move {
            let pid = spawn_on(place.name("there"), echo(false)).await;
            let mut pids = vec![self_pid(), third_pid, pid, self_pid()];
            let mut references = vec![make_ref(), third_ref, make_ref()];
            for (pid, reference) in &earlier {
                pids.push(*pid);
                references.push(*reference);
            }
            send(pid, (self_pid(), pids.clone()));
            assert_eq!(next!(Vec<Pid>), pids);
            send(pid, (self_pid(), references.clone()));
            assert_eq!(next!(Vec<Reference>), references);
            for (old, _) in &earlier {
                assert_ne!(*old, pid);
                assert_eq!(old.node().name(), pid.node().name());
            }
            (pid, make_ref())
        });
        of_earlier.push(new);
        there.kill();
    }
}

/// SIG-3.
#[test]
fn nil_roundtrip() {
    let place = Place::new();
    let there = place.os("there").start();
    let here = place.node("here");
    here.block_on(async move {
        let pid = spawn_on(place.name("there"), echo(false)).await;
        send(pid, (self_pid(), ()));
        next!(());
        send(pid, (self_pid(), Vec::<()>::new()));
        assert_eq!(next!(Vec<()>), []);
        send(pid, (self_pid(), None::<u8>));
        assert_eq!(next!(Option<u8>), None);
        send(pid, (self_pid(), String::new()));
        assert_eq!(next!(String), "");
    });
    drop(there);
}

/// What each operation does that needs a connection that can't be.
async fn all_fail(name: &str, dead: Pid) {
    trap_exit(true);
    assert_eq!(try_spawn_on(name, answerer()).await, Err(SpawnError::Noconnection));
    let none = spawn_on(name, answerer()).await;
    assert_eq!(none.node().name().as_str(), name);
    let none = spawn_link_on(name, answerer()).await;
    assert_eq!(exit_of(none).await, ExitReason::Noconnection);
    let (_, monitor) = spawn_monitor_on(name, answerer()).await;
    assert_eq!(down(monitor).await, ExitReason::Noconnection);
    assert_eq!(down(fika::process::monitor(dead)).await, ExitReason::Noconnection);
    assert_eq!(down(fika::process::monitor(("x", name))).await, ExitReason::Noconnection);
    link(dead);
    assert_eq!(exit_of(dead).await, ExitReason::Noconnection);
    send(("x", name), 1_u64);
    send(dead, 1_u64);
    exit_process(dead, ExitReason::Kill);
    unlink(dead);
    monitor_node(name, true).unwrap();
    nodedown(name).await;
    none!(Exit);
    none!(Down);
    none!(NodeDown);
}

/// SPAWN-2: a node that can't exist.
#[test]
fn trap_bif_1() {
    let place = Place::new();
    place.node("here").block_on(async move {
        let none = spawn_on(place.name("nobody"), answerer()).await;
        all_fail(&place.name("nobody"), none).await;
    });
}

/// SPAWN-2: a node that is down.
#[test]
fn trap_bif_2() {
    let place = Place::new();
    let here = place.node("here");
    let mut there = place.os("there").start();
    let dead = here.block_on(async move { spawn_on(place.name("there"), answerer()).await });
    there.kill();
    here.block_on(async move { all_fail(&place.name("there"), dead).await });
}

/// SPAWN-2, DIST-18: a dead node, again and again.
#[test]
fn trap_bif_3() {
    let place = Place::new();
    let here = place.node("here");
    let mut there = place.os("there").start();
    let dead = here.block_on(async move { spawn_on(place.name("there"), answerer()).await });
    there.kill();
    let processes = here.process_count();
    here.block_on(async move {
        for _ in 0..100 {
            all_fail(&place.name("there"), dead).await;
        }
    });
    support::until("nothing is left of it", || here.process_count() <= processes);
}

/// DIST-6.
#[test]
fn dist_auto_connect_never() {
    let place = Place::new();
    let never = TestNode::of(place.builder("never").dist_auto_connect(AutoConnect::Never));
    let there = place.node("there");
    let answering = there.spawn(named_answerer_here()).unwrap();
    let downs = Arc::new(AtomicUsize::new(0));
    let counted = downs.clone();
    there.block_on(async {
        spawn(count_nodedowns(counted, self_pid()));
        receive! { (): () => {} }
    });
    let (never_name, there_name) = (place.name("never"), place.name("there"));
    let name = there_name.clone();
    never.block_on(async move {
        all_fail(&name, answering).await;
        assert!(nodes().is_empty());
        // An explicit one works, and then everything does.
        assert_eq!(connect_node(&name).await, Some(true));
        assert_answers(answering, 1).await;
        assert_eq!(disconnect_node(&name).await, Some(true));
        assert_eq!(down(fika::process::monitor(answering)).await, ExitReason::Noconnection);
        assert_eq!(fika::net::ping(&name).await, PingAnswer::Pang);
        assert!(nodes().is_empty());
    });
    // The other direction: it lets others connect to it. What is used before the end of the
    // connection has come here would be lost with it.
    support::until("the end is seen there", || downs.load(Ordering::SeqCst) == 1);
    assert!(there.nodes().is_empty(), "nobody there has a reason to connect again");
    there.block_on(async move {
        let pid = spawn_on(&never_name, answerer()).await;
        assert_answers(pid, 1).await;
    });
    never.block_on(async move { assert_answers(answering, 2).await });
}

/// Counts the ends of connections, from when it has said that it listens.
async fn count_nodedowns(downs: Arc<AtomicUsize>, starter: Pid) {
    monitor_nodes(true);
    send(starter, ());
    loop {
        receive! { NodeDown { .. } => downs.fetch_add(1, Ordering::SeqCst) };
    }
}

async fn named_answerer_here() {
    register("x", self_pid()).unwrap();
    answerer().await;
}

/// Takes what many senders send, and reports each sender whose messages had all come in
/// order and whole.
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

/// SIG-1, SIG-3, SIG-4; SIG-2: what each of many sends is in order, and nothing is said of theirs
/// among each other.
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
            // Others die in the middle of it, and what they have sent does no harm.
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

/// Names that are sent there and back, several rounds.
fn names_come_back(names: Vec<Name>, rounds: usize) {
    let place = Place::new();
    let there = place.os("there").start();
    let here = place.node("here");
    here.block_on(async move {
        let pid = spawn_on(place.name("there"), echo(false)).await;
        for _ in 0..rounds {
            send(pid, (self_pid(), names.clone()));
            assert_eq!(next!(Vec<Name>), names);
        }
        assert_answers(pid, 1).await;
    });
    assert_eq!(there.logged("ERROR"), 0, "{}", there.log());
}

/// SIG-3.
#[test]
fn atom_roundtrip() {
    let longest = "x".repeat(255);
    let names = ["", "a", "with space", "Ünïcode", &longest, "nul\0inside"];
    names_come_back(names.into_iter().map(Name::from).collect(), 3);
}

/// SIG-3.
#[test]
fn unicode_atom_roundtrip() {
    let longest = "🦐".repeat(255);
    let names = ["å", "ロボット", "🦀🦀", "e\u{301}", "\u{10ffff}", &longest];
    names_come_back(names.into_iter().map(Name::from).collect(), 3);
}

/// SIG-3, SIG-5: more registered names than a connection has numbers for, used in turns, so
/// that each takes another one's number away.
#[test]
fn contended_unicode_atom_cache_entry() {
    const NAMES: u64 = 2048 + 200;
    let place = Place::new();
    let there = place.os("there").start();
    let here = place.node("here");
    here.block_on(async move {
        let at = place.name("there");
        spawn_on(&at, has_names(NAMES, self_pid())).await;
        assert_eq!(next!(u64), NAMES);
        for round in 0..3 {
            for n in 0..NAMES {
                // Some of them oftener than others.
                send((&*unicode_name(n), &*at), (n, self_pid()));
                send((&*unicode_name(n % 7), &*at), (n % 7, self_pid()));
            }
            for _ in 0..2 * NAMES {
                assert!(next!(bool), "a message came to another name, in round {round}");
            }
        }
    });
    assert_eq!(there.logged("ERROR"), 0, "{}", there.log());
}

fn unicode_name(n: u64) -> String {
    format!("ключ-{n}-🗝")
}

/// Has a process for each of so many names, which says whether a message was meant for it.
#[remote]
async fn has_names(count: u64, to: Pid) {
    for n in 0..count {
        let pid = spawn(async move {
            loop {
                let (meant, from) = receive! { (meant, from): (u64, Pid) => (meant, from) };
                send(from, meant == n);
            }
        });
        register(unicode_name(n), pid).unwrap();
    }
    send(to, count);
}

/// What a test sends after a handshake, and the name of the case.
type Bad = (&'static str, Vec<u8>);

/// So many errors of peers a node logs in full, and not only how many there were.
const LOGGED_IN_FULL: usize = 32;

/// Each of the frames closes the connection that it comes over, with a log entry; nobody else
/// comes to harm.
fn bad_frames(cases: Vec<Bad>) {
    cases.chunks(LOGGED_IN_FULL).for_each(bad_frames_of_one);
}

fn bad_frames_of_one(cases: &[Bad]) {
    let place = Place::new();
    let there = place.os("there").start();
    let here = place.node("here");
    let addr = place.addr_of("there");
    let (pid, gone) = (mpsc::channel(), mpsc::channel());
    here.spawn(async move {
        monitor_nodes(true);
        let there =
            spawn_on(place.name("there"), named_answerer("victim".into(), self_pid())).await;
        assert_eq!(next!(Answer).from, there);
        link(there);
        pid.0.send(there).unwrap();
        receive! { _: () => {} }
        assert_answers(there, 1).await;
        none!(NodeDown);
        gone.0.send(()).unwrap();
    })
    .map(|watcher| here.register("watcher", watcher).unwrap())
    .unwrap();
    let victim = pid.1.recv_timeout(LIMIT).unwrap();
    let count = cases.len();
    for (n, (what, bytes)) in cases.iter().enumerate() {
        let mut peer =
            Peer::connected(addr, &place.name(&format!("peer{n}")), &place.name("there"));
        // All that came before it in the same connection has its effect.
        peer.write(&ask_by_hand(what));
        peer.write_to_the_end(bytes);
        peer.until_closed();
        there.await_log("the connection is closed", n + 1);
        here.block_on(async move { assert_answers(victim, n as u64).await });
    }
    here.send("watcher", ()).unwrap();
    gone.1.recv_timeout(LIMIT).expect("the old connection has seen nothing of it");
    assert_eq!(there.logged("the connection is closed"), count, "{}", there.log());
    assert_eq!(there.logged("panic"), 0, "{}", there.log());
}

/// A well-formed message of a type that nobody receives, to a name that nobody has.
fn ask_by_hand(tag: &str) -> Vec<u8> {
    let define_name = [&[2, 0][..], &text("nobody")].concat();
    let define_type = [&[3, 0][..], &[0; 8], &text(&format!("otp::{tag}"))].concat();
    let message = [0x90, 0, 0, 0, 0, 0, 0, 0, 0];
    [frame(&define_name), frame(&define_type), frame(&message)].concat()
}

/// DIST-19: malformed control messages.
#[test]
fn bad_dist_structure() {
    let cases: Vec<Bad> = vec![
        ("a kind that there is not", frame(&[0x00])),
        ("another one", frame(&[0x19, 0, 0, 0])),
        ("a spawn by name", frame(&[0xa0, 0, 0])),
        ("a highest bit on a definition", frame(&[0x81, 2])),
        ("a link without a target", frame(&[0x11])),
        ("a link without its end", frame(&[0x11, 0, 0])),
        ("a link with half an end", frame(&[0x11, 0, 0, 0])),
        ("a link with more", frame(&[0x11, 0, 0, 0, 0, 0])),
        ("a link to a name that is not defined", frame(&[0x91, 9, 0, 0])),
        ("an unlink without a number", frame(&[0x12, 0, 0, 0, 0])),
        ("an unlink with more", frame(&[0x12, 0, 0, 0, 0, 1, 1])),
        ("an acknowledgement without a number", frame(&[0x13, 0, 0, 0, 0])),
        ("a number that is too long", frame(&[0x11, 0x80, 0x80, 0x80, 0x80, 0x80, 1, 0, 0, 0])),
        ("a number in a longer form", frame(&[0x11, 0x80, 0x00, 0, 0, 0])),
        ("an exit without a reason", frame(&[0x14, 0, 0, 0, 0, 1])),
        ("an exit that is neither", frame(&[0x14, 0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0])),
        ("a monitor without a serial", frame(&[0x15, 0, 0, 0, 0])),
        ("a monitor with half a reference", frame(&[0x15, 0, 0, 0, 0, 1])),
        ("a monitor with more", frame(&[0x15, 0, 0, 0, 0, 1, 1, 1])),
        ("a demonitor without a serial", frame(&[0x16, 0, 0, 0, 0])),
        ("a down that is neither", frame(&[0x17, 0, 0, 2, 0, 0, 0, 0, 0, 0, 1, 0])),
        ("a down without a reason", frame(&[0x17, 0, 0, 0, 1, 0])),
        ("a spawn reply without a result", frame(&[0x18, 0, 0, 1, 0])),
        ("a spawn reply with no such result", frame(&[0x18, 0, 0, 1, 0, 5])),
        ("a spawn reply without a process", frame(&[0x18, 0, 0, 1, 0, 0])),
        ("a link to an alias", frame(&[0x51, 0, 1, 0, 0, 0])),
        ("a monitor of an alias", frame(&[0x55, 0, 1, 0, 0, 0, 1, 0])),
        ("an alias that is a name, too", frame(&[0xd0, 0, 1, 0, 0, 0, 0, 0, 0, 0])),
        ("an alias with half a priority", frame(&[0x54, 0, 1, 2, 0, 0, 0, 0, 0, 0, 1, 0, 0])),
        ("a broken link to an alias", frame(&[0x54, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0])),
        ("a message of a type that is not defined", frame(&[0x10, 0, 0, 0, 9, 0, 0, 0, 0, 0])),
        ("a node that is defined too far", frame(&[1, 9, 0, 0, 0, 1, 3, b'a', b'@', b'b'])),
        ("a node that can't be defined", frame(&[1, 0, 0, 0, 0, 1, 3, b'a', b'@', b'b'])),
        ("a node without a name", frame(&[1, 2, 0, 0, 0, 1, 0])),
        ("a node with a bad name", frame(&[1, 2, 0, 0, 0, 1, 3, b'a', b'b', b'c'])),
        ("a name that is no text", frame(&[2, 1, 2, 0xff, 0xfe])),
        ("a name that is defined too far", frame(&[2, 200, 1, 1, b'a'])),
        ("a type without a tag", frame(&[3, 1, 0, 0, 0, 0, 0, 0, 0, 0])),
        ("a type that is defined too far", frame(&[3, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, b'a'])),
    ];
    bad_frames(cases);
}

/// DIST-19: exit reasons that can't be decoded. Other than in Erlang, where a reason is a part of the
/// control message, the connection goes on, and the end is told with another reason.
#[test]
fn bad_dist_ext_control() {
    let place = Place::new();
    let there = place.node("there");
    let (told, tells) = mpsc::channel();
    let trapping = there.spawn(async move {
        trap_exit(true);
        register("trapping", self_pid()).unwrap();
        told.send(None).unwrap();
        loop {
            told.send(Some(next!(Exit).reason)).unwrap();
        }
    });
    trapping.expect("there is room");
    let told = || tells.recv_timeout(LIMIT).unwrap();
    assert_eq!(told(), None);
    let addr = place.addr_of("there");
    let mut peer = Peer::connected(addr, &place.name("peer"), &place.name("there"));
    peer.write(&frame(&[&[2, 0][..], &text("trapping")].concat()));
    let cases: [&[u8]; 8] = [
        // Of no kind, empty, cut off, with more behind it.
        &[99],
        &[],
        &[7 + 1],
        &[0, 0],
        // A text that is none, or longer than all; a term without its parts, a panic without its
        // place.
        &[8, 2, 0xff, 0xff],
        &[8, 0x80, 0x80, 0x80, 0x80, 8],
        &[13, 1, b'x'],
        &[12, 1, b'x'],
    ];
    for bytes in cases {
        let length = (bytes.len() as u32).to_be_bytes();
        peer.write(&frame(&[&[0x94, 0, 5, 0, 0, 0][..], &length, bytes].concat()));
        assert!(matches!(told(), Some(ExitReason::Badarg(_))), "{bytes:x?}");
    }
    peer.write(&frame(&[0x94, 0, 5, 0, 0, 0, 0, 0, 0, 1, 1]));
    assert_eq!(told(), Some(ExitReason::Shutdown), "the connection goes on");
    assert_eq!(there.undecodable_count(), cases.len() as u64);
}

/// DIST-19: lies about sizes.
#[test]
fn bad_dist_ext_size() {
    let message = |rest: &[u8]| [&[0x90, 0, 0, 0][..], rest].concat();
    bad_frames(vec![
        ("a frame above the limit", vec![0x01, 0x00, 0x00, 0x01, 0x10]),
        ("the largest frame", vec![0xff, 0xff, 0xff, 0xff]),
        ("a payload longer than the frame", frame(&message(&[0, 0, 0, 0, 9, 1, 2, 3]))),
        ("the longest payload", frame(&message(&[0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3]))),
        ("a payload shorter than the frame", frame(&message(&[0, 0, 0, 0, 1, 1, 2, 3]))),
        ("more nodes than bytes", frame(&message(&[100, 0, 1]))),
        ("more nodes than allowed", frame(&message(&varint(5000)))),
        ("a node that is not defined", frame(&message(&[1, 99, 0, 0, 0, 0]))),
        ("a text longer than the frame", frame(&[2, 1, 100, b'a'])),
        ("the longest text", frame(&[&[2, 1][..], &varint(u64::MAX)].concat())),
        ("a text above the limit", frame(&[&[2, 1][..], &text(&"x".repeat(1021))].concat())),
    ]);
}

/// DIST-19, SPAWN-4: a bad request to spawn, and one with arguments that do not decode.
#[test]
fn bad_dist_ext_spawn_request_arg_list() {
    // The function's name gets the number 1, its arguments' type the number 1.
    let function = frame(&[&[2, 1][..], &text("test::answerer")].concat());
    let arguments = frame(&[&[3, 1][..], &[0; 8], &text("no arguments")].concat());
    let spawn = |rest: &[u8]| [&function[..], &arguments, &frame(rest)].concat();
    bad_frames(vec![
        ("flags that there are not", spawn(&[0x20, 16, 1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0])),
        ("a group leader of no node", spawn(&[0x20, 0, 1, 0, 0, 0, 9, 0, 0, 1, 1, 0, 0, 0, 0, 0])),
        ("no function", spawn(&[0x20, 0, 1, 0, 0, 0, 0, 0, 0])),
        (
            "a function that is not defined",
            spawn(&[0x20, 0, 1, 0, 0, 0, 0, 0, 0, 9, 1, 0, 0, 0, 0, 0]),
        ),
        ("arguments of no type", spawn(&[0x20, 0, 1, 0, 0, 0, 0, 0, 0, 1, 9, 0, 0, 0, 0, 0])),
        (
            "arguments that are cut off",
            spawn(&[0x20, 0, 1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 5, 1]),
        ),
        ("more than the arguments", spawn(&[0x20, 0, 1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 7])),
    ]);
    // Arguments of another shape are answered, and nothing is closed.
    let place = Place::new();
    let _there = place.node("there");
    let addr = place.addr_of("there");
    let mut peer = Peer::connected(addr, &place.name("peer"), &place.name("there"));
    peer.write(&ask_by_hand("first"));
    peer.write(&spawn(&[0x20, 0, 1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]));
    // Its own frames of a new connection may come before the answer, which is `notsup`.
    loop {
        let body = peer.frame();
        if body[0] == 0x18 {
            assert_eq!(body, [0x18, 0, 0, 1, 0, 2]);
            break;
        }
    }
}

/// HS-14: bad first frames, each of which closes its connection and nothing else.
#[test]
fn bad_handshakes() {
    let place = Place::new();
    let there = place.node("there");
    let addr = place.addr_of("there");
    let good = || Hello::new(&place.name("peer"), &place.name("there"));
    let cut = |n: usize| framed(&good().body()[..n]);
    let with = |change: &dyn Fn(&mut Hello)| {
        let mut hello = good();
        change(&mut hello);
        framed(&hello.body())
    };
    let cases: Vec<Bad> = vec![
        ("no length", vec![0, 0]),
        ("a length above the limit", vec![4, 1]),
        ("another magic", with(&|hello| hello.magic = b"\xf1FIKA\r\n\0".to_vec())),
        ("nothing but the magic", cut(8)),
        ("half of it", cut(40)),
        ("all but the last byte", cut(good().body().len() - 1)),
        ("a byte too many", framed(&[good().body(), vec![0]].concat())),
        ("versions in the wrong order", with(&|hello| hello.versions = (2, 1))),
        ("a name that is none", with(&|hello| hello.name = "peer".into())),
        ("a name that is too long", with(&|hello| hello.name = format!("{}@b.c", "x".repeat(500)))),
        ("our own name", with(&|hello| hello.name = place.name("there"))),
    ];
    for (what, bytes) in cases {
        let mut peer = Peer::open(addr);
        peer.write(&bytes);
        let answer = peer.until_closed();
        assert!(answer.is_empty() || is_refusal(&answer), "{what}: {answer:?}");
    }
    assert!(there.nodes().is_empty());
    Peer::connected(addr, &place.name("peer"), &place.name("there"));
}

/// BUSY-1, LINK-14.
#[test]
fn link_to_busy() {
    busy::suspends(link, |remote, _| async move {
        send(remote, EndWith(ExitReason::Shutdown));
        let exit = next!(Exit);
        assert_eq!((exit.from, exit.reason), (remote, ExitReason::Shutdown));
    });
}

/// BUSY-1, EXIT-18.
#[test]
fn exit_to_busy() {
    busy::suspends(
        |remote| exit_process(remote, ExitReason::Shutdown),
        |remote, _| async move { assert_eq!(down(monitor(remote)).await, ExitReason::Noproc) },
    );
}

/// FLAG-1, FLAG-5: by default, by a node's setting, at spawn, and set by the process itself.
#[test]
fn async_dist_flag() {
    for default in [false, true] {
        let place = Place::new();
        let node = TestNode::of(place.builder("here").async_dist(default));
        node.block_on(async move {
            assert_eq!(info::async_dist(self_pid()).await, Some(default));
            assert_eq!(async_dist(default), default);
            assert_eq!(async_dist(!default), default);
            assert_eq!(info::async_dist(self_pid()).await, Some(!default));
            // A child has the node's, unless it is given another.
            let flag = async || receive!(pid: Pid => send(pid, async_dist(false)));
            for (opts, is) in [
                (SpawnOpts::new(), default),
                (SpawnOpts::new().async_dist(true), true),
                (SpawnOpts::new().async_dist(false), false),
            ] {
                let child = spawn_opt(opts, flag()).pid;
                assert_eq!(info::async_dist(child).await, Some(is));
                send(child, self_pid());
                assert_eq!(next!(bool), is);
            }
        });
    }
}

/// BUSY-6.
#[test]
fn async_dist_port_dctrlr() {
    const MESSAGES: u64 = 200;
    let pair = busy::Pair::new();
    let there = pair.there.clone();
    pair.run(move |sink, valve| async move {
        let taker = there.spawn(takes_bulk(MESSAGES, self_pid())).unwrap();
        valve.close();
        let filler = busy::fill(sink).await;
        async_dist(true);
        for n in 0..MESSAGES {
            let message = (n, vec![n as u8; 16 << 10]);
            if n % 2 == 0 {
                send(taker, message)
            } else {
                try_send(taker, message).unwrap()
            }
            yield_now().await;
        }
        none!(BusyDist);
        valve.open();
        busy::all_came(filler, sink).await;
        assert_eq!(next!(usize), MESSAGES as usize * (16 << 10));
    });
}

fn large_reason() -> ExitReason {
    ExitReason::term(vec![7_u8; busy::LARGE_BYTES])
}

/// BUSY-7, TICK-6.
#[test]
fn message_latency_large_message() {
    busy::small_comes_first(
        |remote| send(remote, busy::Do::Data(vec![7; busy::LARGE_BYTES])),
        |_, _| async { assert_eq!(next!(usize), busy::LARGE_BYTES) },
    );
}

/// BUSY-7.
#[test]
fn message_latency_large_link_exit() {
    busy::small_comes_first(
        |_| fika::process::exit(large_reason()),
        |_, sender| async move {
            let exit = next!(Exit);
            assert_eq!((exit.from, exit.reason), (sender, large_reason()));
        },
    );
}

/// BUSY-7.
#[test]
fn message_latency_large_exit2() {
    busy::small_comes_first(
        |remote| exit_process(remote, large_reason()),
        |_, sender| async move {
            let exit = next!(Exit);
            assert_eq!((exit.from, exit.reason), (sender, large_reason()));
        },
    );
}

/// EPMD-19: a node that brings up no port mapper needs one that is there.
#[test]
fn start_epmd_false() {
    let place = Place::new();
    let start = |alive: &str| place.os(alive).env("FIKA_TEST_NO_START_EPMD", "1");
    let log = start("early").try_start().err().expect("there is no mapper");
    assert!(log.contains("mapper"), "{log}");
    assert!(place.names().is_empty(), "none was brought up");
    let here = place.node("here");
    let there = start("there").start();
    let name = place.name("there");
    here.block_on(async move { assert_eq!(fika::net::ping(name).await, PingAnswer::Pong) });
    drop(there);
}

/// EPMD-19, DIST-12: a node that does not listen, without a port mapper, connects to others and
/// is used as any node.
#[test]
fn no_epmd() {
    let place = Place::new();
    let table = [format!("{}:4711", place.name("there"))];
    let there = place.os("there").nodes(&table).start();
    let nodes = fika::net::discovery::StaticNodes::new(&table).unwrap();
    let here = TestNode::of(place.builder("here").dist_listen(false).resolver(nodes));
    here.block_on(async move {
        let name = place.name("there");
        let remote = spawn_on(&name, answerer()).await;
        support::assert_answers(remote, 1).await;
        assert_eq!(
            fika::net::nodes_of(fika::net::NodeKind::Hidden).len(),
            1,
            "who does not listen is hidden"
        );
        // It is reached over the connection that it has made.
        let monitor = fika::process::monitor(remote);
        exit_process(remote, ExitReason::Kill);
        assert_eq!(support::down(monitor).await, ExitReason::Killed);
    });
    assert!(place.names().is_empty(), "there is no mapper");
    // And with a mapper it is not registered.
    let place = Place::new();
    let other = place.node("other");
    let here = TestNode::of(place.builder("here").dist_listen(false));
    let name = place.name("other");
    here.block_on(async move { assert_eq!(fika::net::ping(name).await, PingAnswer::Pong) });
    assert_eq!(place.names().len(), 1);
    let name = place.name("here");
    TestNode::of(place.builder("third")).block_on(async move {
        assert_eq!(fika::net::ping(name).await, PingAnswer::Pang, "nobody finds it");
    });
    drop((there, other));
}

/// A resolver that counts what it is asked.
#[derive(Default)]
struct Counted {
    calls: std::sync::Mutex<Vec<String>>,
    nodes: std::sync::Mutex<std::collections::BTreeMap<String, std::net::SocketAddr>>,
}

impl Counted {
    fn called(&self, what: &str, node: &fika::node::NodeName) {
        self.calls.lock().unwrap().push(format!("{what} {}", node.alive()));
    }
}

/// The same resolver, for several nodes.
struct Shared(Arc<Counted>);

impl fika::net::discovery::Resolver for Shared {
    fn listen_port(&self, own: &fika::node::NodeName) -> u16 {
        self.0.called("listen_port", own);
        0
    }

    fn register<'a>(
        &'a self,
        own: &'a fika::node::NodeName,
        listens: std::net::SocketAddr,
    ) -> fika::net::discovery::Resolving<'a, ()> {
        self.0.called("register", own);
        self.0.nodes.lock().unwrap().insert(own.to_string(), listens);
        Box::pin(std::future::ready(Ok(())))
    }

    fn unregister<'a>(
        &'a self,
        own: &'a fika::node::NodeName,
    ) -> fika::net::discovery::Resolving<'a, ()> {
        self.0.called("unregister", own);
        self.0.nodes.lock().unwrap().remove(own.as_str());
        Box::pin(std::future::ready(Ok(())))
    }

    fn resolve<'a>(
        &'a self,
        node: &'a fika::node::NodeName,
    ) -> fika::net::discovery::Resolving<'a, Option<fika::net::discovery::NodeAddr>> {
        self.0.called("resolve", node);
        let found = self.0.nodes.lock().unwrap().get(node.as_str()).copied();
        Box::pin(std::future::ready(Ok(found.map(Into::into))))
    }
}

/// EPMD-19: a user's resolver is what a node registers with, is looked up by, and leaves.
#[test]
fn epmd_module() {
    let place = Place::new();
    let counted = Arc::new(Counted::default());
    let node = |alive: &str| TestNode::of(place.builder(alive).resolver(Shared(counted.clone())));
    let (here, there) = (node("here"), node("there"));
    let name = place.name("there");
    here.block_on(async move {
        assert_eq!(fika::net::ping(name).await, PingAnswer::Pong);
    });
    assert!(there.stop_distribution());
    let name = place.name("there");
    here.block_on(async move {
        support::until_in_process("it is gone", || nodes().is_empty()).await;
        assert_eq!(fika::net::ping(name).await, PingAnswer::Pang);
    });
    let calls = counted.calls.lock().unwrap().clone();
    let expected = [
        "listen_port here",
        "register here",
        "listen_port there",
        "register there",
        "resolve there",
        "unregister there",
        "resolve there",
    ];
    assert_eq!(calls, expected);
    assert!(place.names().is_empty(), "no mapper was brought up");
}

/// DIST-10, EPMD-3: each start has a creation that no start lately had, with a port mapper and
/// without one.
#[test]
fn creation_selection() {
    for with_mapper in [true, false] {
        let place = Place::new();
        let table = ["here", "there"].map(|alive| format!("{}:4712", place.name(alive)));
        let mut builder = Node::builder().cookie(support::COOKIE).epmd_port(place.mapper);
        let mut there = place.os("there");
        if !with_mapper {
            builder =
                builder.resolver(fika::net::discovery::StaticNodes::new(&table[..1]).unwrap());
            there = there.nodes(&[table[0].clone(), format!("{}:4713", place.name("there"))]);
        }
        // With the mapper the peer is there from the start, else it is told where to look.
        let node = TestNode::of(builder);
        let there = there.start();
        let name = place.name("here");
        let peer = place.name("there");
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..20 {
            let (name, peer) = (name.clone(), peer.clone());
            let creation = node.block_on(async move {
                fika::net::start_distribution(&name).await.unwrap();
                let creation = match with_mapper {
                    true => {
                        spawn_on(&peer, tells_creation(self_pid())).await;
                        next!(u32)
                    }
                    false => self_pid().node().creation().0,
                };
                fika::net::stop_distribution().await;
                creation
            });
            assert!(creation > 3, "those are left to old mappers");
            assert!(seen.insert(creation), "{creation} again");
        }
        drop(there);
    }
}

/// Tells a process which life of its node it is of.
#[remote]
async fn tells_creation(of: Pid) {
    send(of, of.node().creation().0);
}

include!("distribution_names.rs");
include!("distribution_terms.rs");
