//! What the faults of a simulation do, one by one.

use fika::prelude::*;
use fika::sim::{Failure, Sim, SimNode};

/// A node that looks for the first one every five seconds.
fn seeker(sim: &mut Sim, name: &str) -> SimNode {
    sim.node(name, || async {
        loop {
            connect_node("a@host1").await;
            sleep(secs(5)).await;
        }
    })
}

/// One that does so once.
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
fn a_stalled_connection_is_noticed_and_another_made() -> Result<(), Failure> {
    let mut sim = Sim::new(1);
    let [a, b] = ["a@host1", "b@host2"].map(|name| seeker(&mut sim, name));
    sim.run_until(are_connected(a, b), secs(10))?;
    sim.stall(a, b);
    sim.run_until(|sim| sim.nodes_of(b).is_empty(), secs(90))?;
    // Nothing was mended.
    sim.run_until(are_connected(a, b), secs(90))
}

#[test]
fn a_stall_that_ends_early_costs_nothing() -> Result<(), Failure> {
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
fn who_believes_in_a_half_open_connection_learns_by_sending() -> Result<(), Failure> {
    let mut sim = Sim::new(1);
    let [a, b] = ["a@host1", "b@host2"].map(|name| once(&mut sim, name));
    sim.run_until(are_connected(a, b), secs(10))?;
    sim.half_open(b, a);
    sim.run_until(|sim| sim.nodes_of(b).is_empty(), secs(1))?;
    sim.check(sim.nodes_of(a) == [b], "nobody has told it")?;
    // Its next tick, which is the one after next where it has just sent something else.
    sim.run_until(|sim| sim.nodes_of(a).is_empty(), secs(40))
}

#[test]
fn a_full_backlog_takes_nobody() -> Result<(), Failure> {
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
fn slow_packets_are_a_part_of_all() -> Result<(), Failure> {
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
fn clocks_are_ahead_from_the_start() {
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

/// While two nodes connect, either is killed after each single thing that happens.
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
