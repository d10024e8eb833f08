//! The functions that start processes.

mod spawn_on;
mod spawn_opt;
mod spawn_request;
mod start;

pub use spawn_on::{spawn_link_on, spawn_monitor_on, spawn_on, spawn_on_with, spawn_opt_on};
pub use spawn_opt::{SpawnOpts, Spawned, spawn_opt};
pub use spawn_request::{RequestOpts, spawn_request, spawn_request_abandon, spawn_request_on};
pub(crate) use start::{Service, Start, start};
pub use start::{
    spawn, spawn_link, spawn_monitor, spawn_open_service, spawn_open_service_monitor, spawn_service,
};
