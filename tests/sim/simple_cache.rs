//! The cache of `examples/simple_cache` on several nodes, while everything goes wrong. Afterwards
//! all copies are equal, and contain only values that were put.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use fika::prelude::*;
use fika::sim::{Failure, Fault, Sim, seeds};
use serde::{Deserialize, Serialize};

#[allow(dead_code, reason = "nobody watches keys here")]
#[path = "../../examples/simple_cache/cache.rs"]
mod cache;

/// How many seeds each scenario runs.
const SEEDS: u64 = if cfg!(debug_assertions) { 5 } else { 300 };

const KEYS: [&str; 4] = ["a", "b", "c", "d"];

/// Tells a process to change no more keys.
#[derive(Message, Serialize, Deserialize)]
#[message(tag = "sim::simple_cache::Enough")]
struct Enough;

/// Every value that was ever put, by key.
type Puts = Arc<Mutex<BTreeSet<(String, String)>>>;

/// A copy: the value of each key.
type Copied = BTreeMap<&'static str, Option<String>>;

/// Changes keys until it is stopped.
async fn client(puts: Puts, mut random: u64, pause: Duration) {
    register("client", self_pid()).expect("a node has one");
    let here = self_node().name();
    loop {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let key = KEYS[(random >> 33) as usize % KEYS.len()];
        if random >> 60 == 0 {
            cache::del(&here, key).await;
        } else {
            // Every life of a node puts values of its own.
            let value = format!("{random} of {}", self_pid());
            puts.lock().expect("nobody panics with it").insert((key.into(), value.clone()));
            cache::put(&here, key, &value).await;
        }
        receive! {
            Enough => return,
            after pause => {}
        }
    }
}

fn member(sim: &mut Sim, n: usize, count: usize, puts: &Puts, pause: Duration) {
    let (seed, puts) = (sim.seed(), puts.clone());
    sim.node(format!("n{n}@host{n}"), move || {
        let puts = puts.clone();
        async move {
            cache::start_link().await;
            spawn(client(puts, seed * 31 + n as u64, pause));
            loop {
                for other in (0..count).filter(|other| *other != n) {
                    connect_node(format!("n{other}@host{other}")).await;
                }
                sleep(secs(2)).await;
            }
        }
    });
}

/// Returns the contents of each node's cache.
fn copies(sim: &mut Sim) -> Result<Vec<Copied>, Failure> {
    let nodes: Vec<_> = sim.nodes().collect();
    let copies = nodes.into_iter().map(|node| {
        sim.run_on(node, secs(10), async {
            let here = self_node().name();
            let mut copy = Copied::new();
            for key in KEYS {
                copy.insert(key, cache::get(&here, key).await);
            }
            copy
        })
    });
    copies.collect()
}

fn is_meshed(sim: &Sim) -> bool {
    let count = sim.nodes().count();
    sim.nodes().all(|node| sim.nodes_of(node).len() == count - 1)
}

#[test]
fn copies_agree_after_healing() {
    seeds(0..SEEDS, |seed| {
        let mut sim = Sim::on_any_network(seed);
        let count = 2 + seed as usize % 4;
        let pause = [millis(50), millis(700), secs(5)][seed as usize / 4 % 3];
        let ticktime = [secs(4), secs(16), secs(60)][seed as usize / 12 % 3];
        sim.configure(move |config| config.ticktime = ticktime);
        let puts = Puts::default();
        for n in 0..count {
            member(&mut sim, n, count, &puts, pause);
        }
        sim.run_with_some_faults(secs(100), &Fault::ALL);
        sim.run_until(is_meshed, secs(240))?;
        for node in sim.nodes() {
            sim.send(node, "client", Enough);
        }
        // The last puts are in flight. A connection that did not survive the faults may be lost and
        // made again only now.
        sim.run_for(ticktime * 2 + secs(10));
        let copies = copies(&mut sim)?;
        let same = copies.iter().all(|copy| *copy == copies[0]);
        sim.check(same, &format!("the copies differ: {copies:#?}"))?;
        let puts = puts.lock().expect("nobody panics with it");
        let was_put =
            |(key, value): (&&str, &String)| puts.contains(&((*key).to_owned(), value.clone()));
        let values = copies[0].iter().filter_map(|(key, value)| Some((key, value.as_ref()?)));
        sim.check(values.into_iter().all(was_put), "a value that nobody has put")?;
        sim.finish()
    });
}
