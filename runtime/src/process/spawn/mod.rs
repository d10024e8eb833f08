//! The functions that start processes, on this node and on others.

mod spawn_on;
mod spawn_opt;
mod spawn_request;
mod start;

pub(super) use self::spawn_on::request;
pub use self::spawn_on::{
    SpawnOn, spawn_link_on, spawn_monitor_on, spawn_on, spawn_opt_on, try_spawn_on,
};
pub use self::spawn_opt::{SpawnOpts, Spawned, spawn_opt};
pub use self::spawn_request::{
    RequestOpts, spawn_request, spawn_request_abandon, spawn_request_on,
};
pub(crate) use self::start::{Service, Start, start};
pub use self::start::{
    spawn, spawn_link, spawn_monitor, spawn_open_service, spawn_open_service_monitor, spawn_service,
};
