//! Processes: what a process is, how it runs, what signals do to it, how it ends, and the functions
//! that act for it.
//!
//! | folder | what | uses, besides the folders above it in this table |
//! |---|---|---|
//! | `failure` | panics, and the ways in which a process leaves its code | nothing |
//! | `core` | the state of one process, with its operations; sends nothing | |
//! | `deliver` | from a destination to a queue, or to the carrier; what timers do | |
//! | `signals` | what a signal does to its receiver | |
//! | `life` | a turn, the end, and what is checked in between | |
//! | `wait` | futures that wait without the mailbox | |
//! | `receive` | selective receive | |
//! | `relations` | functions: links, monitors, aliases | |
//! | `spawn` | functions: starting processes, here and on other nodes | |
//! | `send` | functions: messages, exit signals, timers that send | |
//! | `inspect` | functions: looking at other processes | |
//! | `api` | functions: what a process asks or sets of itself and of its node | |
//!
//! A folder imports only from folders above it, and files of a folder do not import each other in a
//! circle. Steps that several folders share are methods of one of three types, and need no import:
//!
//! - [`Control`], the state of a process: its methods are in `core`.
//! - [`Running`], a process with its node: its methods are in `core::control`, and the steps that
//!   signals, a start and an end consist of are in `deliver`, `signals`, `life` and `spawn::start`.
//! - `node::Inner`, the node: the methods that deliver are in `deliver`.

mod api;
mod core;
mod deliver;
mod failure;
mod inspect;
mod life;
mod receive;
mod relations;
mod send;
mod signals;
mod spawn;
mod wait;

pub use self::api::{
    acting_node, async_dist, catch_exit, current_node, exit, exit_async, exit_reason, group_leader,
    hibernate, mailbox_limit, make_ref, process_count, register, registered, self_node, self_pid,
    set_group_leader, set_priority, trap_exit, try_self_pid, unregister, whereis,
};
pub use self::core::relations::{LinkOpts, ReplyOn};
pub(crate) use self::core::{Body, Control, NewProcess, Running};
pub use self::core::{
    bump_reductions, dictionary, is_in_destructor, set_label, yield_now, yield_to_driver,
};
pub(crate) use self::deliver::{Action, Orphans, undecodable};
pub use self::deliver::{SendError, SystemMonitor, system_monitor};
pub use self::failure::contain_call;
pub(crate) use self::failure::{catch, contain, drop_each, install_panic_hook};
pub use self::inspect::{
    Ended, Processes, SuspendError, has_ended, info, is_process_alive, process_info, processes,
    processes_iter, resume_process, suspend_process,
};
pub(crate) use self::life::{end, run};
#[cfg(feature = "observe")]
pub use self::receive::messages_looked_at;
pub use self::receive::{
    Next, Opened, Receive, Wanted, is_receiving, is_wanted, open_message, open_wanted, wanted,
};
pub use self::relations::{
    AliasOpts, MonitorAlias, MonitorOpts, alias, alias_with, demonitor, demonitor_flush, link,
    link_with, monitor, monitor_with, unalias, unlink,
};
pub use self::send::{
    ExitDest, SendOpts, TrySendError, cancel_timer, cancel_timer_async, cancel_timer_no_info,
    exit_process, exit_process_priority, read_timer, read_timer_async, send, send_after, send_at,
    send_priority, send_timeout, send_wait, send_with, start_timer, start_timer_at, try_send,
};
pub use self::spawn::{
    RequestOpts, SpawnOn, SpawnOpts, Spawned, spawn, spawn_link, spawn_link_on, spawn_monitor,
    spawn_monitor_on, spawn_on, spawn_open_service, spawn_open_service_monitor, spawn_opt,
    spawn_opt_on, spawn_request, spawn_request_abandon, spawn_request_on, spawn_service,
    try_spawn_on,
};
pub(crate) use self::spawn::{Service, Start, start};
pub(crate) use self::wait::Blocking;
pub use self::wait::{
    Elapsed, Sleep, SpawnBlocking, Waiting, Within, run_lookup, sleep, spawn_blocking, timeout,
};
