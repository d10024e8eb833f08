//! Connections that are congested: who is held up, who is not, and how it ends (BUSY-1 to
//! BUSY-4, BUSY-9). OTP's own cases are in `otp/`.

mod support;

use fika::prelude::*;
use fika::{BusyDist, SendOpts, SystemMonitor, send_with, system_monitor};
use support::valve::{Stops, Valve};
use support::{LIMIT, Place, TestNode, answerer, assert_answers, down};

/// No more than goes in one piece, so that it is not overtaken by what others send after it.
const BYTES: usize = 8 << 10;

/// Takes what comes, and says when so much has come, how many messages that was.
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

/// Sends for ever.
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

/// BUSY-3: nothing is sent where it would suspend, nor where there is no connection; the message
/// comes back.
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
        // It is no condition that there is one.
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
            // To others it does not matter.
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

/// BUSY-2, BUSY-4: a suspended sender answers for itself, is killed, and others go on.
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
        let told = busy(sender).await;
        assert!(told.node.as_str().starts_with("there@"));
        assert_eq!(info::status(sender).await, Some(Status::Suspended));
        assert_answers(spawn(answerer()), 1).await;
        exit_process(sender, ExitReason::Kill);
        assert_eq!(down(end).await, ExitReason::Killed);
        valve.open();
    });
}

/// BUSY-4: on the loss of the connection it goes on as if sent.
#[test]
fn a_suspended_sender_goes_on_when_the_connection_is_lost() {
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

/// BUSY-2: who has sent to one congested node and to another one waits for both, and for no
/// third one.
#[test]
fn a_sender_waits_for_all_that_it_has_sent_to() {
    let (place, first, second) = (Place::new(), Valve::new(Stops::Reads), Valve::new(Stops::Reads));
    let here = place.node("here");
    let there = [
        first.on(place.builder("there1")),
        second.on(place.builder("there2")),
        place.builder("there3"),
    ];
    let there = there.map(TestNode::of);
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
        first.close();
        second.close();
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
        first.open();
        let taken = asks(takers[0]).await;
        while asks(takers[0]).await < taken + 100 {}
        assert_eq!(info::status(sender).await, Some(Status::Suspended));
        second.open();
        assert_eq!(next!(u64), 1);
    });
}

/// BUSY-9: one system monitor, which lives and is of this node; it is not told of itself.
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
        // One that has ended is none.
        assert_eq!(system_monitor(mine), None);
        send(taker, (0_u64, Vec::<u8>::new()));
        send(taker, me);
        next!(u64);
        valve.close();
        spawn(async move {
            valve_opens_when_suspended(me, valve).await;
        });
        for n in 1..400_u64 {
            send(taker, (n, vec![7_u8; BYTES]));
            yield_now().await;
        }
        none!(BusyDist);
        assert_eq!(system_monitor(None), Some(mine));
    });
}

async fn valve_opens_when_suspended(who: Pid, valve: Valve) {
    while info::status(who).await != Some(Status::Suspended) {
        yield_now().await;
    }
    valve.open();
}
