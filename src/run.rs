//! What `#[fika::main]` and `#[fika::test]` run.

use std::fmt;
use std::future::Future;
use std::io::IsTerminal as _;

use crate::ExitReason;
use crate::node::NodeBuilder;
use crate::signals::Signals;

/// Starts the node, runs `main` as a process, and stops the node. If there is no node, or the
/// process ends before `main` returns, the program ends with an error line and status 1. If it
/// ends since the node was stopped, the program ends by the signal that has asked for that, or
/// with status 0.
pub fn run_main<F>(builder: NodeBuilder, main: F) -> F::Output
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    log_to_stderr();
    let ignore_signals = builder.ignore_signals;
    let node = match builder.build() {
        Ok(node) => node,
        Err(error) => fail(format_args!("the node could not be started: {error}")),
    };
    let signals = (!ignore_signals).then(|| Signals::stop(&node));
    let value = node.try_block_on(main);
    let was_stopped = node.is_asked_to_stop();
    node.stop();
    match value {
        Ok(value) => value,
        Err(ExitReason::Killed) if was_stopped => {
            if let Some(signals) = signals {
                signals.end_by_received();
            }
            std::process::exit(0)
        }
        Err(reason) => fail(format_args!("the main process ended: {reason}")),
    }
}

fn fail(why: fmt::Arguments<'_>) -> ! {
    eprintln!("error: {why}");
    std::process::exit(1)
}

/// Starts a node of its own for a test, runs it as a process, and stops the node.
#[track_caller]
pub fn run_test<F>(builder: NodeBuilder, test: F) -> F::Output
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let node = builder.build().unwrap_or_else(|error| panic!("no node for the test: {error}"));
    let value = node.try_block_on(test);
    node.stop();
    match value {
        Ok(value) => value,
        Err(crate::ExitReason::Panic(panic)) => {
            let at = panic.location.as_deref().unwrap_or("an unknown place");
            eprintln!("the test panicked at {at}:\n{}", panic.message);
            std::panic::resume_unwind(Box::new(panic.message.clone()))
        }
        Err(reason) => panic!("the test's process ended: {reason}"),
    }
}

/// Shows warnings and errors of the runtime, unless the program has a subscriber of its own
/// or sets `RUST_LOG`.
fn log_to_stderr() {
    use tracing_subscriber::filter::{EnvFilter, LevelFilter};
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::WARN.into());
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter.from_env_lossy())
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        // It would panic where stderr is closed.
        .log_internal_errors(false)
        .finish();
    // A program that has set one keeps it.
    let _ = tracing::subscriber::set_global_default(subscriber);
}
