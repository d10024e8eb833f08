//! Each message arrives at its receiver, although the test uses more names than a connection has
//! numbers for, messages in pieces, and messages that are refused.

use fika::message::try_send;
use fika::prelude::*;
use fika::sim::{Sim, seeds};
use serde::{Deserialize, Serialize};

/// How many seeds each scenario runs.
const SEEDS: u64 = if cfg!(debug_assertions) { 2 } else { 100 };

/// A connection has numbers for 2,048 names at a time.
const NAMES: usize = 2_500;

/// One in this many names is registered.
const TAKEN: usize = 50;

const MESSAGE_BYTES_MAX: usize = 20 << 10;

/// A message of this size is sent in pieces. It is checked when it is sent, and its first piece
/// leaves later.
const LARGE_BYTES: usize = 17 << 10;

#[derive(Message, Serialize, Deserialize)]
struct To {
    name: String,
    padding: String,
}

#[derive(Message, Serialize, Deserialize)]
struct Last;

fn name(n: usize) -> String {
    format!("name{n}")
}

#[test]
fn messages_reach_the_names_they_were_sent_to() {
    seeds(0..SEEDS, |seed| {
        let mut sim = Sim::on_any_network(seed);
        sim.configure(|config| config.message_bytes_max = MESSAGE_BYTES_MAX);
        let checks = sim.checks();
        let b = sim.node("b@host2", move || {
            let checks = checks.clone();
            async move {
                for name in (0..NAMES).step_by(TAKEN).map(name) {
                    let checks = checks.clone();
                    let taken = name.clone();
                    let pid = spawn(async move {
                        loop {
                            receive! {
                                To { name, .. } => {
                                    checks.hold(name == taken, || format!("{taken} is not {name}"));
                                }
                            }
                        }
                    });
                    register(name, pid).expect("it is free");
                }
                register("main", self_pid()).expect("a node has one");
                receive! { Last => {} }
                register("done", spawn(std::future::pending::<()>())).expect("a node has one");
            }
        });
        let a = sim.node("a@host1", std::future::pending::<()>);
        sim.run_until(|sim| sim.runtime(b).is_some_and(|b| b.whereis("main").is_some()), secs(60))?;
        sim.spawn(a, sender(seed));
        sim.run_until(
            |sim| sim.runtime(b).is_some_and(|b| b.whereis("done").is_some()),
            secs(600),
        )?;
        sim.finish()
    });
}

/// Sends to all names, and repeatedly to names that it has used before.
async fn sender(mut random: u64) {
    let node = "b@host2";
    let mut below = move |n: usize| {
        // Knuth's multiplier.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) as usize % n
    };
    // A message that waits for a connection would be refused later, so the sender connects first.
    while connect_node(node).await != Some(true) {
        sleep(secs(1)).await;
    }
    let mut new = 0;
    while new < NAMES {
        let n = if below(4) == 0 { below(new + 1) } else { new };
        new += usize::from(n == new);
        let name = name(n);
        if below(50) == 0 {
            let padding = "x".repeat(MESSAGE_BYTES_MAX);
            let refused = try_send((name.as_str(), node), To { name: name.clone(), padding });
            assert!(refused.is_err(), "it is too large");
        }
        let padding = if below(50) == 0 { "x".repeat(LARGE_BYTES) } else { String::new() };
        send((name.as_str(), node), To { name: name.clone(), padding });
        if below(20) == 0 {
            sleep(millis(1)).await;
        }
    }
    send(("main", node), Last);
}
