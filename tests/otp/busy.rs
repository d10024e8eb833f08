//! Shared code of the cases about a congested connection: two nodes, and a valve between them.

use fika::inspect::{Status, info};
use fika::net::{BusyDist, SystemMonitor, system_monitor};
use fika::prelude::*;
use fika::process::{unlink, yield_now};
use serde::{Deserialize, Serialize};

use crate::support::valve::{Stops, Valve};
use crate::support::{EndWith, LIMIT, Place, TestNode, answerer, assert_answers, down};

/// A node that reads all the time, and a node whose output can be stopped.
pub(crate) struct Pair {
    pub(crate) here: TestNode,
    pub(crate) there: TestNode,
    pub(crate) place: Place,
    pub(crate) valve: Valve,
}

/// The size of a filler's messages. A message fits into one piece, so that later messages of other
/// senders don't overtake it.
const FILLING_BYTES: usize = 8 << 10;

impl Pair {
    pub(crate) fn new() -> Pair {
        let (place, valve) = (Place::new(), Valve::new(Stops::Writes));
        let here = TestNode::of(valve.on(place.builder("here")));
        let there = place.node("there");
        Pair { here, there, place, valve }
    }

    /// Runs `test` in a process of `here` that is the system monitor. `sink` is a process of
    /// `there` that receives everything and reports how much it has received.
    pub(crate) fn run<F: Future<Output = ()> + Send + 'static>(
        &self,
        test: impl FnOnce(Pid, Valve) -> F,
    ) {
        let sink = self.there.spawn(sink()).unwrap();
        let connected = self.place.name("there");
        self.here.block_on(async move {
            assert_eq!(connect_node(&connected).await, Some(true));
        });
        let future = test(sink, self.valve.clone());
        self.here.block_on(async move {
            system_monitor(SystemMonitor::new(self_pid()).busy_dist());
            future.await;
        });
    }
}

/// Receives the messages that fill the connection, and answers with their count.
async fn sink() {
    let mut taken = 0_u64;
    loop {
        receive! {
            _: Vec<u8> => taken += 1,
            from: Pid => send(from, taken),
        }
    }
}

/// Starts a process that sends to the sink, and waits until it is suspended. After it continues, it
/// reports on request how many messages it has sent, and ends.
pub(crate) async fn fill(sink: Pid) -> Pid {
    let filler = spawn(async move {
        let mut sent = 0_u64;
        loop {
            send(sink, vec![7_u8; FILLING_BYTES]);
            sent += 1;
            receive! {
                from: Pid => return send(from, sent),
                after Duration::ZERO => {}
            }
        }
    });
    busy(filler).await;
    filler
}

/// Checks that the filler continues, and that everything that it has sent has arrived.
pub(crate) async fn all_came(filler: Pid, sink: Pid) {
    send(filler, self_pid());
    let sent = next!(u64);
    send(sink, self_pid());
    assert_eq!(next!(u64), sent);
}

/// Waits until this process is suspended.
pub(crate) async fn busy(process: Pid) {
    receive! {
        BusyDist { pid, node, connection } if pid == process => {
            assert!(node.as_str().starts_with("there@") && connection > 0);
        }
        after LIMIT => panic!("{process} was not suspended"),
    }
    assert_eq!(info::status(process).await, Some(Status::Suspended));
}

/// Orders for a process on the other node.
#[derive(Message, Serialize, Deserialize, Debug)]
pub(crate) enum Do {
    Link(Pid),
    Unlink(Pid),
    Monitor(Pid),
    Answer(Pid, u64),
    Data(Vec<u8>),
    End(ExitReason),
}

/// Reports everything that it receives to `to`.
pub(crate) async fn puppet(to: Pid) {
    trap_exit(true);
    loop {
        receive! {
            Do::Link(pid) => link(pid),
            Do::Unlink(pid) => unlink(pid),
            Do::Monitor(pid) => {
                monitor(pid);
            }
            Do::Answer(to, n) => send(to, n),
            Do::Data(data) => send(to, data.len()),
            Do::End(reason) => exit(reason),
            exit: Exit => send(to, exit),
            down: Down => send(to, down),
        }
    }
}

/// BUSY-1, LINK-14: a process that calls `act` over a congested connection is suspended. It
/// continues when there is room, and the operation has had its effect.
pub(crate) fn suspends<F: Future<Output = ()> + Send + 'static>(
    act: impl FnOnce(Pid) + Send + 'static,
    effect: impl FnOnce(Pid, Pid) -> F + Send + 'static,
) {
    let pair = Pair::new();
    let remote = pair.there.spawn(answerer()).unwrap();
    pair.run(move |sink, valve| async move {
        valve.close();
        let filler = fill(sink).await;
        let me = self_pid();
        let actor = spawn(async move {
            trap_exit(true);
            act(remote);
            // The process continues to its next await.
            send(me, "called".to_owned());
            yield_now().await;
            send(me, "goes on".to_owned());
            receive! { exit: Exit => send(me, exit) }
        });
        busy(actor).await;
        assert_eq!(next!(String), "called");
        none!(String);
        valve.open();
        assert_eq!(next!(String), "goes on");
        all_came(filler, sink).await;
        effect(remote, actor).await;
    });
}

