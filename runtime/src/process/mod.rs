//! Processes: what one is, how it runs, what signals do to it, and how it ends.

mod alias;
mod aliases;
mod answer;
mod api;
mod bounded;
mod budget;
mod congestion;
mod control;
mod crash;
pub mod dictionary;
mod exit;
mod extras;
mod flags;
mod group_leader;
mod growth;
mod guard;
mod handle;
mod hibernate;
pub mod info;
mod label;
mod link;
mod memory;
mod messages;
mod monitor;
mod orphans;
mod panic;
mod priority;
mod process_info;
mod processes;
mod rare;
mod receive;
mod relations;
mod request;
mod route;
mod run;
mod send_timeout;
mod send_with;
mod snapshot;
mod spawn;
mod spawn_on;
mod spawn_opt;
mod spawn_request;
mod spawning;
mod suspend;
mod system_monitor;
mod tag;
mod timer_action;
mod timers;
mod try_send;
mod undecodable;
mod wait;
mod wanted;

pub use alias::{AliasOpts, alias, alias_with, unalias};
pub use answer::{Ended, Waiting};
pub use api::{
    acting_node, exit, exit_process, make_ref, process_count, register, registered, self_node,
    self_pid, send, trap_exit, unregister, whereis,
};
pub use bounded::mailbox_limit;
pub use budget::{bump_reductions, is_in_destructor, yield_now};
pub use flags::{async_dist, set_priority};
pub use group_leader::{group_leader, set_group_leader};
pub use hibernate::hibernate;
pub use label::set_label;
pub use link::{LinkOpts, link, link_with, unlink};
pub use monitor::{MonitorAlias, MonitorOpts, demonitor, demonitor_flush, monitor, monitor_with};
pub use priority::{ExitDest, exit_process_priority, send_priority};
pub use process_info::{is_process_alive, process_info};
pub use processes::{Processes, processes, processes_iter};
#[cfg(feature = "observe")]
pub use receive::messages_looked_at;
pub use receive::{Next, Opened, Receive};
pub use send_timeout::send_timeout;
pub use send_with::{SendOpts, send_with};
pub use spawn::{
    spawn, spawn_link, spawn_monitor, spawn_open_service, spawn_open_service_monitor, spawn_service,
};
pub use spawn_on::{spawn_link_on, spawn_monitor_on, spawn_on, spawn_opt_on, try_spawn_on};
pub use spawn_opt::{SpawnOpts, Spawned, spawn_opt};
pub use spawn_request::{RequestOpts, spawn_request, spawn_request_abandon, spawn_request_on};
pub use spawning::ReplyOn;
pub use suspend::{SuspendError, resume_process, suspend_process};
pub use system_monitor::{SystemMonitor, system_monitor};
pub use timers::{
    cancel_timer, cancel_timer_async, cancel_timer_no_info, read_timer, read_timer_async,
    send_after, send_at, start_timer, start_timer_at,
};
pub use try_send::{TrySendError, send_wait, try_send};
pub use wait::{Elapsed, Sleep, SpawnBlocking, run_lookup, sleep, spawn_blocking, timeout};
pub use wanted::{Wanted, is_wanted, open_wanted, wanted};

pub(crate) use control::{Body, Control, NewProcess, Running};
pub use exit::contain_call;
pub(crate) use exit::{catch, contain, drop_each, end};
pub(crate) use orphans::Orphans;
pub(crate) use panic::install_panic_hook;
pub use route::SendError;
pub(crate) use run::run;
pub(crate) use spawn::{Service, Start, start};
pub(crate) use timer_action::Action;
pub(crate) use wait::Blocking;
