//! A running node, and a peer that sends anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use fika_macros::{receive, remote};
use fika_runtime::{
    Carried, Carrier, Conditions, ConnectionId, EncodeError, Env, Local, MailboxLimit, Node,
    NodeId, NodeName, NotCarried, Pid, RemoteDest, Signal, SpawnRequest, Stepper, Time,
    Undecodable, alias, link, mailbox_limit, monitor, register, self_pid, send, spawn, trap_exit,
};

use super::frames;
use crate::proto::connection::Event;

/// A node that needs more turns than this never becomes idle.
const TURNS_MAX: usize = 10_000;

/// Receives the bytes over one connection. The processes handle each event before the next.
pub fn node(bytes: &[u8]) {
    let id = frames::node("here@fuzz");
    let (node, stepper) = Node::builder()
        .id(id)
        .env(Arc::new(Fixed))
        .process_limit(64)
        .build_stepped()
        .expect("the settings are right");
    node.set_carrier(Arc::new(Nowhere));
    node.spawn(processes());
    run(&stepper);
    let mut receiving = frames::receiving(id, frames::node("there@fuzz"));
    let mut events = Vec::new();
    // The events before an error count.
    let _ = receiving.handle(bytes, &mut events);
    for event in events {
        stepper.enter(|| match event {
            Event::Signal { target, signal } => drop(node.receive(&target, signal)),
            Event::Spawn(request) => drop(node.receive_spawn(*request)),
            Event::Undecodable(lost) => {
                node.undecodable(frames::node("there@fuzz"), ConnectionId(1), &lost);
            }
            Event::NotTaken(_) => {}
        });
        run(&stepper);
    }
    goes_on(&node, &stepper);
    stepper.crash();
}

/// Checks that the node still works. If there is no room for a new process, an existing one ends
/// first.
fn goes_on(node: &Node, stepper: &Stepper) {
    if node.process_count() >= 64 {
        return;
    }
    let went_on = Arc::new(AtomicBool::new(false));
    let mark = went_on.clone();
    node.spawn(async move {
        let me = self_pid();
        spawn(async move { send(me, 7_u64) });
        receive! { _number: u64 => mark.store(true, Ordering::Relaxed) }
    });
    run(stepper);
    assert!(went_on.load(Ordering::Relaxed), "the node no longer works");
}

fn run(stepper: &Stepper) {
    for _ in 0..TURNS_MAX {
        if stepper.step(0).is_none() {
            return;
        }
    }
    panic!("the processes never become idle");
}

/// Spawns processes that receive everything that a peer can send.
async fn processes() {
    trap_exit(true);
    for n in 0..4_u8 {
        spawn(async move {
            trap_exit(n % 2 == 0);
            if n == 3 {
                mailbox_limit(MailboxLimit::messages(2).log(false));
            }
            let _ = register(["a", "b", "c", "d"][usize::from(n)], self_pid());
            let _ = alias();
            takes_all().await;
        });
    }
    link(spawn(takes_all()));
    monitor(spawn(takes_all()));
    takes_all().await;
}

async fn takes_all() {
    loop {
        receive! {
            Local(()): Local<()> => {}
            number: u64 => { std::hint::black_box(number); }
            text: String => { std::hint::black_box(text); }
            list: Vec<Option<String>> => { std::hint::black_box(list); }
            pid: fika_runtime::Pid => send(pid, 1_u64),
            other => { std::hint::black_box(other.type_name().len()); }
        }
    }
}

/// A function that a peer may spawn.
#[remote(name = "fuzz::function")]
async fn function(numbers: Vec<u64>, text: String) {
    std::hint::black_box((numbers, text));
    takes_all().await;
}

/// Time stands still, and random numbers are fixed, so that equal bytes have equal effects.
struct Fixed;

impl Env for Fixed {
    fn now(&self) -> Time {
        Time::default()
    }

    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }

    fn random(&self) -> u64 {
        7
    }

    fn secure_random(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

/// A carrier that drops everything.
struct Nowhere;

const NOWHERE: Carried = Carried { connection: ConnectionId(1), congested: None };

impl Carrier for Nowhere {
    fn send(&self, _: Option<Pid>, _: RemoteDest, _: Signal) -> Result<Carried, EncodeError> {
        Ok(NOWHERE)
    }

    fn send_if(
        &self,
        _: Option<Pid>,
        _: RemoteDest,
        _: Signal,
        _: Conditions,
    ) -> Result<Carried, NotCarried> {
        Ok(NOWHERE)
    }

    fn spawn(&self, _: &NodeName, _: SpawnRequest) -> Carried {
        NOWHERE
    }

    fn flush(&self) {}

    fn undecodable(&self, _: NodeId, _: ConnectionId, _: &Undecodable) {}
}