/// `erl_link::busy_dist_port_monitor`, BUSY-1, BUSY-5: a process that monitors over a congested
/// connection is suspended. Later, every monitor that was not removed fires.
pub(crate) fn port_monitor() {
    suspends(
        |remote| {
            monitor(remote);
        },
        |remote, _| async move { assert_answers(remote, 1).await },
    );
    // Many watchers at once: each has a monitor that it removes and a monitor that it keeps.
    let pair = Pair::new();
    let remote = pair.there.spawn(answerer()).unwrap();
    pair.run(move |sink, valve| async move {
        const WATCHERS: usize = 50;
        valve.close();
        let filler = fill(sink).await;
        let watchers: Vec<_> = (0..WATCHERS)
            .map(|_| {
                let (watcher, end) = spawn_monitor(async move {
                    let back = monitor(remote);
                    assert!(demonitor(back));
                    let stays = monitor(remote);
                    assert_eq!(down(stays).await, ExitReason::Shutdown);
                    none!(Down);
                });
                (watcher, end)
            })
            .collect();
        for (watcher, _) in &watchers {
            busy(*watcher).await;
        }
        valve.open();
        all_came(filler, sink).await;
        send(remote, EndWith(ExitReason::Shutdown));
        for (_, end) in watchers {
            assert_eq!(down(end).await, ExitReason::Normal);
        }
    });
}

/// BUSY-5: if processes with ties to the other node end over a congested connection, they end at
/// once. The other node is notified of all of them when there is room.
pub(crate) fn ends_are_told(tie: fn(Pid) -> Do) {
    const PROCESSES: usize = 100;
    let pair = Pair::new();
    let there = pair.there.clone();
    pair.run(move |sink, valve| async move {
        let remote = there.spawn(puppet(self_pid())).unwrap();
        let ends: Vec<_> = (0..PROCESSES)
            .map(|_| {
                let process = spawn_monitor(answerer());
                send(remote, tie(process.0));
                process
            })
            .collect();
        send(remote, Do::Answer(self_pid(), 1));
        assert_eq!(next!(u64), 1);
        valve.close();
        let filler = fill(sink).await;
        let reason = |pid: Pid| ExitReason::term((pid, vec![1_u8; 2000]));
        for (pid, end) in &ends {
            send(*pid, EndWith(reason(*pid)));
            assert_eq!(down(*end).await, reason(*pid), "the end itself does not wait");
        }
        valve.open();
        all_came(filler, sink).await;
        for (pid, _) in &ends {
            receive! {
                Exit { from, reason: why } if from == *pid => assert_eq!(why, reason(*pid)),
                Down { object, reason: why, .. } if object == *pid => assert_eq!(why, reason(*pid)),
                after LIMIT => panic!("the end of {pid} was not told"),
            }
        }
        none!(Exit);
        none!(Down);
    });
}

/// `signal::busy_dist_unlink_ack_signal`, LINK-14: a process that receives an unlink is not
/// suspended for its acknowledgement, which is not lost.
pub(crate) fn unlink_ack() {
    const ROUNDS: u64 = 50;
    let pair = Pair::new();
    let there = pair.there.clone();
    pair.run(move |sink, valve| async move {
        let remote = there.spawn(puppet(self_pid())).unwrap();
        let (unlinked, end) = spawn_monitor(answerer());
        send(remote, Do::Link(unlinked));
        send(remote, Do::Answer(self_pid(), 1));
        assert_eq!(next!(u64), 1);
        valve.close();
        let filler = fill(sink).await;
        for n in 0..ROUNDS {
            // Signals to a process of its own node are never congested.
            there.send(remote, Do::Unlink(unlinked)).unwrap();
            there.send(remote, Do::Link(unlinked)).unwrap();
            assert_answers(unlinked, n).await;
        }
        there.send(remote, Do::Unlink(unlinked)).unwrap();
        none!(BusyDist);
        valve.open();
        all_came(filler, sink).await;
        // All acknowledgements have arrived before this message.
        send(remote, Do::Answer(self_pid(), 2));
        assert_eq!(next!(u64), 2);
        send(unlinked, EndWith(ExitReason::Shutdown));
        assert_eq!(down(end).await, ExitReason::Shutdown);
        send(remote, Do::Answer(self_pid(), 3));
        assert_eq!(next!(u64), 3);
        none!(Exit);
        // The two processes can be linked again.
        let again = spawn(answerer());
        send(remote, Do::Link(again));
        send(remote, Do::Answer(self_pid(), 4));
        assert_eq!(next!(u64), 4);
        send(again, EndWith(ExitReason::Shutdown));
        assert_eq!(next!(Exit).from, again);
    });
}

/// Almost the size limit of a message.
pub(crate) const LARGE_BYTES: usize = 4 << 20;

/// BUSY-7: while a large message of a process is in flight to another node, a later small message
/// of another process to the same receiver arrives first.
pub(crate) fn small_comes_first<F: Future<Output = ()> + Send + 'static>(
    large: impl FnOnce(Pid) + Send + 'static,
    comes: impl FnOnce(Pid, Pid) -> F + Send + 'static,
) {
    let pair = Pair::new();
    let there = pair.there.clone();
    pair.run(move |_, valve| async move {
        let me = self_pid();
        let remote = there.spawn(puppet(me)).unwrap();
        let sender = spawn(async move {
            link(remote);
            send(remote, Do::Answer(me, 1));
            receive! { (): () => {} }
            large(remote);
            send(me, "sent".to_owned());
            receive! { (): () => {} }
        });
        assert_eq!(next!(u64), 1);
        valve.close();
        let watch = monitor(sender);
        send(sender, ());
        receive! {
            sent: String => assert_eq!(sent, "sent"),
            Down { monitor, .. } if monitor == watch => {}
        }
        spawn(async move {
            send(remote, Do::Answer(me, 2));
            send(me, 3_u8);
        });
        assert_eq!(next!(u8), 3);
        valve.open();
        // Nothing else comes before it.
        receive! {
            n: u64 => assert_eq!(n, 2),
            length: usize => panic!("{length} bytes came first"),
            exit: Exit => panic!("the exit of {} came first", exit.from),
            after LIMIT => panic!("nothing came"),
        }
        comes(remote, sender).await;
    });
}
