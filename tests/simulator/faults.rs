//! The effects of each fault of a simulation.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use fika::prelude::*;
use fika::sim::{Failure, Fault, Faults, Network, Reads, Sim, SimNode};
use serde::{Deserialize, Serialize};

/// Adds a node that connects to the first node every five seconds.
fn seeker(sim: &mut Sim, name: &str) -> SimNode {
    sim.node(name, || async {
        loop {
            connect_node("a@host1").await;
            sleep(secs(5)).await;
        }
    })
}

/// Adds a node that connects once.
fn once(sim: &mut Sim, name: &str) -> SimNode {
    sim.node(name, || async {
        connect_node("a@host1").await;
        receive! { (): () => {} }
    })
}

fn are_connected(a: SimNode, b: SimNode) -> impl Fn(&Sim) -> bool {
    move |sim| sim.nodes_of(a) == [b] && sim.nodes_of(b) == [a]
}

#[test]
fn a_stalled_connection_is_detected_and_replaced() -> Result<(), Failure> {
    let mut sim = Sim::new(1);
    let [a, b] = ["a@host1", "b@host2"].map(|name| seeker(&mut sim, name));
    sim.run_until(are_connected(a, b), secs(10))?;
    sim.stall(a, b);
    sim.run_until(|sim| sim.nodes_of(b).is_empty(), secs(90))?;
    // The network was not repaired.
    sim.run_until(are_connected(a, b), secs(90))
}

#[test]
fn a_short_stall_closes_no_connection() -> Result<(), Failure> {
    let mut sim = Sim::new(1);
    let [a, b] = ["a@host1", "b@host2"].map(|name| once(&mut sim, name));
    sim.run_until(are_connected(a, b), secs(10))?;
    sim.stall(a, b);
    sim.run_for(secs(20));
    sim.mend(a, b);
    let lost = sim.eventually(secs(300), |sim| !are_connected(a, b)(sim));
    sim.check(!lost, "the connection was lost")
}

#[test]
fn a_half_open_connection_is_detected_by_sending() -> Result<(), Failure> {
    let mut sim = Sim::new(1);
    let [a, b] = ["a@host1", "b@host2"].map(|name| once(&mut sim, name));
    sim.run_until(are_connected(a, b), secs(10))?;
    // The nodes' first frames to each other have arrived.
    sim.run_for(secs(1));
    sim.half_open(b, a);
    sim.run_for(secs(1));
    sim.check(sim.nodes_of(b).is_empty(), "its own connection is broken")?;
    sim.check(sim.nodes_of(a) == [b], "no event has reported it")?;
    // The node notices at its next tick, or at the one after that if it has just sent something
    // else.
    sim.run_until(|sim| sim.nodes_of(a).is_empty(), secs(40))
}

#[test]
fn a_full_backlog_accepts_no_connection() -> Result<(), Failure> {
    let mut sim = Sim::new(1);
    let a = seeker(&mut sim, "a@host1");
    sim.run_for(secs(1));
    sim.fill_backlog(a);
    let b = seeker(&mut sim, "b@host2");
    let connected = sim.eventually(secs(60), |sim| !sim.nodes_of(b).is_empty());
    sim.check(!connected, "its backlog was full")?;
    sim.drain_backlog(a);
    sim.run_until(are_connected(a, b), secs(30))
}

#[test]
fn slow_packets_delay_connecting() -> Result<(), Failure> {
    let took = |slow| {
        let mut sim = Sim::new(1);
        sim.change_network(|network| {
            network.slow = slow;
            network.slow_latency = millis(200)..=millis(300);
        });
        let [a, b] = ["a@host1", "b@host2"].map(|name| seeker(&mut sim, name));
        sim.run_until(are_connected(a, b), secs(30))?;
        Ok(sim.now())
    };
    let (none, all) = (took(0)?, took(1000)?);
    assert!(none < millis(100) && all > secs(1), "{none:?} {all:?}");
    Ok(())
}

#[test]
fn clock_skew_begins_at_the_start() {
    let mut sim = Sim::new(1);
    sim.set_clock_skew(secs(100));
    let nodes: Vec<_> = (0..5).map(|n| seeker(&mut sim, &format!("n{n}@host{n}"))).collect();
    let ahead = |sim: &Sim, node| {
        let clock = sim.runtime(node).expect("it is up").env().now().since_start();
        clock.saturating_sub(sim.now())
    };
    let before: Vec<_> = nodes.iter().map(|node| ahead(&sim, *node)).collect();
    assert!(before.iter().all(|ahead| *ahead <= secs(100)) && before[0] != before[1]);
    sim.crash(nodes[0]);
    sim.run_for(secs(10));
    sim.restart(nodes[0]);
    let after: Vec<_> = nodes.iter().map(|node| ahead(&sim, *node)).collect();
    assert_eq!(before, after);
}

