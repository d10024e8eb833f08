//! Clusters of fika in a box: many nodes in one thread, on a clock that only the simulation
//! moves, on a network that loses, delays and cuts, and with a seed that decides what else is
//! left to chance.
//!
//! The nodes are the real ones: the same processes, signals, timers, `net_kernel`, port mapper
//! and protocol. Only what is below them is simulated: the clock, the random source, the
//! scheduler's choice, and the sockets. So a test of a cluster can wait for an hour in some
//! milliseconds, and what a seed has shown once it shows again.
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
//! # Ok(())
//! # }
//! ```
//!
//! What is not simulated: threads of one's own, files, and calls of the operating system's
//! clock. Code that uses `spawn_blocking` runs, its calls one at a time between the turns.
#![forbid(unsafe_code)]

mod blocked;
mod checks;
mod env;
mod failure;
mod faults;
mod log;
mod main_process;
mod network;
mod node;
mod random;
mod sim;

pub use blocked::Blocked;
pub use checks::Checks;
pub use failure::Failure;
pub use faults::{Fault, Faults, first_failure, seeds};
pub use network::{Network, Reads};
pub use sim::{Sim, SimNode};
