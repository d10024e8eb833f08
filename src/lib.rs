//! Erlang-style processes for Rust, on one node and on many.
//!
//! A program consists of many small processes that share nothing, send each other messages, and
//! watch each other. A [`Pid`] works in the same way whether its process runs on this node or on
//! another machine.
//!
//! ```
//! use fika::prelude::*;
//!
//! #[message]
//! struct Ping { from: Pid, n: u64 }
//! #[message]
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
//!     let (ponger, _) = spawn_monitor(ponger());
//!     send(ponger, Ping { from: self_pid(), n: 1 });
//!     receive! {
//!         Pong(n) => assert_eq!(n, 2),
//!         Down { reason, .. } => panic!("it ended: {reason}"),
//!     }
//! }
//! ```
//!
//! # Where to start
//!
//! Most programs begin with `use fika::prelude::*;`. The modules have everything else, and each one
//! begins with an introduction:
//!
//! | module | what it is for |
//! |---|---|
//! | [`prelude`] | the names that most programs need |
//! | [`process`] | starting processes; links, monitors, exit reasons, registered names |
//! | [`message`](mod@message) | what can be sent; sending; destinations; limits of mailboxes |
//! | [`time`] | sleeping, time limits, messages that arrive later |
//! | [`timer`] | work that is done later, or again and again |
//! | [`gen_server`](mod@gen_server) | servers: processes that answer requests, and their typed clients |
//! | [`supervisor`] | supervision trees: processes that start others and restart those that fail |
//! | [`supervisor_bridge`] | a place in a tree for a plain process, a thread or a program |
//! | [`task`] | work for another process, with its result; streams of tasks |
//! | [`registry`] | names of any type; publish and subscribe |
//! | [`agent`] | a value behind a process |
//! | [`proc_lib`] | starting a process, and waiting until it is ready |
//! | [`sys`] | looking at servers, suspending them |
//! | [`node`] | a node, its settings, its name |
//! | [`net`] | other nodes: connecting to them, watching them, finding them |
//! | [`inspect`] | looking at running processes |
//! | [`guide`] | chapters on topics that concern more than one function |
//! | `sim` | whole clusters in a test (feature `sim`) |
//!
//! The macros are here, at the root: [`#[fika::main]`](macro@main) and
//! [`#[fika::test]`](macro@test) run a function as a process, and [`receive!`] takes a message.
//! [`#[fika::message]`](macro@message) makes a type a message,
//! [`#[fika::remote]`](macro@remote) lets other nodes spawn a function, and
//! [`#[fika::gen_server]`](macro@gen_server) makes a server and its client.
//!
//! # Inside and outside a process
//!
//! Free functions such as [`spawn`](process::spawn), [`send`](message::send) and
//! [`link`](process::link) act for the process that calls them, and panic outside of one. A thread
//! that is not a process uses the methods of [`Node`], which lists them.
//!
//! # Names
//!
//! The ending of a function's name says how it differs from the function without it:
//!
//! | ending | meaning | example |
//! |---|---|---|
//! | `_with` | takes options | [`send_with`](message::send_with) |
//! | `_on` | names the node on which it acts | [`spawn_on`](process::spawn_on) |
//! | `_link`, `_monitor` | links or monitors the new process | [`spawn_link`](process::spawn_link) |
//! | `try_` (in front) | returns a `Result` where the other one suspends the process, or does not report a failure. A mistake of the caller, such as an invalid node name, still ends it | [`try_send`](message::try_send) |
//!
//! # When something fails
//! A process that panics, or whose future returns an `Err`, ends with an [`ExitReason`] that says
//! so, and takes its links with it. The panic is printed on stderr by Rust's panic hook, or by the
//! one that the program has set, and `RUST_BACKTRACE=1` adds a backtrace. A report of the process's
//! end follows: an event of [`tracing`](https://docs.rs/tracing), which goes to the program's
//! subscriber, or to stderr in a program that has none. Warnings of the node go the same way. The
//! failure of `main` itself is not printed twice: without a subscriber, there is only the error line
//! with which [`#[fika::main]`](macro@main) ends the program.
//!
//! If very many processes fail, the output is limited. Reports of each kind are limited to a burst
//! of 32 and then one a second, with the number of omitted reports (`left_out`). The panic hook
//! runs in a burst of up to 256 and then four times a second.
//!
//! All of this needs panics that unwind, which is Rust's default. With `panic = "abort"` in the
//! program's profile, the first panic of any process is printed and ends the program with all of
//! its nodes, and so does [`exit`](process::exit), since it unwinds. Links and monitors within the
//! program receive nothing. Other nodes lose the connection.
//!
//! Three things end the program even where panics unwind, as in any Rust program: an allocation that
//! the operating system refuses, a stack overflow, and a destructor that panics while another panic
//! unwinds. So memory should be bounded: see [`process_limit`](node::NodeBuilder::process_limit),
//! [`message_bytes_max`](node::NodeBuilder::message_bytes_max) and
//! [`mailbox_limit`](message::mailbox_limit).
//!
//! A destructor should not wait without a time limit. If it does so while a panic or
//! [`exit`](process::exit) unwinds its process, the process ends, but the thread that runs the
//! destructor is lost. A program that has lost 64 threads in this way aborts at the next one.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `clap` | `node::NodeArgs`: the settings of a node as options of a program's command line |
//! | `toml` | `node::Config::from_toml`, `from_toml_file`: the settings of a node from a file; with `clap`, the option `--config FILE` |
//! | `sim` | `sim`: simulated clusters for tests |

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod guide;
pub mod inspect;
pub mod message;
pub mod net;
pub mod node;
pub mod process;
pub mod time;
pub mod timer;

