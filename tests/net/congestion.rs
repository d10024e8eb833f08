//! Congested connections: which processes are suspended, which are not, and how the congestion ends
//! (BUSY-1 to BUSY-4, BUSY-8, BUSY-9). OTP's own cases are in `otp/`.

use crate::support;

use fika::inspect::{Status, info, is_process_alive};
use fika::message::{Reference, SendOpts, alias, send_with, try_send};
use fika::net::{BusyDist, SystemMonitor, disconnect_node, system_monitor};
use fika::prelude::*;
use fika::process::{
    SpawnOpts, SpawnReply, spawn_link_on, spawn_monitor_on, spawn_request_on, unlink, yield_now,
};
use fika_net::Distribution;
use support::valve::{Stops, Valve};
use support::{LIMIT, Place, TestNode, answerer, assert_answers, down};

/// Small enough for one piece, so that later messages of other senders don't overtake it.
const BYTES: usize = 8 << 10;

/// Receives messages until this much has arrived, and reports how many messages there were.
async fn sink() {
    let mut taken = 0_u64;
    loop {
        receive! {
            (n, _): (u64, Vec<u8>) => {
                assert_eq!(n, taken, "in order");
                taken += 1;
            }
            from: Pid => send(from, taken),
        }
    }
}

/// Sends messages forever.
async fn filler(sink: Pid) {
    for n in 0_u64.. {
        send(sink, (n, vec![7_u8; BYTES]));
        yield_now().await;
    }
}

async fn busy(process: Pid) -> BusyDist {
    receive! {
        BusyDist { pid, node, connection } if pid == process => BusyDist { pid, node, connection },
        after LIMIT => panic!("{process} was not suspended"),
    }
}

async fn watch() {
    system_monitor(SystemMonitor::new(self_pid()).busy_dist());
}

struct World {
    place: Place,
    here: TestNode,
    there: TestNode,
    valve: Valve,
}

impl World {
    fn new() -> World {
        let (place, valve) = (Place::new(), Valve::new(Stops::Writes));
        let here = TestNode::of(valve.on(place.builder("here")));
        let there = place.node("there");
        World { place, here, there, valve }
    }
}

/// BUSY-3: a message is not sent if it would suspend the sender, or if there is no connection. It
/// is returned.
#[test]
fn nosuspend_and_noconnect() {
    let World { place, here, there, valve } = World::new();
    let taker = there.spawn(sink()).unwrap();
    let name = place.name("there");
    here.block_on(async move {
        let noconnect = SendOpts::new().noconnect();
        let refused = send_with(taker, 1_u64, noconnect).unwrap_err();
        assert!(refused.is_noconnect() && !refused.is_busy());
        assert_eq!(refused.into_message(), Some(1));
        let refused = send_with(("nobody", &*name), 2_u64, noconnect.nosuspend()).unwrap_err();
        assert!(refused.is_noconnect());
        assert!(nodes().is_empty());
        // A connection is not required.
        send_with(taker, (0_u64, Vec::<u8>::new()), SendOpts::new().nosuspend()).unwrap();
        assert_eq!(connect_node(&name).await, Some(true));
        send_with(taker, (1_u64, Vec::<u8>::new()), noconnect).unwrap();

        watch().await;
        valve.close();
        let me = self_pid();
        let sender = spawn(async move {
            let mut sent = 2_u64;
            let refused = loop {
                match try_send(taker, (sent, vec![7_u8; BYTES])) {
                    Ok(()) => sent += 1,
                    Err(refused) => break refused,
                }
                yield_now().await;
            };
            assert!(refused.is_busy() && !refused.is_full() && !refused.is_noconnect());
            assert_eq!(refused.into_message().unwrap().0, sent);
            let refused = send_with(taker, 9_u64, SendOpts::new().nosuspend()).unwrap_err();
            assert!(refused.is_busy());
            send(me, sent);
            // A send on this node is not affected.
            send_with(me, 5_u8, SendOpts::new().nosuspend().noconnect()).unwrap();
        });
        let sent = next!(u64);
        assert_eq!(next!(u8), 5);
        none!(BusyDist);
        assert!(!is_process_alive(sender).await, "it never waits");
        valve.open();
        send(taker, self_pid());
        assert_eq!(next!(u64), sent, "what was refused was not sent");
    });
}

