//! Processes: starting them, and learning how they end.
//!
//! A process is a future that runs by itself, with a mailbox and a [`Pid`]. Processes share no
//! state. One process affects another only by sending it a message, or by ending.
//!
//! [`spawn`] starts a process. Each process ends with an [`ExitReason`]: `Normal` when its future
//! returns, or the reason of its panic, of the `Err` that it returned, or of its [`exit`]. Other
//! processes learn of the end in two ways:
//!
//! - A **monitor** works in one direction. The process that called [`monitor`] receives a [`Down`]
//!   message when the other process ends. The message contains the [`Reference`] that `monitor`
//!   returned. A monitor of a process that has already ended reports
//!   [`Noproc`](ExitReason::Noproc).
//! - A **link** works in both directions. When one of two linked processes ends with a reason other
//!   than `Normal`, the other one ends with the same reason. A process that called
//!   [`trap_exit`]`(true)` receives an [`Exit`] message instead.
//!
//! ```
//! use fika::prelude::*;
//!
//! #[fika::main]
//! async fn main() {
//!     let (worker, monitor) = spawn_monitor(async {
//!         receive! { n: u64 => assert!(n < 100, "{n} is too large") }
//!     });
//!     send(worker, 1000_u64);
//!     receive! {
//!         Down { monitor: m, reason, .. } if m == monitor => {
//!             assert!(matches!(reason, ExitReason::Panic(_)))
//!         },
//!     }
//! }
//! ```
//!
//! # Options
//!
//! A function whose name ends in `_with` takes options, and one whose name ends in `_on` starts the
//! process on the node that it names. [`SpawnOpts`] has all options of a new process, such as its
//! priority and the limit of its mailbox.
//!
//! # On another node
//!
//! [`spawn_on`] starts a [`#[remote]`](macro@crate::remote) function on another node. Links,
//! monitors and exit signals work across nodes. If the connection to the other node is lost, links
//! and monitors report [`Noconnection`](ExitReason::Noconnection).
//!
//! # Outside a process
//!
//! The functions of this module act for the process that calls them, and panic outside of one.
//! [`Node`](crate::Node) has methods for what a thread outside can do.

pub use fika_runtime::{
    Answer, Down, Ended, Exit, ExitDest, ExitReason, Ignored, LinkOpts, MonitorAlias, MonitorOpts,
    Name, Object, Outcome, PanicReason, Pid, Priority, ProcessError, Reference, RegisterError,
    RemoteCall, RemoteFn, ReplyOn, RequestOpts, SpawnBlocking, SpawnError, SpawnOn, SpawnOpts,
    SpawnReply, Spawned, Waiting, Within, catch_exit, demonitor, demonitor_flush, dictionary, exit,
    exit_async, exit_process, exit_process_priority, exit_reason, group_leader, hibernate, link,
    link_with, monitor, monitor_with, register, registered, self_pid, set_group_leader,
    set_priority, spawn, spawn_blocking, spawn_link, spawn_link_on, spawn_monitor,
    spawn_monitor_on, spawn_on, spawn_opt, spawn_opt_on, spawn_request, spawn_request_abandon,
    spawn_request_on, trap_exit, try_self_pid, try_spawn_on, unlink, unregister, whereis,
    yield_now,
};
