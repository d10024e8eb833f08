//! The processes of the runtime and of the distribution: what other processes can do to each of
//! them, and what happens to the node when one of them ends. A member can neither end them nor link
//! to them. A service that ends in another way is restarted, and the node keeps its name.

use crate::support;

use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use fika::inspect::is_process_alive;
use fika::message::Reference;
use fika::net::{
    NetTicktime, Ping as PingAnswer, SetTicktime, disconnect_node, get_net_ticktime, monitor_nodes,
    ping, set_net_ticktime,
};
use fika::prelude::*;
use fika::process::{Object, SpawnError, spawn_request_on, yield_now};
use fika::process::{SpawnOpts, SpawnReply};
use support::peer::{Hello, Peer, frame, framed, text, varint};
use support::{
    LIMIT, Place, TestNode, answerer, assert_answers, down, exit_of, nodedown, nodeup, until,
};

/// More references than a node has made when a test ends.
const SERIALS: u64 = 2000;

/// A node that has each kind of its own processes: it has the port mapper, a peer is in the middle
/// of a handshake, and it is connecting to another node.
struct Busy {
    place: Place,
    node: TestNode,
    /// The node's own processes.
    own: Vec<Pid>,
    /// The peer in the middle of a handshake.
    half_open: Peer,
    /// The node waits for an answer of this mapper.
    _asked: TcpStream,
}

impl Busy {
    fn new() -> Busy {
        let (place, elsewhere) = (Place::new(), Place::new());
        let builder = place.builder("node").handshake_time(2 * LIMIT).net_setuptime(2 * LIMIT);
        let node = TestNode::of(builder);
        let mapper = TcpListener::bind(elsewhere.mapper_addr()).unwrap();
        let asks = node.spawn(async move { ping(elsewhere.name("nobody")).await });
        let (asked, _) = mapper.accept().unwrap();
        let mut half_open = Peer::open(place.addr_of("node"));
        half_open.write(&framed(&Hello::new(&place.name("slow"), node.name().as_ref()).body()));
        half_open.handshake_frame();
        // The processes that served finished work have ended.
        let count = || node.processes().filter(|pid| Some(*pid) != asks).count();
        until("nothing else goes on", || count() == 8);
        let own = node.processes().filter(|pid| Some(*pid) != asks).collect();
        Busy { place, node, own, half_open, _asked: asked }
    }

    /// Checks that all of the node's own processes exist, and that other nodes find it.
    fn assert_unharmed(&mut self) {
        for pid in &self.own {
            assert!(self.node.processes().any(|other| other == *pid), "{pid} has ended");
        }
        assert_reachable(self.place, &self.node);
        self.half_open.stream.set_nonblocking(true).unwrap();
        let read = std::io::Read::read(&mut self.half_open.stream, &mut [0]);
        assert_eq!(read.unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "it is still served");
    }
}

/// Checks that the node has its name, can be connected to, and can connect.
#[track_caller]
fn assert_reachable(place: Place, node: &TestNode) {
    assert!(node.is_distributed() && node.name().as_str() == place.name("node"));
    let nodes = node.nodes();
    let newcomer = place.node("newcomer");
    assert_eq!(ping_from(&newcomer, place.name("node")), PingAnswer::Pong);
    drop(newcomer);
    let newcomer = place.node("newcomer2");
    assert_eq!(ping_from(node, place.name("newcomer2")), PingAnswer::Pong);
    drop(newcomer);
    until("they have gone", || node.nodes() == nodes);
}

fn process(pid: Pid) -> Vec<u8> {
    let local = pid.local();
    [varint(local.slot.into()), varint(local.generation.into())].concat()
}

/// The exit reason `kill`, as a payload.
const KILL: [u8; 6] = [0, 0, 0, 0, 1, 3];