/// BUSY-2, BUSY-4: a suspended sender answers requests and can be killed, and others continue.
#[test]
fn a_suspended_sender_is_killed() {
    let World { here, there, valve, .. } = World::new();
    let taker = there.spawn(sink()).unwrap();
    here.block_on(async move {
        watch().await;
        send(taker, (0_u64, Vec::<u8>::new()));
        send(taker, self_pid());
        next!(u64);
        valve.close();
        let (sender, end) = spawn_monitor(async move {
            for n in 1_u64.. {
                send(taker, (n, vec![7_u8; BYTES]));
                yield_now().await;
            }
        });
        let event = busy(sender).await;
        assert!(event.node.as_str().starts_with("there@"));
        assert_eq!(info::status(sender).await, Some(Status::Suspended));
        assert_answers(spawn(answerer()), 1).await;
        exit_process(sender, ExitReason::Kill);
        assert_eq!(down(end).await, ExitReason::Killed);
        valve.open();
    });
}

/// BUSY-4: when the connection is lost, a suspended sender continues as if its message was sent.
#[test]
fn a_suspended_sender_resumes_when_the_connection_is_lost() {
    let World { place, here, there, valve } = World::new();
    let taker = there.spawn(sink()).unwrap();
    let name = place.name("there");
    here.block_on(async move {
        watch().await;
        assert_eq!(connect_node(&name).await, Some(true));
        valve.close();
        let me = self_pid();
        let sender = spawn(async move {
            let mut n = 0_u64;
            loop {
                send(taker, (n, vec![7_u8; BYTES]));
                n += 1;
                receive! {
                    (): () => return send(me, n),
                    after Duration::ZERO => {}
                }
            }
        });
        busy(sender).await;
        send(sender, ());
        none!(u64);
        assert_eq!(disconnect_node(&name).await, Some(true));
        assert!(next!(u64) > 0);
    });
}

/// BUSY-8: a message that was sent is written whole, although its sender ended before its first
/// piece could be written. So are the signals to the sender's links that come after it.
#[test]
fn a_large_message_outlives_its_sender() {
    for case in ["killed", "ended by itself", "panicked"] {
        let World { here, there, valve, .. } = World::new();
        let (tx, rx) = std::sync::mpsc::channel();
        let taker = there.spawn(async move {
            trap_exit(true);
            let from = next!(Pid);
            send(from, ());
            for _ in 0..2 {
                let come = receive! {
                    message: fika::message::Bytes => Err(message),
                    Exit { reason, .. } => Ok(reason),
                    after LIMIT => panic!("nothing came"),
                };
                tx.send(come).unwrap();
            }
        });
        let taker = taker.unwrap();
        let large: Vec<u8> = (0..4_u32 << 20).map(|n| (n % 251) as u8).collect();
        let message = fika::message::Bytes::from(large.clone());
        let reason = here.block_on(async move {
            watch().await;
            let closes = valve.clone();
            let (sender, end) = spawn_monitor(async move {
                link(taker);
                send(taker, self_pid());
                next!(());
                closes.close();
                send(taker, message);
                match case {
                    "killed" => yield_now().await,
                    "panicked" => panic!("behind a large message"),
                    _ => {}
                }
            });
            if case == "killed" {
                busy(sender).await;
                exit_process(sender, ExitReason::Kill);
            }
            let reason = down(end).await;
            valve.open();
            reason
        });
        let come = rx.recv_timeout(LIMIT).unwrap().expect_err("the message comes first");
        assert!(come == large, "{case}: {} of {} bytes", come.len(), large.len());
        assert_eq!(rx.recv_timeout(LIMIT).unwrap(), Ok(reason), "{case}");
    }
}

