//! Look-ups of nodes that a peer causes by naming them: they use few threads, and delay neither
//! other look-ups nor the program's own blocking calls.
#![cfg(target_os = "linux")]

use crate::alone;
use crate::support;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use fika::net::discovery::{NodeAddr, Resolver, Resolving};
use fika::net::{Ping as PingAnswer, ping};
use fika::node::NodeName;
use fika::prelude::*;
use fika::process::spawn_blocking;
use support::peer::{Peer, frame, in_pieces, text, varint};
use support::{LIMIT, Place, TestNode, until};

/// Half of the threads for blocking calls of services.
const PATIENT_MAX: usize = 8;

/// A gate that keeps calls waiting.
#[derive(Default)]
struct Gate {
    is_open: Mutex<bool>,
    changed: Condvar,
    waiting: AtomicUsize,
}

impl Gate {
    fn wait(&self) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let mut is_open = self.is_open.lock().unwrap();
        while !*is_open {
            is_open = self.changed.wait(is_open).unwrap();
        }
        self.waiting.fetch_sub(1, Ordering::SeqCst);
    }

    fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    fn open(&self) {
        *self.is_open.lock().unwrap() = true;
        self.changed.notify_all();
    }
}

/// A resolver that looks up nodes with blocking calls. The calls for names that begin with
/// `invented` wait for the gate.
#[derive(Clone, Default)]
struct Slow {
    gate: Arc<Gate>,
    asked: Arc<AtomicUsize>,
    own: Arc<Mutex<Option<SocketAddr>>>,
    there: Arc<Mutex<Option<SocketAddr>>>,
}

impl Resolver for Slow {
    fn register<'a>(&'a self, _: &'a NodeName, listens: SocketAddr) -> Resolving<'a, ()> {
        *self.own.lock().unwrap() = Some(listens);
        Box::pin(async { Ok(()) })
    }

    fn resolve<'a>(&'a self, node: &'a NodeName) -> Resolving<'a, Option<NodeAddr>> {
        Box::pin(async move {
            self.asked.fetch_add(1, Ordering::SeqCst);
            let (gate, there) = (self.gate.clone(), *self.there.lock().unwrap());
            if node.alive().starts_with("invented") {
                spawn_blocking(move || gate.wait()).await;
                return Ok(None);
            }
            Ok(spawn_blocking(move || there).await.map(NodeAddr::At))
        })
    }
}

fn lookup_threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let names = tasks.map(|task| std::fs::read_to_string(task.path().join("comm")));
    names.filter(|name| name.as_ref().is_ok_and(|name| name.trim() == "fika lookup")).count()
}

/// Tells the node about this many unknown nodes.
fn names_many(member: &mut Peer, place: Place, count: usize) {
    // The node's own message about other nodes begins with its type.
    let definition = loop {
        let said = member.frame();
        if said.starts_with(&[3, 0]) {
            break said;
        }
    };
    let name = frame(&[&b"\x02\0"[..], &text("net_kernel")].concat());
    let names = (0..count).map(|n| text(&place.name(&format!("invented{n}"))));
    let nodes = [varint(count as u64), names.collect::<Vec<_>>().concat()].concat();
    let said = [frame(&definition), name, in_pieces(b"\x90\0\0\0", &nodes)];
    member.write(&said.concat());
}

#[test]
fn host_lookups_do_not_take_the_programs_threads() {
    let _alone = alone();
    let place = Place::new();
    let slow = Slow::default();
    let there = place.node("there");
    *slow.there.lock().unwrap() = Some(place.addr_of("there"));
    let builder = place.builder("node").resolver(slow.clone()).net_setuptime(millis(300));
    let node = TestNode::of(builder);
    let own = slow.own.lock().unwrap().expect("it is registered");
    let own = (place.ip, own.port()).into();
    let mut member = Peer::connected(own, &place.name("member"), &place.name("node"));
    names_many(&mut member, place, 200);
    // The attempts time out, but their calls continue.
    until("many were asked for", || slow.asked.load(Ordering::SeqCst) >= 5 * PATIENT_MAX);
    until("some have begun", || slow.gate.waiting() > 0);
    assert!(slow.gate.waiting() <= PATIENT_MAX, "{} calls", slow.gate.waiting());
    assert!(lookup_threads() <= 2 * PATIENT_MAX, "{} threads", lookup_threads());
    // The program's own calls and look-ups continue.
    let name = place.name("there");
    node.block_on(async move {
        assert_eq!(timeout(LIMIT, spawn_blocking(|| 7)).await, Ok(7));
        let answer = timeout(LIMIT, ping(&name)).await;
        assert_eq!(answer, Ok(PingAnswer::Pong));
    });
    slow.gate.open();
    drop((there, member));
}

/// The reverse: the program uses all its threads, and the node still looks up nodes.
#[test]
fn busy_blocking_threads_do_not_stop_host_lookups() {
    let _alone = alone();
    const CALLS: usize = 520;
    let place = Place::new();
    let slow = Slow::default();
    let _there = place.node("there");
    *slow.there.lock().unwrap() = Some(place.addr_of("there"));
    let node = TestNode::of(place.builder("node").resolver(slow.clone()));
    let gate = slow.gate.clone();
    let name = place.name("there");
    node.block_on(async move {
        let calls: Vec<_> = (0..CALLS)
            .map(|_| {
                let gate = gate.clone();
                spawn_blocking(move || gate.wait())
            })
            .collect();
        support::until_in_process("all threads are used", || gate.waiting() == 512).await;
        assert_eq!(timeout(LIMIT, ping(&name)).await, Ok(PingAnswer::Pong));
        gate.open();
        for call in calls {
            call.await;
        }
    });
}