/// While two nodes connect, one of them is killed after each single event.
#[test]
fn a_crash_falls_between_any_two_turns() -> Result<(), Failure> {
    for steps in 0..250 {
        let mut sim = Sim::new(steps);
        let [a, b] = ["a@host1", "b@host2"].map(|name| seeker(&mut sim, name));
        sim.run_steps(steps as usize);
        let victim = [a, b][steps as usize % 2];
        sim.crash(victim);
        sim.restart(victim);
        sim.run_until(are_connected(a, b), secs(60))?;
    }
    Ok(())
}

/// Adds a node that only listens.
fn idle(sim: &mut Sim, name: &str) -> SimNode {
    sim.node(name, || async {
        register("main", self_pid()).unwrap();
        receive! { (): () => {} }
    })
}

/// Makes two connected nodes, which do not connect again.
fn pair(sim: &mut Sim) -> Result<[SimNode; 2], Failure> {
    let nodes = [idle(sim, "a@host1"), once(sim, "b@host2")];
    sim.run_until(are_connected(nodes[0], nodes[1]), secs(10))?;
    Ok(nodes)
}

/// Counts the messages that arrive.
#[derive(Message, Serialize, Deserialize)]
#[message(tag = "test::faults::Number")]
struct Number(u64);

fn counter(sim: &mut Sim, node: SimNode) -> Arc<AtomicU64> {
    let count = Arc::new(AtomicU64::new(0));
    let counts = count.clone();
    sim.spawn(node, async move {
        register("counter", self_pid()).unwrap();
        loop {
            receive! { Number(n) => counts.fetch_add(n, Ordering::Relaxed) };
        }
    });
    sim.run_for(millis(1));
    count
}

fn say(sim: &mut Sim, from: SimNode, to: SimNode) {
    let to = sim.name(to).clone();
    sim.spawn(from, async move { send(("counter", &to), Number(1)) });
}

#[test]
fn both_ends_notice_a_reset_at_once() -> Result<(), Failure> {
    let mut sim = Sim::new(1);
    let [a, b] = pair(&mut sim)?;
    sim.reset(a, b);
    sim.run_until(|sim| sim.nodes_of(a).is_empty() && sim.nodes_of(b).is_empty(), millis(1))
}

#[test]
fn a_cut_in_one_direction_leaves_the_other_open() -> Result<(), Failure> {
    let mut sim = Sim::new(1);
    let [a, b] = pair(&mut sim)?;
    let [at_a, at_b] = [a, b].map(|node| counter(&mut sim, node));
    sim.cut(a, b);
    say(&mut sim, a, b);
    say(&mut sim, b, a);
    sim.run_for(secs(10));
    assert_eq!((at_a.load(Ordering::Relaxed), at_b.load(Ordering::Relaxed)), (1, 0));
    // One node hears nothing for the whole ticktime, and closes the connection. The other node
    // hears that.
    sim.run_until(|sim| sim.nodes_of(b).is_empty(), secs(90))?;
    sim.run_until(|sim| sim.nodes_of(a).is_empty(), secs(1))?;
    sim.check(at_b.load(Ordering::Relaxed) == 0, "it got through")
}

#[test]
fn a_short_partition_only_delays() -> Result<(), Failure> {
    let mut sim = Sim::new(1);
    let [a, b] = pair(&mut sim)?;
    let at_b = counter(&mut sim, b);
    sim.partition([a], [b]);
    say(&mut sim, a, b);
    sim.run_for(secs(10));
    assert_eq!(at_b.load(Ordering::Relaxed), 0);
    sim.heal();
    sim.run_until(|_| at_b.load(Ordering::Relaxed) == 1, secs(2))?;
    sim.check(are_connected(a, b)(&sim), "the connection was lost")
}

#[test]
fn cutting_one_link_of_a_mesh_keeps_the_others() -> Result<(), Failure> {
    let mut sim = Sim::new(1);
    let [a, b, c] = ["a@host1", "b@host2", "c@host3"].map(|name| once(&mut sim, name));
    let all = [a, b, c];
    sim.run_until(|sim| all.iter().all(|node| sim.nodes_of(*node).len() == 2), secs(10))?;
    sim.partition([a], [b]);
    sim.run_until(|sim| sim.nodes_of(a) == [c] && sim.nodes_of(b) == [c], secs(90))?;
    sim.run_for(secs(300));
    sim.check(sim.nodes_of(c) == [a, b], "a link was cut that was whole")
}