/// BUSY-2: a process that has sent to two congested nodes waits for both, and for no third node.
#[test]
fn a_sender_waits_for_each_congested_node_it_sent_to() {
    let valve = Valve::new(Stops::Writes);
    let here = TestNode::of(valve.on(Place::new().builder("here")));
    // Each node has an address of its own, to which the valve can be closed.
    let places = [Place::new(), Place::new(), Place::new()];
    let [first, second, _] = places.map(|place| place.ip);
    let there = places.map(|place| place.node("there"));
    let takers = there.each_ref().map(|node| node.spawn(sink()).unwrap());
    here.block_on(async move {
        watch().await;
        let asks = async |taker: Pid| {
            send(taker, self_pid());
            next!(u64)
        };
        for taker in takers {
            asks(taker).await;
        }
        valve.close_to(first);
        valve.close_to(second);
        for taker in &takers[..2] {
            busy(spawn(filler(*taker))).await;
        }
        let me = self_pid();
        let sender = spawn(async move {
            link(takers[0]);
            link(takers[1]);
            yield_now().await;
            send(me, 1_u64);
        });
        busy(sender).await;
        busy(sender).await;
        asks(takers[2]).await;
        valve.open_to(first);
        let taken = asks(takers[0]).await;
        while asks(takers[0]).await < taken + 100 {}
        assert_eq!(info::status(sender).await, Some(Status::Suspended));
        valve.open_to(second);
        assert_eq!(next!(u64), 1);
    });
}

/// BUSY-9: there is one system monitor. It must be alive and on this node, and is not notified
/// about itself.
#[test]
fn system_monitors() {
    let World { here, there, valve, .. } = World::new();
    let taker = there.spawn(sink()).unwrap();
    here.block_on(async move {
        let me = self_pid();
        assert_eq!(system_monitor(None), None);
        let mine = SystemMonitor::new(me).busy_dist();
        assert_eq!(system_monitor(mine), None);
        let (other, end) = spawn_monitor(answerer());
        assert_eq!(system_monitor(SystemMonitor::new(other)), Some(mine));
        for wrong in [taker, other] {
            exit_process(other, ExitReason::Kill);
            let (_, refused) = spawn_monitor(async move {
                yield_now().await;
                while is_process_alive(other).await {}
                system_monitor(SystemMonitor::new(wrong));
            });
            assert!(matches!(down(refused).await, ExitReason::Badarg(_)));
        }
        assert_eq!(down(end).await, ExitReason::Killed);
        // A process that has ended can't be the monitor.
        assert_eq!(system_monitor(mine), None);
        send(taker, (0_u64, Vec::<u8>::new()));
        send(taker, me);
        next!(u64);
        valve.close();
        spawn(async move {
            open_valve_when_suspended(me, valve).await;
        });
        for n in 1..400_u64 {
            send(taker, (n, vec![7_u8; BYTES]));
            yield_now().await;
        }
        none!(BusyDist);
        assert_eq!(system_monitor(None), Some(mine));
    });
}

async fn open_valve_when_suspended(pid: Pid, valve: Valve) {
    while info::status(pid).await != Some(Status::Suspended) {
        yield_now().await;
    }
    valve.open();
}

/// The kinds of signals in [`each_kind_of_signal_suspends_its_sender`].
const KINDS: [&str; 10] = [
    "message",
    "message to a name",
    "message to an alias",
    "exit",
    "link",
    "unlink",
    "monitor",
    "demonitor",
    "group leader",
    "request to spawn",
];

