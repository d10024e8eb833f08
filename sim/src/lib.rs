//! Deterministic simulation of fika clusters, for tests: many nodes in one thread, on a simulated
//! clock and a simulated network that can lose and delay packets and cut paths. A seed decides
//! everything random.
//!
//! The nodes are real: the same processes, signals, timers, `net_kernel`, port mapper and protocol.
//! Only what lies below them is simulated: the clock, the random source, the scheduler's choices,
//! and the sockets. So a test of a cluster can wait for an hour in a few milliseconds, and a seed
//! gives the same run each time.
//!
//! ```
//! use std::time::Duration;
//!
//! use fika_sim::{Failure, Sim};
//!
//! # fn main() -> Result<(), Failure> {
//! let app = || async {
//!     // The main process of a node. It does not know that it is simulated.
//!     fika_net::connect_node("a@host1").await;
//!     std::future::pending::<()>().await;
//! };
//! let mut sim = Sim::new(42);
//! let a = sim.node("a@host1", app);
//! let b = sim.node("b@host2", app);
//! sim.run_until(|sim| sim.nodes_of(a).contains(&b), Duration::from_secs(5))?;
//! sim.partition([a], [b]);
//! sim.run_for(Duration::from_secs(90));
//! assert!(sim.nodes_of(a).is_empty());
//! sim.heal();
//! sim.crash(b);
//! sim.restart(b);
//! sim.run_until(|sim| sim.nodes_of(a).contains(&b), Duration::from_secs(30))?;
//! // Checks that nothing is left over.
//! sim.finish()
//! # }
//! ```
//!
//! # Time
//! All times are on the simulation's own clock. It starts at 0 with each [`Sim`], and at 2026-01-01
//! as wall time. A turn of a process takes up to 4 µs on this clock, however much the process
//! computes. When no process can run, the clock moves to the next event. So waiting costs nothing,
//! and the real time of a run is that of its turns: a few microseconds for each.
//!
//! Time passes only in `run_for`, `run_steps`, `run_until`, `eventually`, `run_on`, `run_main`,
//! `run_with_faults`, `run_with_some_faults`, `census`, `settle`, `rest` and `finish`. Everything
//! that a scenario does to the cluster between these calls happens at one moment, between two
//! turns.
//!
//! # What is simulated
//!
//! | | |
//! |---|---|
//! | scheduling | the simulation chooses the node that has the next turn, and one of its ready processes; a node's processes never run at the same time, and priorities do not matter |
//! | clocks | `Env::now` and `Env::wall` of each node; [`Sim::set_clock_skew`], [`Sim::set_clock_drift`], [`Sim::jump_clock`] and [`Sim::set_wall_clock`] make them wrong |
//! | randomness | `Env::random` and `Env::secure_random`, both of which are predictable in a simulation |
//! | hosts | the part of a node's name after the `@`; nodes with the same host share its port mapper, its power and its network path |
//! | the network | latency, bandwidth, loss, split reads and writes, and the bytes in flight: [`Network`] |
//! | faults | crash, loss of power, pause, partition, a path cut in one direction, reset, a stalled or half-open connection, a full backlog, a clock that jumps. Each is a method of [`Sim`], and [`Sim::run_with_faults`] causes them at random |
//!
//! The network behaves as TCP does: bytes arrive in order, once, or the connection breaks. A cut
//! path delays packets. A node notices only by its own timeout, as with an unplugged cable.
//!
//! # How large a cluster may be
//! Measured with `examples/sim_scale.rs`, in a release build, on a virtual machine with two cores,
//! of which a simulation uses one:
//!
//! | cluster | real time until all are connected | real time for one more minute, with ticks | memory |
//! |---|---|---|---|
//! | 256 nodes in a full mesh (32,640 connections) | 16 s (6 s simulated) | 2.1 s | 0.8 GiB |
//! | 1,000 nodes with about ten connections each | 1.2 s (5 s simulated) | 0.6 s | 0.2 GiB |
//!
//! A connection with its two ends takes about 24 KiB, and a node about 50 KiB. [`Sim::run_until`]
//! evaluates its condition after each step. If a condition looks at all nodes, that takes longer
//! than the step itself. So in a large cluster, test the condition now and then, between calls of
//! [`Sim::run_for`].
//!
//! # What is not simulated
//! Threads, files and sockets of the program's own, and the operating system's clock and random
//! source work, but give different results in each run. So a simulated program must follow these
//! rules:
//!
//! - It asks its node for time and randomness (`self_node().env()`, `sleep`, `receive!` with
//!   `after`), not `Instant::now` or a random generator with its own seed.
//! - It decides nothing by the order of a `HashMap`, whose hash has a random key. A `BTreeMap` has
//!   the same order each time.
//! - It makes no call that waits for something outside of the simulation. A turn that takes longer
//!   than half a second is reported with the name of its process ([`Sim::blocked`]). Calls of
//!   `spawn_blocking` run one at a time, between turns.
//! - It keeps nothing in statics that another run would find. State that survives a crash of a
//!   node, such as its disk, belongs to the scenario: an `Arc` that the closure given to
//!   [`Sim::node`] passes to each life.
//!
//! # What is checked
//! Every simulation observes its nodes and checks the following. The first violation fails the next
//! `run_until`, `run_on`, `census`, `settle`, `rest`, `verdict` or `finish`:
//!
//! | | |
//! |---|---|
//! | order | signals from one process to another process on another node arrive in order, once, and unchanged |
//! | connections | no signal arrives over a connection after its loss was reported; `nodeup` and `nodedown` alternate; both ends agree on each other's life; no node rejects the bytes of another |
//! | lives | no signal reaches another life of a node than the one it was sent to, and none comes from an earlier life |
//! | processes | a process starts once and ends once |
//! | monitors | a monitor gives at most one `Down`, and does not end without one |
//! | requests to spawn | a request gets at most one answer |
//! | queues | the output that waits on a connection stays below its limit |
//!
//! [`Sim::finish`] ends a simulation and finds what is left over: connections of which only one end
//! exists, signals that have not arrived, and relations that one end does not know. It also finds
//! unused entries in the tables of a node. `#[fika::test(sim)]` calls it by itself. A scenario adds
//! its own checks with [`Sim::checks`].
//!
//! # Seeds, failures and logs
//! [`seeds`] runs a scenario for many seeds, and panics with the [`Failure`] of the first one that
//! fails; [`first_failure`] returns that failure. A failure has the seed, the last lines of the
//! log, the quality of the network, and a command that runs the seed again. `FIKA_SIM_SEEDS=1000`
//! runs 1000 seeds.
//!
//! The command sets `FIKA_SIM_SEED`. Then only this seed is run, and the whole log is written to
//! cargo's `target/sim`, to a file named after the program and the test. The command enables only
//! default features: add those that your test needs. A simulation that ends by a panic, such as
//! that of an `assert!`, prints the same.
//!
//! A failure also has the simulation's [`trace_hash`](Sim::trace_hash). If the next run has the
//! same hash, it was the same run. With `FIKA_SIM_TRACE=1` every simulation prints its hash, so
//! that programs can be compared.
//!
//! A line of the log has the time in seconds, the node or host, the process with its name if it
//! has one, and the event:
//!
//! ```text
//!      0.001310  host2         network :32770        is connected to host1:32768
//!      0.002217  a@host1       net_kernel <1.0>      -- nodeup node=b@host2
//!      5.000000  == cut from a@host1 to b@host2
//!      5.000412  a@host1       votes <0.0>           <- Counted
//!      5.000413  a@host1       votes <0.0>           runs
//! ```
//!
//! | mark | event |
//! |---|---|
//! | `<-` | a message, shown by its type, or another signal enters the process's queue |
//! | `==` | the scenario or a fault does something to the cluster |
//! | `--` | the program or fika reports something through `tracing` at `INFO` or above, such as `nodeup` and `nodedown` |
//! | `runs` | the process has a turn; only in the whole log |
//!
//! The report of a failure shows the lines of the program and of the cluster. The lines of fika's
//! own processes (`net_kernel` and its children, the port mapper, sockets) are only in the whole
//! log, unless `FIKA_SIM_RUNTIME=1` is set.
//!
//! A seed gives the same run only as long as neither fika nor the program changes. A change that
//! draws one more random number gives another run.

#![forbid(unsafe_code)]

mod blocked;
mod census;
mod checks;
mod env;
mod events;
mod failure;
mod faults;
mod finish;
mod lives;
mod log;
mod main_process;
mod missed;
mod network;
mod node;
mod order;
mod random;
mod replay;
mod seeds;
mod sim;
mod state;
mod strike;
mod time;
mod turns;
mod watch;
mod ways;

pub use blocked::Blocked;
pub use census::Census;
pub use checks::Checks;
pub use failure::Failure;
pub use faults::{Fault, Faults};
pub use network::{Network, Reads};
pub use seeds::{first_failure, seeds};
pub use sim::{Sim, SimNode};