#[test]
fn a_restarted_node_is_a_new_life() -> Result<(), Failure> {
    let mut sim = Sim::new(1);
    let [a, b] = pair(&mut sim)?;
    let old = sim.run_on(b, secs(1), async { self_pid() })?;
    let at_b = counter(&mut sim, b);
    let pid = sim.runtime(b).unwrap().whereis("counter").unwrap();
    sim.crash(b);
    sim.run_until(|sim| sim.nodes_of(a).is_empty(), millis(1))?;
    sim.restart(b);
    sim.run_until(are_connected(a, b), secs(10))?;
    let new = sim.run_on(b, secs(1), async { self_pid() })?;
    assert_eq!(new.node().name(), old.node().name());
    assert_ne!(new.node().creation(), old.node().creation());
    // A message to a process of an earlier life reaches no process, even one in the same slot.
    let again = counter(&mut sim, b);
    let reason = sim.run_on(a, secs(10), async move {
        send(pid, Number(1));
        let monitor = monitor(pid);
        receive! { Down { monitor: of, reason, .. } if of == monitor => reason }
    })?;
    assert_eq!(reason, ExitReason::Noproc);
    assert_eq!((at_b.load(Ordering::Relaxed), again.load(Ordering::Relaxed)), (0, 0));
    Ok(())
}

#[test]
fn a_power_loss_sends_nothing() -> Result<(), Failure> {
    let mut sim = Sim::new(1);
    let [a, b] = pair(&mut sim)?;
    sim.lose_power(b);
    let noticed = sim.eventually(secs(40), |sim| sim.nodes_of(a).is_empty());
    sim.check(!noticed, "an event has reported it")?;
    sim.run_until(|sim| sim.nodes_of(a).is_empty(), secs(40))
}

#[test]
fn the_clock_of_a_paused_node_keeps_running() -> Result<(), Failure> {
    let mut sim = Sim::new(1);
    let [a, b] = pair(&mut sim)?;
    let woken = Arc::new(Mutex::new(None));
    let wakes = woken.clone();
    sim.spawn(b, async move {
        let env = self_node().env().clone();
        let start = env.now();
        sleep(secs(3)).await;
        *wakes.lock().unwrap() = Some(env.now().since_start() - start.since_start());
    });
    sim.run_for(secs(1));
    sim.pause(b);
    sim.run_for(secs(9));
    assert_eq!(*woken.lock().unwrap(), None);
    sim.resume(b);
    sim.run_for(millis(1));
    let after = woken.lock().unwrap().expect("its time is over");
    assert!(after > millis(9_990) && after < millis(10_010), "{after:?}");
    // The pause was too short for the peer to give the node up.
    sim.run_for(secs(200));
    sim.check(are_connected(a, b)(&sim), "the connection was lost")
}

#[test]
fn a_clock_jump_fires_due_timers() -> Result<(), Failure> {
    let mut sim = Sim::new(1);
    let nodes = pair(&mut sim)?;
    let woken: Vec<_> = nodes
        .iter()
        .map(|node| {
            let woken = Arc::new(AtomicU64::new(0));
            let wakes = woken.clone();
            sim.spawn(*node, async move {
                sleep(secs(3600)).await;
                wakes.store(1, Ordering::Relaxed);
            });
            woken
        })
        .collect();
    let has_woken = |n: usize| woken[n].load(Ordering::Relaxed) == 1;
    sim.run_for(secs(1));
    sim.jump_clock(nodes[0], secs(3600));
    sim.run_for(millis(1));
    assert!(has_woken(0) && !has_woken(1));
    sim.run_for(secs(3600));
    assert!(has_woken(1));
    Ok(())
}

#[test]
fn setting_the_wall_clock_does_not_affect_timers() {
    let mut sim = Sim::new(1);
    let a = idle(&mut sim, "a@host1");
    let wall = |sim: &Sim| sim.runtime(a).unwrap().env().wall();
    let now = |sim: &Sim| sim.runtime(a).unwrap().env().now();
    let before = (wall(&sim), now(&sim));
    sim.set_wall_clock(a, before.0 - secs(1000));
    assert_eq!((wall(&sim), now(&sim)), (before.0 - secs(1000), before.1));
    sim.crash(a);
    sim.restart(a);
    sim.run_for(secs(1));
    assert_eq!(wall(&sim), before.0 - secs(999));
}

#[test]
fn clocks_drift() -> Result<(), Failure> {
    let mut sim = Sim::new(1);
    sim.set_clock_drift(1000);
    let nodes: Vec<_> = (0..8).map(|n| idle(&mut sim, &format!("n{n}@host{n}"))).collect();
    sim.run_for(secs(1));
    let mut times = Vec::new();
    for node in nodes {
        let start = sim.now();
        sim.run_on(node, secs(2000), async { sleep(secs(1000)).await })?;
        times.push(sim.now() - start);
    }
    assert!(times.iter().all(|time| *time > millis(998_900) && *time < millis(1_001_100)));
    assert!(times.iter().any(|time| *time < millis(999_900)), "{times:?}");
    assert!(times.iter().any(|time| *time > millis(1_000_100)), "{times:?}");
    Ok(())
}