/// Reports that it is ready, sends a signal of this kind on request, and reports when it continues.
async fn acts(kind: &'static str, far: [Pid; 2], named: (&str, String), alias: Reference, me: Pid) {
    trap_exit(true);
    let [tied, other] = far;
    link(tied);
    let watch = monitor(tied);
    assert_answers(tied, 1).await;
    send(me, kind.to_owned());
    receive! { (): () => {} }
    let ask = || support::Ask { from: self_pid(), n: 2 };
    match kind {
        "message" => send(other, ask()),
        "message to a name" => send((named.0, &*named.1), ask()),
        "message to an alias" => send(alias, ask()),
        "exit" => exit_process(other, ExitReason::Normal),
        "link" => link(other),
        "unlink" => unlink(tied),
        "monitor" => drop(monitor(other)),
        "demonitor" => assert!(demonitor(watch)),
        "group leader" => fika::process::set_group_leader(self_pid(), other),
        "request to spawn" => {
            spawn_request_on(&named.1, SpawnOpts::new(), answerer());
        }
        other => panic!("no {other}"),
    }
    yield_now().await;
    send(me, kind.to_owned());
    receive! { (): () => {} }
}

/// BUSY-1: a process that sends any signal over a congested connection waits, and continues when
/// there is room.
#[test]
fn each_kind_of_signal_suspends_its_sender() {
    let World { place, here, there, valve } = World::new();
    let taker = there.spawn(sink()).unwrap();
    let far = [(); 2].map(|()| there.spawn(answerer()).unwrap());
    let node = place.name("there");
    here.block_on(async move {
        watch().await;
        let me = self_pid();
        let with_alias = there.spawn(async move {
            send(me, alias());
            answerer().await;
        });
        let to = next!(Reference);
        spawn_on(&node, support::named_answerer("named".into(), me)).await;
        next!(support::Answer);
        let actors = KINDS.map(|kind| {
            let named = ("named", node.clone());
            spawn(acts(kind, far, named, to, me))
        });
        for _ in KINDS {
            next!(String);
        }
        valve.close();
        busy(spawn(filler(taker))).await;
        for (actor, kind) in actors.iter().zip(KINDS) {
            send(*actor, ());
            println!("{kind}");
            busy(*actor).await;
            assert_eq!(info::status(*actor).await, Some(Status::Suspended), "{kind}");
        }
        none!(String);
        valve.open();
        let mut gone_on: Vec<_> = Vec::new();
        for _ in KINDS {
            gone_on.push(next!(String));
        }
        gone_on.sort();
        let mut all = KINDS.map(str::to_owned);
        all.sort();
        assert_eq!(gone_on, all);
        with_alias.unwrap();
    });
}

/// BUSY-5: the signals of the ends of processes wait outside of the output, which so keeps its
/// limit. All of them arrive when there is room.
#[test]
fn the_ends_of_processes_wait_for_room() {
    const LINKED: usize = 100;
    let World { place, here, there, valve } = World::new();
    let taker = there.spawn(sink()).unwrap();
    let name = place.name("there");
    let (told, tells) = std::sync::mpsc::channel();
    let far = there.spawn(async move {
        trap_exit(true);
        for _ in 0..LINKED {
            told.send(next!(Exit).reason).unwrap();
        }
    });
    let (far, net) = (far.unwrap(), Distribution::of(here.__runtime()).unwrap());
    here.block_on(async move {
        watch().await;
        let me = self_pid();
        let linked = [(); LINKED].map(|()| {
            spawn_monitor(async move {
                link(far);
                send(me, ());
                std::future::pending::<()>().await;
            })
        });
        for _ in linked {
            next!(());
        }
        send(taker, me);
        next!(u64);
        valve.close();
        busy(spawn(filler(taker))).await;
        let waiting = net.tables().await.output_bytes;
        assert_eq!(net.channels(), [format!("connected to {name} ({waiting} bytes wait)")]);
        for (pid, end) in linked {
            exit_process(pid, ExitReason::Kill);
            assert_eq!(down(end).await, ExitReason::Killed);
        }
        assert_eq!(net.tables().await.output_bytes, waiting);
        valve.open();
    });
    for n in 0..LINKED {
        assert_eq!(tells.recv_timeout(LIMIT), Ok(ExitReason::Killed), "{n}");
    }
}

