//! Hosts with several addresses, of both families. A node is found at each address on which it
//! listens, whichever node started first on its host. An address that does not answer costs a
//! moment.

use std::net::IpAddr;

use fika::net::disconnect_node;
use fika::prelude::*;
use fika::sim::{Sim, SimNode, seeds};

/// How many seeds each scenario runs.
const SEEDS: u64 = if cfg!(debug_assertions) { 20 } else { 1000 };

/// How long an attempt waits before the next one begins beside it (RFC 8305).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// All packets that make a connection take less than this.
const WAY: Duration = Duration::from_millis(20);

/// A sequence of numbers from a seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: usize) -> usize {
        // Knuth's multiplier.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) as usize % n
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for n in (1..items.len()).rev() {
            items.swap(n, self.below(n + 1));
        }
    }
}

fn connects(sim: &mut Sim, from: SimNode, to: &str) -> Result<bool, fika::sim::Failure> {
    let to = to.to_owned();
    sim.run_on(from, secs(60), async move {
        disconnect_node(&to).await;
        connect_node(&to).await == Some(true)
    })
}

/// Each case has the addresses of a host, where its node listens, and how many attempts time out
/// before one succeeds. An address with a `!` does not answer.
#[test]
fn addresses_that_do_not_answer() {
    let all = "[::]:0";
    let cases = [
        ("10.1.0.2", all, Some(0)),
        ("fd00::2", all, Some(0)),
        ("10.1.0.2 fd00::2", all, Some(0)),
        ("!fd00::2 10.1.0.2", all, Some(1)),
        ("!10.1.0.2 fd00::2", all, Some(1)),
        // The families alternate.
        ("!fd00::2 !fd00::3 !fd00::4 10.1.0.2", all, Some(1)),
        ("!fd00::2 !fd00::3 !10.1.0.2 10.1.0.3", all, Some(3)),
        ("!10.1.0.2 !10.1.0.3 10.1.0.4", all, Some(2)),
        // After a refusal, the next attempt begins at once.
        ("fd00::2 10.1.0.2", "10.1.0.2:0", Some(0)),
        ("10.1.0.2 fd00::2", "[fd00::2]:0", Some(0)),
        ("fd00::2 fd00::3 10.1.0.2 !10.1.0.3", "[fd00::3]:0", Some(0)),
        ("!fd00::2 10.1.0.2 fd00::3", "[fd00::3]:0", Some(1)),
        ("!fd00::2 !10.1.0.2", all, None),
        ("fd00::2 10.1.0.2", "0.0.0.0:0", Some(0)),
    ];
    for (n, (addresses, listens, attempts)) in (0..).zip(cases) {
        let mut sim = Sim::new(n);
        sim.set_addresses("here", ["10.1.0.1", "fd00::1"].map(|ip| ip.parse().unwrap()));
        let here = sim.node("a@here", std::future::pending::<()>);
        let ips = addresses.split(' ').map(|ip| ip.trim_start_matches('!').parse().unwrap());
        sim.set_addresses("there", ips);
        let dark = addresses.split(' ').filter_map(|ip| ip.strip_prefix('!'));
        dark.for_each(|ip| sim.darken(ip.parse().unwrap()));
        sim.configure(move |config| config.listen = Some(listens.parse().unwrap()));
        sim.node("b@there", std::future::pending::<()>);
        sim.run_for(secs(1));
        let began = sim.now();
        let connected = connects(&mut sim, here, "b@there").unwrap();
        let took = sim.now() - began;
        assert_eq!(connected, attempts.is_some(), "{addresses}: {}", sim.log());
        let least = attempts.map_or(secs(7), |attempts| ATTEMPT_DELAY * attempts);
        assert!((least..least + WAY).contains(&took), "{addresses}: {took:?}");
        sim.finish().unwrap();
    }
}

/// A mesh forms on hosts with any addresses in any order, even if some do not answer.
#[test]
fn a_mesh_over_any_addresses() {
    seeds(0..SEEDS, |seed| {
        let mut chance = Chance(seed);
        let mut sim = Sim::on_any_network(seed);
        let family = chance.below(2);
        let count = 2 + chance.below(4);
        let names: Vec<String> = (0..count).map(|n| format!("n{n}@host{n}")).collect();
        for n in 0..count {
            // One family exists on every host, and has an address that answers.
            let all = [format!("10.1.{n}.0"), format!("fd00::{n}:0")];
            let mut ips = vec![all[family].parse::<IpAddr>().unwrap()];
            for k in 1..=chance.below(5) {
                let ip = [format!("10.1.{n}.{k}"), format!("fd00::{n}:{k}")];
                let ip = ip[chance.below(2)].parse().unwrap();
                if chance.below(3) == 0 {
                    sim.darken(ip);
                }
                ips.push(ip);
            }
            chance.shuffle(&mut ips);
            sim.set_addresses(&format!("host{n}"), ips);
        }
        let others = names.clone();
        for name in &names {
            let others = others.clone();
            sim.node(name, move || {
                let others = others.clone();
                async move {
                    loop {
                        for name in &others {
                            connect_node(name).await;
                        }
                        sleep(secs(1)).await;
                    }
                }
            });
        }
        let is_mesh = |sim: &Sim| sim.nodes().all(|node| sim.nodes_of(node).len() == count - 1);
        sim.run_until(is_mesh, secs(60))
    });
}