/// Returns how long a megabyte takes on such a network.
fn megabyte(change: impl FnOnce(&mut Network)) -> Result<Duration, Failure> {
    let mut sim = Sim::new(1);
    let [a, b] = pair(&mut sim)?;
    sim.change_network(change);
    let (count, to) = (counter(&mut sim, b), sim.name(b).clone());
    let start = sim.now();
    sim.spawn(a, async move {
        send(("counter", &to), Bulk("x".repeat(1 << 20)));
        send(("counter", &to), Number(1));
    });
    sim.run_until(|_| count.load(Ordering::Relaxed) == 1, secs(200))?;
    Ok(sim.now() - start)
}

#[derive(Message, Serialize, Deserialize)]
#[message(tag = "test::faults::Bulk")]
struct Bulk(String);

#[test]
fn bandwidth_is_limited() -> Result<(), Failure> {
    let quick = megabyte(|_| {})?;
    let slow = megabyte(|network| network.bandwidth = 100_000)?;
    assert!(quick < millis(20), "{quick:?}");
    assert!(slow > secs(10) && slow < secs(12), "{slow:?}");
    Ok(())
}

#[test]
fn messages_arrive_whole_from_pieces_of_any_length() -> Result<(), Failure> {
    for reads in [Reads::Bytes, Reads::Pieces] {
        megabyte(|network| (network.reads, network.short_writes) = (reads, 500))?;
    }
    Ok(())
}

/// The choices of the seed are printed, so that the run need not be repeated to know them.
#[test]
fn a_failure_lists_the_faults() {
    let mut said = BTreeSet::new();
    for seed in 0..40 {
        let mut sim = Sim::on_any_network(seed);
        for n in 0..3 {
            seeker(&mut sim, &format!("n{n}@host{n}"));
        }
        sim.run_with_some_faults(secs(60), &Fault::ALL);
        let text = sim.failure("it was asked for").to_string();
        assert!(text.contains("Network { latency: ") && text.contains("clocks ahead by up to "));
        let faults =
            text.lines().find(|line| line.contains("Faults { kinds: [")).expect("there are");
        said.extend(
            Fault::ALL
                .map(|kind| format!("{kind:?}"))
                .into_iter()
                .filter(|kind| faults.contains(kind)),
        );
    }
    assert_eq!(said.len(), Fault::ALL.len(), "{said:?}");
}

/// Each kind of fault occurs, is logged, and is undone at the end.
#[test]
fn each_kind_of_fault_occurs_and_is_undone() -> Result<(), Failure> {
    let lines = [
        (Fault::Crash, "crashes"),
        (Fault::PowerLoss, "loses power"),
        (Fault::Pause, "is paused"),
        (Fault::Partition, "cut from"),
        (Fault::Link, "cut from"),
        (Fault::Reset, "reset between"),
        (Fault::Stall, "stalled between"),
        (Fault::HalfOpen, "half open"),
        (Fault::Backlog, "the backlog of"),
        (Fault::ClockJump, "the clock of"),
        (Fault::Weather, "Network {"),
    ];
    assert_eq!(lines.map(|(kind, _)| kind), Fault::ALL);
    for (kind, line) in lines {
        let mut sim = Sim::new(3);
        sim.keep_log();
        // A node that has lost a peer must connect to it again itself. The others do not know about
        // it.
        let names = ["a@host1", "b@host2", "c@host3"];
        let nodes = names.map(|name| {
            sim.node(name, move || async move {
                loop {
                    for other in names {
                        connect_node(other).await;
                    }
                    sleep(secs(5)).await;
                }
            })
        });
        let faults = Faults { every: secs(5), ..Faults::of(&[kind]) };
        sim.run_with_faults(secs(100), &faults);
        let log = sim.log();
        let struck = log.lines().filter(|of| of.contains("== ") && of.contains(line)).count();
        assert!(struck > 3, "{kind:?} has struck {struck} times");
        let ways = [(0, 1), (0, 2), (1, 2)].map(|(a, b)| (nodes[a], nodes[b]));
        sim.run_until(
            |sim| {
                ways.iter().all(|(a, b)| sim.nodes_of(*a).contains(b))
                    && nodes.iter().all(|node| sim.is_up(*node))
            },
            secs(200),
        )?;
        assert!(sim.log().contains("== all is mended"));
    }
    Ok(())
}