/// A hand-written peer can't harm the node's own processes. Its process 5.0 tries everything:
/// links, exit signals, group leaders, messages, and the ends of processes that they monitor.
#[test]
fn a_peer_can_not_harm_the_services() {
    let mut busy = Busy::new();
    let addr = busy.place.addr_of("node");
    let mut peer = Peer::connected(addr, &busy.place.name("peer"), &busy.place.name("node"));
    let own: &[u8] = &[5, 0];
    let mut said = frame(&[&[3, 0][..], &[0; 8], &text("t")].concat());
    for pid in &busy.own {
        let target = &process(*pid)[..];
        let frames = [
            [&[0x11], target, own].concat(),
            [&[0x14], target, own, &[0], &KILL].concat(),
            [&[0x14], target, own, &[1], &KILL].concat(),
            // This frame makes the peer's process the group leader.
            [&[0x19], target, &[0], own].concat(),
            [&[0x10], target, &[0, 0], &[0, 0, 0, 0, 0]].concat(),
        ];
        frames.iter().for_each(|body| said.extend(frame(body)));
        for serial in 0..SERIALS {
            said.extend(frame(&[&[0x17], target, &[0], &varint(serial)[..], &[0], &KILL].concat()));
        }
    }
    peer.write(&said);
    // Each link is answered as if there were no such process.
    let mut refused = 0;
    while refused < busy.own.len() {
        let body = peer.frame();
        refused += usize::from(body[0] == 0x14);
    }
    drop(peer);
    until("it has gone", || busy.node.nodes().is_empty());
    busy.assert_unharmed();
}

/// A real member acts in these ways too, and goes away.
#[test]
fn a_member_can_not_harm_the_services() {
    let mut busy = Busy::new();
    let (place, own) = (busy.place, busy.own.clone());
    let name = place.name("node");
    let member = place.node("member");
    member.block_on(async move {
        trap_exit(true);
        assert_eq!(ping(&name).await, PingAnswer::Pong);
        for pid in own {
            let monitor = monitor(pid);
            link(pid);
            assert_eq!(exit_of(pid).await, ExitReason::Noproc);
            for reason in [ExitReason::Kill, ExitReason::Shutdown, ExitReason::Normal] {
                exit_process(pid, reason);
            }
            fika::process::set_group_leader(self_pid(), pid);
            for serial in 0..SERIALS {
                let (object, reason) = (Object::Pid(pid), ExitReason::Killed);
                send(pid, Down { monitor: Reference::new(pid.node(), serial), object, reason });
            }
            // The process has received all of these signals, and is alive.
            demonitor(monitor);
            none!(Down);
        }
        let last = monitor(("net_kernel", &*name));
        disconnect_node(&name).await;
        assert_eq!(down(last).await, ExitReason::Noconnection);
    });
    until("it has gone", || busy.node.nodes().is_empty());
    busy.assert_unharmed();
    // Only the process that connects keeps messages to it, for some seconds, because a program's
    // resolver may wait for messages there. The other processes keep none.
    let own = busy.own.clone();
    busy.node.block_on(async move {
        let mut keep = 0;
        for pid in own {
            keep += usize::from(fika::inspect::info::message_queue_len(pid).await != Some(0));
        }
        assert!(keep <= 1, "{keep} processes keep messages");
    });
}

/// Only the node of a process reports its end: another member can't.
#[test]
fn a_forged_down() {
    let place = Place::new();
    let (node, other) = (place.node("node"), place.node("other"));
    let (tx, rx) = std::sync::mpsc::channel();
    let watcher = node.spawn(async move {
        let remote = spawn_on(place.name("other"), answerer()).await;
        let local = spawn(answerer());
        let monitors =
            [monitor(remote), monitor(local), monitor(("nobody", &*place.name("other")))];
        // No process has the name.
        assert_eq!(down(monitors[2]).await, ExitReason::Noproc);
        tx.send(()).unwrap();
        receive! { (): () => {} }
        assert_answers(remote, 1).await;
        none!(Down);
        for (pid, monitor) in [(remote, monitors[0]), (local, monitors[1])] {
            send(pid, support::EndWith(ExitReason::Shutdown));
            assert_eq!(down(monitor).await, ExitReason::Shutdown);
        }
        tx.send(()).unwrap();
    });
    let watcher = watcher.unwrap();
    rx.recv_timeout(LIMIT).unwrap();
    let mut peer = Peer::connected(place.addr_of("node"), &place.name("peer"), &place.name("node"));
    let target = &process(watcher)[..];
    for serial in 0..SERIALS {
        for from in [&[0][..], &[1, 5, 0]] {
            let serial = &varint(serial)[..];
            peer.write(&frame(&[&[0x17], target, from, serial, &[0], &KILL].concat()));
        }
    }
    hang_up(peer);
    until("it has gone", || node.nodes().len() == 1);
    node.send(watcher, ()).unwrap();
    rx.recv_timeout(LIMIT).expect("the watcher is notified of the real ends only");
    drop(other);
}