#[cfg(feature = "clap")]
mod args;
mod builder;
mod config;
mod run;
mod signals;
#[cfg(feature = "sim")]
mod sim_test;

#[doc(inline)]
pub use fika_otp::{
    agent, gen_server, proc_lib, registry, supervisor, supervisor_bridge, sys, task,
};

pub use fika_macros::{main, message, receive, remote, test};

#[doc(no_inline)]
pub use message::Message;
#[doc(no_inline)]
pub use node::Node;
#[doc(no_inline)]
pub use process::{ExitReason, Pid};

/// Simulated clusters for tests: see [`Sim`](sim::Sim).
#[cfg(feature = "sim")]
pub use fika_sim as sim;

/// The return type of a `main` that uses `?` on any error.
///
/// ```
/// #[fika::main]
/// async fn main() -> fika::Result {
///     let n: u64 = "7".parse()?;
///     assert_eq!(n, 7);
///     Ok(())
/// }
/// ```
pub type Result<T = (), E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// The names that most programs need: `use fika::prelude::*;`.
///
/// serde's derives are not among them, since their code needs serde in the `Cargo.toml` of the program.
/// A type with `#[message]` does not need them. For a type that derives `Message` instead, add serde
/// to the dependencies and write `use serde::{Deserialize, Serialize};`.
///
/// ```
/// use fika::prelude::*;
///
/// #[fika::main]
/// async fn main() {
///     let parent = self_pid();
///     spawn_link(async move { send(parent, "hello".to_owned()) });
///     receive! { text: String => assert_eq!(text, "hello"), after secs(5) => panic!("nothing came") }
/// }
/// ```
pub mod prelude {
    pub use crate::message::{Message, send};
    pub use crate::net::{NodeDown, NodeUp, connect_node, nodes};
    pub use crate::node::{Node, self_node};
    pub use crate::process::{
        Down, Exit, ExitReason, Pid, Reference, demonitor, exit, exit_process, link, monitor,
        register, self_pid, spawn, spawn_link, spawn_monitor, spawn_on, trap_exit, whereis,
    };
    pub use crate::time::{millis, secs, send_after, sleep, timeout};
    pub use fika_macros::{call, cast, gen_server, message, receive, remote};
    pub use fika_otp::Start;
    pub use std::time::Duration;
}

/// The items that the expansions of the macros use. They are not for programs, and may change at
/// any time.
#[doc(hidden)]
pub mod __private {
    #[cfg(feature = "clap")]
    pub use crate::args::{apply_args, args_of_main, parse_args};
    pub use crate::run::{run_main, run_test};
    #[cfg(feature = "sim")]
    pub use crate::sim_test::run_sim_test;
    pub use fika_otp::__private as otp;
    pub use fika_runtime::__private::*;

    /// The expansion of `#[fika::test(sim)]`.
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

    /// Does nothing without the feature `clap`, so that `__parse_args` reports the only error.
    #[cfg(not(feature = "clap"))]
    pub fn apply_args<T>(_: &T, builder: crate::node::NodeBuilder) -> crate::node::NodeBuilder {
        builder
    }

    /// Does nothing without the feature `clap`, for the same reason as `apply_args`.
    #[cfg(not(feature = "clap"))]
    pub fn args_of_main<T>(cli: &T) -> &T {
        cli
    }
}

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