/// Reports that it is running, and later its exit signals.
#[remote]
async fn reports(to: Pid) {
    trap_exit(true);
    send(to, ());
    receive! { Exit { from, reason } => send(to, (from, reason)) }
}

/// BUSY-5, SPAWN-6: a process that is spawned from a node to which there is no room starts at once.
/// All answers arrive when there is room.
#[test]
fn replies_to_requests_to_spawn_are_not_lost() {
    const REQUESTS: usize = 100;
    let World { place, here, there, valve } = World::new();
    let taker = there.spawn(sink()).unwrap();
    let node = place.name("here");
    here.block_on(async move {
        watch().await;
        let me = self_pid();
        connect_node(place.name("there")).await;
        valve.close();
        busy(spawn(filler(taker))).await;
        let (answered, answers) = std::sync::mpsc::channel();
        there.spawn(async move {
            let asks = |_| spawn_request_on(&node, SpawnOpts::new().monitor(), reports(me));
            let asked: Vec<Reference> = (0..REQUESTS).map(asks).collect();
            for request in asked {
                receive! {
                    SpawnReply { reference, result } if reference == request => {
                        exit_process(result.unwrap(), ExitReason::Kill);
                        answered.send(()).unwrap();
                    }
                    after LIMIT => panic!("no answer"),
                }
                assert_eq!(down(request).await, ExitReason::Killed);
            }
            answered.send(()).unwrap();
        });
        for _ in 0..REQUESTS {
            next!(());
        }
        assert!(answers.try_recv().is_err(), "there is no room for an answer");
        valve.open();
        for _ in 0..=REQUESTS {
            answers.recv_timeout(LIMIT).expect("all are answered");
        }
    });
}

/// SPAWN-7: if the connection is lost while the answer waits for room, the requester is notified.
/// So is the child, which exists and is linked.
#[test]
fn a_spawn_whose_reply_is_lost() {
    let World { place, here, there, valve } = World::new();
    let taker = there.spawn(sink()).unwrap();
    let node = place.name("here");
    here.block_on(async move {
        watch().await;
        let (me, name) = (self_pid(), place.name("there"));
        connect_node(&name).await;
        valve.close();
        busy(spawn(filler(taker))).await;
        let (tx, rx) = std::sync::mpsc::channel();
        let parent = there.spawn(async move {
            trap_exit(true);
            let asked = spawn_request_on(&node, SpawnOpts::new().link().monitor(), reports(me));
            let result = receive! {
                SpawnReply { reference, result } if reference == asked => result,
                after LIMIT => panic!("no answer"),
            };
            none!(Exit);
            none!(Down);
            tx.send(result).unwrap();
        });
        next!(());
        assert_eq!(disconnect_node(&name).await, Some(true));
        assert_eq!(next!((Pid, ExitReason)), (parent.unwrap(), ExitReason::Noconnection));
        let result = rx.recv_timeout(LIMIT).unwrap();
        assert_eq!(result, Err(fika::process::SpawnError::Noconnection));
    });
}

