//! Whole clusters, each from a seed: nodes keep their promises while everything goes wrong.
//!
//! `FIKA_SIM_SEEDS=100000 cargo test --release --test sim` runs more seeds. `FIKA_SIM_SEED=17` runs
//! one of them, with its log.

mod addresses;
mod agent;
mod connect;
mod crowd;
mod mesh;
mod names;
mod overload;
mod relations;
mod servers;
mod simple_cache;
mod streams;
mod supervisors;
mod target;
mod ticks;
mod twice;
