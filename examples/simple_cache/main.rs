//! A cache on several machines: a key that is put on one node is read on all.
//!
//! ```sh
//! cargo run --release --bin simple_cache                # see it happen, in a few seconds
//!
//! cargo build --release --bin simple_cache              # try it yourself
//! cd target/release
//! ./simple_cache serve --name a@127.0.0.1 --tcp 127.0.0.1:7001
//! ./simple_cache serve --name b@127.0.0.1 --tcp 127.0.0.1:7002 --join a@127.0.0.1
//! nc 127.0.0.1 7001                                     # then type: help
//! ```
//!
//! Read `cache` first: it is the program, and the rest shows it. `member` makes a node a member of
//! the cluster. `serve` and `client` give people access to the cache. `demo` drives three nodes and
//! kills one of them.

mod cache;
mod client;
mod demo;
mod member;
mod serve;

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// A cache on several machines: a key that is put on one node is read on all.
///
/// Without a command, it shows what fika does: it starts three nodes, puts and gets keys, kills
/// one of the nodes with kill -9, and starts it again.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run one node of the cache, until it is killed
    Serve(serve::ServeArgs),
    /// Run one of the demo's nodes
    #[command(hide = true)]
    Child(member::MemberArgs),
}

fn main() -> ExitCode {
    log_to_stderr();
    let ended = match Cli::parse().command {
        None => demo::run(),
        Some(Command::Serve(args)) => serve::run(args),
        Some(Command::Child(args)) => demo::run_child(&args),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Shows the warnings and errors of fika; `RUST_LOG=info` shows more.
fn log_to_stderr() {
    let named = std::env::var("RUST_LOG").ok().and_then(|text| text.parse::<Targets>().ok());
    let filter = named.unwrap_or_else(|| Targets::new().with_default(LevelFilter::WARN));
    let log = tracing_subscriber::fmt::layer()
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr)
        // If standard error is closed, the node goes on.
        .log_internal_errors(false);
    tracing_subscriber::registry().with(filter).with(log).init();
}
