//! Erlang-style processes for Rust, on one node and on many.
//!
//! A program consists of many small processes that share nothing, send each other messages, and
//! watch each other. A [`Pid`] works in the same way whether its process runs on this node or on
//! another machine.
//!
//! ```
//! use fika::prelude::*;
//!
//! #[derive(Message, Serialize, Deserialize)]
//! struct Ping { from: Pid, n: u64 }
//! #[derive(Message, Serialize, Deserialize)]
//! struct Pong(u64);
//!
//! async fn ponger() {
//!     loop {
//!         receive! {
//!             Ping { from, n } => send(from, Pong(n + 1)),
//!             after secs(60) => return,
//!         }
//!     }
//! }
//!
//! #[fika::main]
//! async fn main() {
//!     let (ponger, monitor) = spawn_monitor(ponger());
//!     send(ponger, Ping { from: self_pid(), n: 1 });
//!     receive! {
//!         Pong(n) => assert_eq!(n, 2),
//!         Down { reason, .. } => panic!("it ended: {reason}"),
//!     }
//!     demonitor_flush(monitor);
//! }
//! ```
//!
//! # When something fails
//!
//! A process that panics, or whose future returns an `Err`, ends with an [`ExitReason`] that says
//! so, and takes its links with it. The panic is printed on stderr by Rust's panic hook, or by the
//! one that the program has set, and `RUST_BACKTRACE=1` adds a backtrace. A report of the process's
//! end follows: an event of [`tracing`](https://docs.rs/tracing), which goes to the program's
//! subscriber, or to stderr in a program that has none. Warnings of the node go the same way.
//!
//! If very many processes fail, the output is limited. Of each kind of report, 32 are made at once
//! and then one a second, with the number that were left out (`left_out`). The panic hook runs 256
//! times at once and then four times a second.
//!
//! All of this needs panics that unwind, which is Rust's default. With `panic = "abort"` in the
//! program's profile, the first panic of any process is printed and ends the program with all of
//! its nodes, and so does [`exit`], since it unwinds. Links and monitors within the program receive
//! nothing. Other nodes lose the connection.
//!
//! Three things end the program even where panics unwind, as in any Rust program: an allocation that
//! the operating system refuses, a stack overflow, and a destructor that panics while another panic
//! unwinds. So memory should be bounded: see [`NodeBuilder::process_limit`],
//! [`NodeBuilder::message_bytes_max`] and [`mailbox_limit`].
//!
//! A destructor should not wait without a time limit. If it does so while a panic or [`exit`]
//! unwinds its process, the process ends, but the thread that runs the destructor is lost. A program
//! that has lost 64 threads in this way aborts at the next one.
//!
//! Free functions such as [`spawn`], [`send`] and [`link`] act for the process that runs; outside
//! of one, [`Node`] has methods of the same names. See [`prelude`] for what most programs need, and
//! [`guide`] for senders that are faster than their receivers.

#![forbid(unsafe_code)]

#[cfg(feature = "clap")]
mod args;
pub mod guide;
mod node;
mod run;
mod signals;
#[cfg(feature = "sim")]
mod sim_test;

pub use fika_macros::{Message, main, receive, remote, test};
pub use fika_net::{
    AutoConnect, ConnectedNode, Cookie, CookieError, MonitorNodeError, NodeKind, Ping, StartError,
    connect_node, connected_nodes, disconnect_node, is_alive, monitor_node, monitor_nodes,
    monitor_nodes_of, nodes, nodes_of, ping, start_distribution, stop_distribution,
};
// Settings of the distribution that can change while it runs, and a handler for its decisions.
pub use fika_net::{
    BadCookie, Decision, NetHandler, NetTicktime, SentToName, SetTicktime, SettingError,
    SocketOptions, SpawnAsked, allow, get_net_ticktime, getopts, set_cookie, set_cookie_for,
    set_net_ticktime, setopts, setopts_new,
};
// How nodes find each other without a port mapper.
pub use fika_net::{
    FixedPort, NodeAddr, ResolveError, Resolver, Resolving, StaticNodes, StaticNodesError,
    resolver_fn,
};
// The traits of a transport between nodes, for transports other than TCP and Unix sockets.
#[cfg(unix)]
pub use fika_net::UnixSockets;
pub use fika_net::{HostIps, Listener, Network, Poller, Socket, SocketHandler};
pub use fika_runtime::{
    BuildError, Bytes, Creation, DecodeError, Dest, Down, Elapsed, EncodeError, Encoded, Env,
    Envelope, Exit, ExitReason, Ignored, Local, Message, Name, NodeDown, NodeDownReason, NodeId,
    NodeName, NodeNameError, NodeText, NodeType, NodeUp, Object, Outcome, PanicReason, Part, Pid,
    ProcessError, ProcessText, Reference, RegisterError, RemoteFn, SendError, Sleep, SpawnBlocking,
    SpawnError, SystemEnv, TagClash, Term, Time, Timeout, TimerRef, cancel_timer, demonitor,
    demonitor_flush, exit, exit_process, link, make_ref, message, monitor, process_count,
    read_timer, register, registered, self_pid, send, send_after, sleep, spawn, spawn_blocking,
    spawn_link, spawn_link_on, spawn_monitor, spawn_monitor_on, spawn_on, spawn_on_with,
    start_timer, timeout, trap_exit, unlink, unregister, whereis, yield_now,
};
// Mailboxes with a limit.
pub use fika_runtime::{MailboxLimit, TrySendError, WhenFull, mailbox_limit, send_wait, try_send};
// Connections that are congested.
pub use fika_runtime::{
    BusyDist, SendOpts, SystemMonitor, async_dist, send_timeout, send_with, system_monitor,
};
// More about timers.
pub use fika_runtime::timer;
pub use fika_runtime::{
    CancelTimer, ReadTimer, cancel_timer_async, cancel_timer_no_info, read_timer_async, send_at,
    start_timer_at,
};
// Spawning with options, aliases, and what goes with them.
pub use fika_runtime::{
    AliasOpts, ExitDest, LinkOpts, MonitorAlias, MonitorOpts, ReplyOn, RequestOpts, SpawnOpts,
    SpawnReply, Spawned, Tagged, alias, alias_with, exit_process_priority, link_with, monitor_with,
    send_priority, spawn_opt, spawn_opt_on, spawn_request, spawn_request_abandon, spawn_request_on,
    unalias,
};
// What is known of processes, and what they are given.
pub use fika_runtime::{
    InfoItem, Item, Priority, Processes, Snapshot, Status, SuspendError, bump_reductions,
    dictionary, group_leader, hibernate, info, is_process_alive, process_info, processes,
    processes_iter, resume_process, set_group_leader, set_label, set_priority, suspend_process,
};

