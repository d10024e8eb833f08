//! Clusters of fika in a box: many nodes in one thread, on a clock that only the simulation
//! moves, on a network that loses, delays and cuts, and with a seed that decides what else is
//! left to chance.
//!
//! The nodes are the real ones: the same processes, signals, timers, `net_kernel`, port mapper and
//! protocol. Only what is below them is simulated: the clock, the random source, the scheduler's
//! choice, and the sockets. So a test of a cluster can wait for an hour in some milliseconds, and a
//! seed gives the same run each time.
//!
//! ```
//! use std::time::Duration;
//!
//! use fika_sim::{Failure, Sim};
//!
//! # fn main() -> Result<(), Failure> {
//! let app = || async {
//!     // A node's main process: it knows nothing of the simulation.
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
//! // All is quiet, and nothing is left.
//! sim.finish()
//! # }
//! ```
//!
//! # Time
//! All times are of the simulation's own clock, which begins at 0 with each [`Sim`], and at
//! 2026-01-01 as wall time. A turn of a process takes up to 4 µs of it, however much it computes;
//! where no process can run, the clock moves to what happens next. So waiting costs nothing, and
//! the real time of a run is that of its turns: some microseconds for each.
//!
//! Time passes in `run_for`, `run_until`, `eventually`, `run_on`, `run_main` and
//! `run_with_faults`, and only there; what is done to the cluster between them happens at one
//! moment, between two turns.
//!
//! # What is simulated
//!
//! | | |
//! |---|---|
//! | scheduling | which node has the next turn, and which of its ready processes; a node's processes do not run at the same time, and priorities do not matter |
//! | clocks | `Env::now` and `Env::wall` of each node; wrong after [`Sim::set_clock_skew`], [`Sim::set_clock_drift`], [`Sim::jump_clock`] and [`Sim::set_wall_clock`] |
//! | chance | `Env::random` and `Env::secure_random`, which in a simulation is as predictable as the other |
//! | hosts | whatever stands behind the `@`; nodes with the same host share its port mapper, its power and its way to others |
//! | the network | latency, bandwidth, loss, reads and writes in pieces, and how much may be on its way: [`Network`] |
//! | faults | crash, loss of power, pause, partition, cut in one direction, reset, a connection that stalls or is open at one end only, a full backlog, a clock that jumps: one by one as methods of [`Sim`], or by chance with [`Sim::run_with_faults`] |
//!
//! The network carries what TCP carries: bytes in order, once, or the connection breaks. A cut
//! delays packets; a node notices only by its own timeout, as with a pulled cable.
//!
//! # How large it may be
//! `examples/sim_scale.rs`, in release and on two cores of a virtual machine, of which a simulation
//! uses one:
//!
//! | | until all are connected | a minute more, with ticks | memory |
//! |---|---|---|---|
//! | 256 nodes in a full mesh (32,640 connections) | 16 s for 6 s of theirs | 2.1 s | 0.8 GiB |
//! | 1,000 nodes, some ten connections each | 1.2 s for 5 s of theirs | 0.6 s | 0.2 GiB |
//!
//! Memory is some 24 KiB for a connection with its two ends, and 50 KiB for a node. A condition of
//! [`Sim::run_until`] is asked after each single thing that happens: one that looks at all nodes
//! takes longer than they do, so in a large cluster ask now and then, between calls of
//! [`Sim::run_for`].
//!
//! # What is not
//! Threads of one's own, files, sockets of one's own, and calls of the operating system's clock
//! and random source: they work, and are different the next time. So a program that is to be
//! simulated
//!
//! - asks its node for time and chance (`self_node().env()`, `sleep`, `receive!` with `after`), not
//!   `Instant::now` or a random generator with a seed of its own;
//! - decides nothing by the order of a `HashMap`, whose hash has a random key: a `BTreeMap` has the
//!   same order each time;
//! - makes no call that waits for something outside. One that takes longer than half a second is
//!   reported with the name of its process ([`Sim::blocked`]). Calls of `spawn_blocking` are made
//!   one at a time, between the turns;
//! - keeps nothing in statics that another run would find. What a node is to keep over a crash,
//!   such as its disk, belongs to the scenario: an `Arc` that the closure given to [`Sim::node`]
//!   hands to each life.
//!
//! # What is checked
//! In every simulation, by watching the nodes; the first violation fails the next `run_until`,
//! `settle`, `verdict` or `finish`:
//!
//! | | |
//! |---|---|
//! | order | what one process sends another one of another node arrives in order, once, as it was sent |
//! | connections | nothing comes over a connection after its loss was told; `nodeup` and `nodedown` alternate; both ends mean the same life of each other; no node finds another one's bytes wrong |
//! | lives | nothing comes to another life of a node than the one that was meant, nor from an earlier one |
//! | processes | one begins once and ends once |
//! | monitors | each gives one `Down` at most, and none is gone without one |
//! | requests to spawn | each has one answer at most |
//! | queues | what waits on a connection stays under its bound |
//!
//! [`Sim::finish`] ends a simulation, and finds what is left: connections that one end only has,
//! what was sent and has not come, links and monitors of which one end does not know, and what
//! stands in the tables of a node where nobody needs it. The simulations of `#[fika::test(sim)]`
//! end so by themselves. A scenario adds its own checks with [`Sim::checks`].
//!
//! # Seeds, failures and logs
//! [`seeds`] runs a scenario for many seeds, and panics with the [`Failure`] of the first that
//! fails; [`first_failure`] gives it back. A failure has the seed, the last lines of the log, what
//! the network was like, and a command that runs the seed again. That command sets `FIKA_SIM_SEED`,
//! with which only this seed is run, and the whole log is kept and written to cargo's `target/sim`,
//! in a file with the names of the program and the test. A simulation that ends by a panic, such as
//! that of an `assert!`, prints the same. `FIKA_SIM_SEEDS=1000` runs 1000 seeds.
//!
//! A failure also has the simulation's [`trace_hash`](Sim::trace_hash): if it is the same the next
//! time, the run was the same. With `FIKA_SIM_TRACE=1` every simulation prints its own, to be
//! compared between programs. The command has no features but the default ones: add those that your
//! test needs.
//!
//! A line of the log has the time in seconds, the node or host, the process with its name if it
//! has one, and what happened:
//!
//! ```text
//!      0.001310  host2         network :32770        is connected to host1:32768
//!      0.002217  a@host1       net_kernel <1.0>      -- nodeup node=b@host2
//!      5.000000  == cut from a@host1 to b@host2
//!      5.000412  a@host1       votes <0.0>           <- Counted
//!      5.000413  a@host1       votes <0.0>           runs
//! ```
//!
//! `<-` is a message, by its type, or another signal that goes into the process's queue; `==` is
//! what the scenario or a fault does to the cluster; `--` is what the program or fika reports by
//! `tracing`, at `INFO` or above, such as `nodeup` and `nodedown`. Turns (`runs`) are in the whole
//! log only.
//!
//! The report of a failure shows the lines of the program, and what was done to the cluster. The
//! lines of fika's own processes (`net_kernel`, its children and its answers, the port mapper,
//! sockets) are in the whole log; with `FIKA_SIM_RUNTIME=1` the report shows them, too.
//!
//! A seed means the same run as long as neither fika nor the program changes: any change that
//! draws one number more makes it another run.
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
