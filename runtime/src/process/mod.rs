//! Processes: what one is, how it runs, what signals do to it, and how it ends.

mod api;
mod control;
mod exit;
mod handle;
mod rare;
mod receive;
mod relations;
mod route;
mod run;
mod spawn;
mod spawn_on;
mod spawn_opt;
mod timers;
mod wait;

pub use api::{
    acting_node, cancel_timer, demonitor, demonitor_flush, exit, exit_process, link, make_ref,
    monitor, process_count, read_timer, register, registered, self_node, self_pid, send,
    send_after, start_timer, trap_exit, unlink, unregister, whereis,
};
pub use receive::{Next, Opened, Receive};
pub use spawn::{spawn, spawn_link, spawn_monitor};
pub use spawn_on::{spawn_link_on, spawn_monitor_on, spawn_on, spawn_on_with, spawn_opt_on};
pub use spawn_opt::{SpawnOpts, Spawned, spawn_opt};
pub use wait::{Elapsed, Sleep, SpawnBlocking, sleep, spawn_blocking, timeout, yield_now};

pub(crate) use control::{Body, Control, Running, SlotRef};
pub(crate) use exit::{catch, end, install_panic_hook, report};
pub use route::SendError;
pub(crate) use run::run;
pub(crate) use spawn::{Start, start};
pub(crate) use timers::Action;
pub(crate) use wait::Oneshot;