#[cfg(feature = "clap")]
pub use args::NodeArgs;
pub use node::{Node, NodeBuilder, NodeError, self_node};

/// Simulated clusters for tests: see [`Sim`](sim::Sim).
#[cfg(feature = "sim")]
pub use fika_sim as sim;

/// The return type of a `main` that uses `?` on any error.
pub type Result<T = (), E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// What most programs need: `use fika::prelude::*;`.
pub mod prelude {
    pub use crate::timer;
    pub use crate::{
        AliasOpts, MonitorAlias, MonitorOpts, ReplyOn, SpawnOpts, SpawnReply, Tagged, alias,
        alias_with, monitor_with, spawn_opt, spawn_opt_on, spawn_request, spawn_request_abandon,
        spawn_request_on, unalias,
    };
    pub use crate::{
        Down, Envelope, Exit, ExitReason, Local, Message, Node, NodeDown, NodeName, NodeUp, Pid,
        Ping as PingAnswer, Reference, Timeout, cancel_timer, connect_node, demonitor,
        demonitor_flush, disconnect_node, exit, exit_process, link, make_ref, monitor,
        monitor_node, monitor_nodes, nodes, ping, receive, register, remote, self_node, self_pid,
        send, send_after, sleep, spawn, spawn_blocking, spawn_link, spawn_link_on, spawn_monitor,
        spawn_monitor_on, spawn_on, start_timer, timeout, trap_exit, unlink, unregister, whereis,
        yield_now,
    };
    pub use crate::{MailboxLimit, WhenFull, mailbox_limit, send_timeout, send_wait, try_send};
    pub use crate::{
        Priority, Status, dictionary, hibernate, info, is_process_alive, process_info, processes,
        set_label, set_priority,
    };
    pub use crate::{millis, secs};
    pub use serde::{Deserialize, Serialize};
    pub use std::time::Duration;
}

/// Returns a duration of this many seconds.
#[must_use]
pub const fn secs(seconds: u64) -> std::time::Duration {
    std::time::Duration::from_secs(seconds)
}

/// Returns a duration of this many milliseconds.
#[must_use]
pub const fn millis(milliseconds: u64) -> std::time::Duration {
    std::time::Duration::from_millis(milliseconds)
}

/// What the expansions of the macros use. Not for programs: it may change at any time.
#[doc(hidden)]
pub mod __private {
    #[cfg(feature = "clap")]
    pub use crate::args::{apply_args, args_of_main, parse_args};
    pub use crate::run::{run_main, run_test};
    #[cfg(feature = "sim")]
    pub use crate::sim_test::run_sim_test;
    pub use fika_runtime::__private::*;

    /// What `#[fika::test(sim)]` expands to.
    #[cfg(feature = "sim")]
    #[doc(hidden)]
    #[macro_export]
    macro_rules! __sim_test {
        ($seeds:expr, $limit:expr, $test:ident) => {
            $crate::__private::run_sim_test($seeds, $limit, $test)
        };
    }

    /// Reports a simulated test if the feature `sim` is off.
    #[cfg(not(feature = "sim"))]
    #[doc(hidden)]
    #[macro_export]
    macro_rules! __sim_test {
        ($($anything:tt)*) => {
            compile_error!(
                "a simulated test needs fika's feature `sim`: in `[dev-dependencies]`, write \
                 `fika = { version = \"..\", features = [\"sim\"] }`"
            )
        };
    }
    pub use crate::__sim_test as sim_test;

    /// Parses the command line, for a `main` with an argument.
    #[cfg(feature = "clap")]
    #[doc(hidden)]
    #[macro_export]
    macro_rules! __parse_args {
        ($cli:ty) => {
            $crate::__private::parse_args::<$cli>()
        };
    }

    /// Reports a `main` with an argument if the feature `clap` is off.
    #[cfg(not(feature = "clap"))]
    #[doc(hidden)]
    #[macro_export]
    macro_rules! __parse_args {
        ($($anything:tt)*) => {
            compile_error!(
                "the argument of `main` is the program's command line, which needs fika's feature \
                 `clap`: in `[dependencies]`, write `fika = { version = \"..\", features = [\"clap\"] }`"
            )
        };
    }
    pub use crate::__parse_args as parse_args_of_main;

    /// Without the feature `clap`, the error of `__parse_args` is to be the only one.
    #[cfg(not(feature = "clap"))]
    pub fn apply_args<T>(_: &T, builder: crate::NodeBuilder) -> crate::NodeBuilder {
        builder
    }

    /// Without the feature `clap`, as `apply_args`.
    #[cfg(not(feature = "clap"))]
    pub fn args_of_main<T>(cli: &T) -> &T {
        cli
    }
}

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
