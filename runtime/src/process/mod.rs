//! Processes: what one is, how it runs, what signals do to it, and how it ends.

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
    acting_node, async_dist, exit, exit_process, group_leader, hibernate, make_ref, process_count,
    register, registered, self_node, self_pid, send, set_group_leader, set_priority, trap_exit,
    unregister, whereis,
};
pub use self::core::relations::ReplyOn;
pub(crate) use self::core::{Body, Control, NewProcess, Running};
pub use self::core::{bump_reductions, dictionary, is_in_destructor, set_label, yield_now};
pub(crate) use self::deliver::{Action, Orphans};
pub use self::deliver::{SendError, mailbox_limit};
pub(crate) use self::failure::install_panic_hook;
pub use self::inspect::{
    Processes, SuspendError, SystemMonitor, info, is_process_alive, process_info, processes,
    processes_iter, resume_process, suspend_process, system_monitor,
};
pub use self::life::contain_call;
pub(crate) use self::life::{catch, contain, drop_each, end, run};
#[cfg(feature = "observe")]
pub use self::receive::messages_looked_at;
pub use self::receive::{Next, Opened, Receive, Wanted, is_wanted, open_wanted, wanted};
pub use self::relations::{
    AliasOpts, LinkOpts, MonitorAlias, MonitorOpts, alias, alias_with, demonitor, demonitor_flush,
    link, link_with, monitor, monitor_with, unalias, unlink,
};
pub use self::send::{
    ExitDest, SendOpts, TrySendError, cancel_timer, cancel_timer_async, cancel_timer_no_info,
    exit_process_priority, read_timer, read_timer_async, send_after, send_at, send_priority,
    send_timeout, send_wait, send_with, start_timer, start_timer_at, try_send,
};
pub use self::spawn::{
    RequestOpts, SpawnOpts, Spawned, spawn, spawn_link, spawn_link_on, spawn_monitor,
    spawn_monitor_on, spawn_on, spawn_on_with, spawn_open_service, spawn_open_service_monitor,
    spawn_opt, spawn_opt_on, spawn_request, spawn_request_abandon, spawn_request_on, spawn_service,
};
pub(crate) use self::spawn::{Service, Start, start};
pub(crate) use self::wait::Blocking;
pub use self::wait::{
    Elapsed, Ended, Sleep, SpawnBlocking, Waiting, run_lookup, sleep, spawn_blocking, timeout,
};