/// PROC-10, SPAWN-4: a full node answers a request with an error, and has room again when a process
/// ends.
#[test]
fn a_full_node_refuses_to_spawn() {
    const PROCESSES: usize = 64;
    let place = Place::new();
    let there = TestNode::of(place.builder("there").process_limit(PROCESSES));
    let name = place.name("there");
    place.node("here").block_on(async move {
        trap_exit(true);
        let first = spawn_on(&name, answerer()).await;
        assert_answers(first, 1).await;
        let mut more = Vec::new();
        while let Some(pid) = there.spawn(answerer()) {
            more.push(pid);
        }
        let processes = there.process_count();
        for _ in 0..10 {
            assert_eq!(
                fika::process::try_spawn_on(&name, answerer()).await,
                Err(fika::process::SpawnError::SystemLimit)
            );
            let none = spawn_link_on(&name, answerer()).await;
            assert_eq!(support::exit_of(none).await, ExitReason::SystemLimit);
            let (_, end) = spawn_monitor_on(&name, answerer()).await;
            assert_eq!(down(end).await, ExitReason::SystemLimit);
        }
        // The process that accepted the connection may have been about to end.
        assert!(there.process_count() <= processes, "nothing is left of them");
        let (gone, end) = (more[0], monitor(more[0]));
        send(gone, support::EndWith(ExitReason::Normal));
        assert_eq!(down(end).await, ExitReason::Normal);
        let again = spawn_on(&name, answerer()).await;
        assert_answers(again, 2).await;
        none!(Exit);
    });
}

/// BUSY-1: senders are suspended when this many bytes wait, by default and with a setting.
#[test]
fn congestion_begins_at_the_limit() {
    for (set, high) in [(None, 1 << 20), (Some((64 << 10, 128 << 10)), 128 << 10)] {
        let (place, valve) = (Place::new(), Valve::new(Stops::Writes));
        let mut builder = valve.on(place.builder("here"));
        if let Some((low, high)) = set {
            builder = builder.output_bytes(low, high);
        }
        let here = TestNode::of(builder);
        let taker = place.node("there");
        let taker = taker.spawn(sink()).unwrap();
        let name = place.name("there");
        here.block_on(async move {
            assert_eq!(connect_node(&name).await, Some(true));
            valve.close();
            let mut sent = 0;
            while try_send(taker, (sent as u64, vec![7_u8; BYTES])).is_ok() {
                sent += 1;
            }
            // The last message exceeded the limit.
            let bytes = sent * BYTES;
            assert!(bytes > high - 2 * BYTES && bytes <= high + BYTES, "{bytes} of {high}");
            valve.open();
        });
    }
}

/// BUSY-2, BUSY-7: large messages of other processes don't suspend a sender of small ones.
#[test]
fn large_messages_suspend_only_their_senders() {
    let World { here, there, valve, .. } = World::new();
    let taker = there
        .spawn(async {
            let (mut small, mut large) = (0_u64, 0_u64);
            loop {
                receive! {
                    _: String => small += 1,
                    bytes: fika::message::Bytes => large += bytes.len() as u64,
                    from: Pid => send(from, (small, large)),
                }
            }
        })
        .unwrap();
    here.block_on(async move {
        let large = || fika::message::Bytes::from(vec![7_u8; 4 << 20]);
        let small = || "small".to_owned();
        watch().await;
        send(taker, self_pid());
        assert_eq!(next!((u64, u64)), (0, 0));
        valve.close();
        let sends_large = spawn(async move {
            send(taker, large());
            yield_now().await;
            assert!(try_send(taker, small()).is_ok(), "it goes on when there is room");
        });
        busy(sends_large).await;
        let (_, end) = spawn_monitor(async move {
            for _ in 0..10 {
                send(taker, small());
                yield_now().await;
                send_with(taker, small(), SendOpts::new().nosuspend()).unwrap();
            }
            let refused = send_with(taker, large(), SendOpts::new().nosuspend()).unwrap_err();
            assert!(refused.is_busy(), "a large one would wait");
        });
        assert_eq!(down(end).await, ExitReason::Normal);
        none!(BusyDist);
        valve.open();
        // This comes after everything that was sent before, though not by this process.
        loop {
            send(taker, self_pid());
            let (small, large) = next!((u64, u64));
            if (small, large) == (21, 4 << 20) {
                break;
            }
            assert!(small <= 21 && large <= 4 << 20);
        }
    });
}
