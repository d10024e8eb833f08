//! Thousands of processes have links and monitors over one connection, and many of them end. When
//! the connection is lost, the remaining processes are notified.

use fika::prelude::*;
use fika::sim::{Sim, seeds};

/// How many seeds each scenario runs.
const SEEDS: u64 = if cfg!(debug_assertions) { 2 } else { 50 };

const CROWD: usize = 3_000;

/// Links to and monitors processes of the other node. Ends soon, or when it is notified of the
/// loss.
async fn one_of_many(n: usize, any: u64) {
    let sink = monitor(("sink", "b@host2"));
    if !any.is_multiple_of(3) && n < CROWD / 2 {
        return sleep(millis(any % 500)).await;
    }
    receive! { Down { monitor, .. } if monitor == sink => {} }
}

#[test]
fn every_remaining_process_is_notified_of_the_loss() {
    seeds(0..SEEDS, |seed| {
        let mut sim = Sim::on_any_network(seed);
        let b = sim.node("b@host2", || async {
            register("sink", self_pid()).expect("a node has one");
            std::future::pending::<()>().await
        });
        let a = sim.node("a@host1", std::future::pending::<()>);
        let is_there =
            |sim: &Sim, node, name| sim.runtime(node).is_some_and(|of| of.whereis(name).is_some());
        sim.run_until(|sim| is_there(sim, b, "sink"), secs(60))?;
        sim.run_for(secs(5));
        let count = |sim: &Sim| sim.runtime(a).map_or(0, |of| of.process_count());
        let before = count(&sim);
        sim.spawn(a, async move {
            for n in 0..CROWD {
                spawn(one_of_many(n, seed.wrapping_add(n as u64).wrapping_mul(7_919) >> 3));
                if n % 20 == 0 {
                    sleep(millis(3)).await;
                }
            }
        });
        sim.run_for(secs(20));
        let left = count(&sim) - before;
        sim.check(left >= CROWD / 2, &format!("{left} are left"))?;
        sim.reset(a, b);
        sim.run_until(|sim| count(sim) <= before, secs(120))?;
        sim.finish()
    });
}