/// Ends a peer's connection when the node has read all of it. A drop could reset the connection, and
/// with it what the node has not read.
fn hang_up(mut peer: Peer) {
    peer.stream.shutdown(std::net::Shutdown::Write).unwrap();
    peer.until_closed();
}

/// Takes the next frame of this kind from a peer's connection, without the kind.
fn frame_of(peer: &mut Peer, kind: u8) -> Vec<u8> {
    loop {
        let body = peer.frame();
        if body[0] == kind {
            return body[1..].to_vec();
        }
    }
}

/// Takes the next request to spawn from a peer's connection, and returns its reference.
fn next_spawn_request(peer: &mut Peer) -> Vec<u8> {
    let request = frame_of(peer, 0x20);
    let length = 1 + request[1..].iter().position(|byte| *byte < 0x80).unwrap();
    assert_eq!(request[length + 1], 0, "the reference leads to no process");
    request[1..=length + 1].to_vec()
}

/// SPAWN-6, SPAWN-7: only the node that was asked to spawn a process answers, also where the
/// process that asked has ended.
#[test]
fn a_forged_spawn_reply() {
    const SPAWNED: &[u8] = &[0, 5, 0];
    const NOTSUP: &[u8] = &[2];
    const SYSTEM_LIMIT: &[u8] = &[3];
    let place = Place::new();
    let node = place.node("node");
    let addr = place.addr_of("node");
    let peer = |name: &str| Peer::connected(addr, &place.name(name), &place.name("node"));
    let (mut asked, mut forger) = (peer("asked"), peer("forger"));
    until("they are up", || node.nodes().len() == 2);

    let parent = node.spawn(async move {
        spawn_request_on(place.name("asked"), SpawnOpts::new().link(), answerer());
    });
    let parent = parent.unwrap();
    let mut requests = vec![(parent, next_spawn_request(&mut asked))];
    until("it has ended", || node.processes().all(|pid| pid != parent));

    let (answered, answers) = std::sync::mpsc::channel();
    let waiter = node.spawn(async move {
        for _ in 0..2 {
            spawn_request_on(place.name("asked"), SpawnOpts::new(), answerer());
        }
        for _ in 0..2 {
            answered.send(next!(SpawnReply).result).unwrap();
        }
    });
    requests.extend([(); 2].map(|()| (waiter.unwrap(), next_spawn_request(&mut asked))));

    let reply = |(to, reference): &(Pid, Vec<u8>), result: &[u8]| {
        frame(&[&[0x18], &process(*to)[..], reference, result].concat())
    };
    for request in &requests {
        forger.write(&reply(request, NOTSUP));
        forger.write(&reply(request, SPAWNED));
    }
    hang_up(forger);
    until("it has gone", || node.nodes().len() == 1);
    for (request, result) in requests.iter().zip([SPAWNED, SYSTEM_LIMIT, SPAWNED]) {
        asked.write(&reply(request, result));
    }
    let result = || answers.recv_timeout(LIMIT).unwrap();
    assert_eq!(result(), Err(SpawnError::SystemLimit));
    assert_eq!(result().unwrap().node().name().as_str(), place.name("asked"));
    let exit = frame_of(&mut asked, 0x14);
    assert_eq!(exit[..2], [5, 0], "the child that was to be linked ends");
}

/// The program may kill each of the node's own processes: the name and the connections stay, and
/// others find the node as before. Nothing ends the process at the root.
#[test]
fn killed_services_are_restarted() {
    let place = Place::new();
    let node = place.node("node");
    let there = place.node("there");
    let before: Vec<Pid> = node.processes().collect();
    node.block_on(async move {
        monitor_nodes(true);
        let remote = spawn_on(place.name("there"), answerer()).await;
        let monitor = monitor(remote);
        link(remote);
        trap_exit(true);
        let mut survivors = Vec::new();
        for pid in before {
            link(pid);
            exit_process(pid, ExitReason::Kill);
            // Some processes have ended with net_kernel, and one refuses links.
            if exit_of(pid).await == ExitReason::Noproc && is_process_alive(pid).await {
                survivors.push(pid);
            }
            assert_answers(remote, 1).await;
            // A process that was to end has done so before this answer.
            assert_eq!(ping(place.name("there")).await, PingAnswer::Pong);
            assert!(fika::net::is_alive());
        }
        assert_eq!(survivors.len(), 1, "the root");
        none!(Down);
        none!(NodeDown);
        // Subscriptions and monitors continue.
        nodeup(&place.name("there")).await;
        disconnect_node(place.name("there")).await;
        assert_eq!(down(monitor).await, ExitReason::Noconnection);
        nodedown(&place.name("there")).await;
    });
    until("it is registered", || place.names().iter().any(|(name, _)| name == "node"));
    assert_reachable(place, &node);
    drop(there);
}