/// The nodes of one host listen on loopback, on one of its addresses, or on all, and start and end
/// in any order. Another host finds each node that listens for it. Each node finds all others of
/// its host.
#[test]
fn mappers_of_one_host() {
    seeds(0..SEEDS, |seed| {
        let mut chance = Chance(seed);
        let mut sim = Sim::new(seed);
        // A node on loopback connects to another host, but only on request.
        sim.configure(|config| config.connect_all = false);
        sim.set_addresses("far", ["10.1.0.1", "fd00::1"].map(|ip| ip.parse().unwrap()));
        let far = sim.node("far@far", std::future::pending::<()>);
        let ips = ["10.1.0.2", "10.1.0.3", "fd00::2"];
        sim.set_addresses("host", ips.map(|ip| ip.parse().unwrap()));
        let places = ["127.0.0.1", "[::1]", "10.1.0.2", "10.1.0.3", "[fd00::2]", "0.0.0.0", "[::]"];
        let places: Vec<&str> = (0..5).map(|_| places[chance.below(places.len())]).collect();
        let name = |n: usize| format!("n{n}@host");
        let nodes: Vec<SimNode> = (0..places.len())
            .map(|n| {
                let listens = format!("{}:0", places[n]).parse().unwrap();
                sim.configure(move |config| config.listen = Some(listens));
                // The nodes start one after the other, or all at the same time.
                let node = sim.node(name(n), std::future::pending::<()>);
                sim.run_for(Duration::from_millis(chance.below(2) as u64 * 100));
                node
            })
            .collect();
        for _ in 0..4 {
            // Lost registrations are retried every 2 s.
            sim.run_for(secs(10));
            for (n, node) in nodes.iter().enumerate() {
                if !sim.is_up(*node) {
                    continue;
                }
                let is_far = !places[n].starts_with("127") && places[n] != "[::1]";
                let found = connects(&mut sim, far, &name(n))?;
                let what = format!("{places:?}: {n} is found from afar: {found}");
                sim.check(found == is_far, &what)?;
                for (m, other) in nodes.iter().enumerate() {
                    if m != n && sim.is_up(*other) {
                        let found = connects(&mut sim, *node, &name(m))?;
                        sim.check(found, &format!("{places:?}: {n} does not find {m}"))?;
                    }
                }
            }
            for node in &nodes {
                match (sim.is_up(*node), chance.below(3)) {
                    (true, 0) => sim.crash(*node),
                    (false, 0 | 1) => sim.restart(*node),
                    _ => {}
                }
            }
        }
        Ok(())
    });
}

/// A host gets another address, and loses one, while its nodes run. The node on loopback has the
/// first port mapper. The node on all addresses serves the new address within half a minute.
#[test]
fn a_host_changes_its_addresses() {
    let mut sim = Sim::new(0);
    sim.set_addresses("far", ["10.1.0.1", "fd00::1"].map(|ip| ip.parse().unwrap()));
    let far = sim.node("far@far", std::future::pending::<()>);
    let has = |sim: &mut Sim, ips: &[&str]| {
        sim.set_addresses("host", ips.iter().map(|ip| ip.parse().unwrap()));
    };
    has(&mut sim, &["10.1.0.2"]);
    for (name, listens) in [("loopback", "127.0.0.1:0"), ("all", "0.0.0.0:0")] {
        sim.configure(move |config| config.listen = Some(listens.parse().unwrap()));
        sim.node(format!("{name}@host"), std::future::pending::<()>);
        sim.run_for(secs(1));
    }
    assert!(connects(&mut sim, far, "all@host").unwrap());
    has(&mut sim, &["10.1.0.2", "10.1.0.3"]);
    assert!(connects(&mut sim, far, "all@host").unwrap(), "on the old one");
    has(&mut sim, &["10.1.0.3"]);
    assert!(!connects(&mut sim, far, "all@host").unwrap(), "nobody has looked yet");
    sim.run_for(secs(31));
    assert!(connects(&mut sim, far, "all@host").unwrap());
    has(&mut sim, &["10.1.0.2"]);
    sim.run_for(secs(31));
    assert!(connects(&mut sim, far, "all@host").unwrap());
}