/// Requests are completed and messages arrive, even if net_kernel is killed while connections are
/// made and used.
#[test]
fn requests_survive_a_restart_of_net_kernel() {
    const ROUNDS: u64 = 5;
    let place = Place::new();
    let node = place.node("node");
    let names: Vec<String> = (0..ROUNDS).map(|n| format!("there{n}")).collect();
    let _there: Vec<TestNode> = names.iter().map(|name| place.node(name)).collect();
    node.block_on(async move {
        for (n, name) in (0..).zip(&names) {
            let name = place.name(name);
            let me = self_pid();
            // The process makes a watch, sends a message to a name and makes a request. It is
            // possible that net_kernel has seen none of them.
            fika::net::monitor_node(&name, true).unwrap();
            let asks = {
                let name = name.clone();
                spawn(async move { send(me, (ping(&name).await == PingAnswer::Pong, 0_u8)) })
            };
            let net_kernel = whereis("net_kernel").unwrap();
            let ended = monitor(net_kernel);
            exit_process(net_kernel, ExitReason::Kill);
            assert_eq!(down(ended).await, ExitReason::Killed);
            receive! {
                (pong, 0): (bool, u8) => assert!(pong, "{name}"),
                after LIMIT => panic!("{asks} got no answer"),
            }
            assert_answers(spawn_on(&name, answerer()).await, n).await;
            assert_ne!(whereis("net_kernel"), Some(net_kernel));
            none!(NodeDown);
            disconnect_node(&name).await;
            assert_eq!(nodedown(&name).await.node.as_str(), name);
        }
    });
}

/// A net_kernel that is restarted continues with the ticktime that the program has set.
#[test]
fn the_ticktime_outlives_net_kernel() {
    let node = Place::new().node("node");
    node.block_on(async move {
        let time = Duration::from_secs(1234);
        let set = set_net_ticktime(time, Duration::ZERO).await.unwrap();
        assert_eq!(set, SetTicktime::ChangeInitiated);
        let clock = support::Clock::new();
        while get_net_ticktime().await.unwrap() != NetTicktime::Is(time) {
            assert!(clock.elapsed() < LIMIT, "the transition does not end");
        }
        let net_kernel = whereis("net_kernel").unwrap();
        let ended = monitor(net_kernel);
        exit_process(net_kernel, ExitReason::Kill);
        assert_eq!(down(ended).await, ExitReason::Killed);
        assert_eq!(get_net_ticktime().await.unwrap(), NetTicktime::Is(time));
    });
}

/// The log says which service has ended, and that it was restarted.
#[test]
fn restarts_are_logged() {
    let place = Place::new();
    let there = place.os("there").start();
    let node = place.node("node");
    let name = place.name("there");
    node.block_on(async move {
        spawn_on(&name, kills_net_kernel()).await;
    });
    there.await_log("is restarted: the node keeps its name", 1);
    there.await_log("net_kernel", 1);
    // A member's forbidden attempts are logged, too.
    let name = place.name("there");
    let pid = remote_net_kernel(&node, name);
    node.block_on(async move { exit_process(pid, ExitReason::Kill) });
    there.await_log("must not do this to a process of the runtime", 1);
    assert_eq!(ping_from(&node, place.name("there")), PingAnswer::Pong);
}

fn ping_from(node: &TestNode, name: String) -> PingAnswer {
    node.block_on(async move { ping(name).await })
}

#[remote]
async fn kills_net_kernel() {
    exit_process(whereis("net_kernel").unwrap(), ExitReason::Kill);
}

#[remote]
async fn reports_net_kernel(to: Pid) {
    // The pid may be of the next process, which is about to get the name.
    let clock = support::Clock::new();
    let pid = loop {
        assert!(clock.elapsed() < LIMIT);
        if let Some(pid) = whereis("net_kernel") {
            break pid;
        }
        yield_now().await;
    };
    send(to, pid);
}

fn remote_net_kernel(node: &TestNode, name: String) -> Pid {
    node.block_on(async move {
        spawn_on(&name, reports_net_kernel(self_pid())).await;
        next!(Pid)
    })
}
