//! What `#[fika::main]` and `#[fika::test]` run.

use std::fmt;
use std::future::Future;
use std::io::IsTerminal as _;

use crate::node::NodeBuilder;

/// Starts the node, runs `main` as a process, and stops the node. If there is no node, or the
/// process ends before `main` returns, the program ends with an error line and status 1.
pub fn run_main<F>(builder: NodeBuilder, main: impl FnOnce() -> F + Send + 'static) -> F::Output
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    log_to_stderr();
    let node = match builder.build() {
        Ok(node) => node,
        Err(error) => fail(format_args!("the node could not be started: {error}")),
    };
    let value = node.try_block_on(on_heap(main));
    node.stop();
    match value {
        Ok(value) => value,
        Err(reason) => fail(format_args!("the main process ended: {reason}")),
    }
}

fn fail(why: fmt::Arguments<'_>) -> ! {
    eprintln!("error: {why}");
    std::process::exit(1)
}

/// Starts a node of its own for a test, runs it as a process, and stops the node.
#[track_caller]
pub fn run_test<F>(builder: NodeBuilder, test: impl FnOnce() -> F + Send + 'static) -> F::Output
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let node = builder.build().unwrap_or_else(|error| panic!("no node for the test: {error}"));
    let value = node.try_block_on(on_heap(test));
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

/// Makes a future on the thread that runs it, and places it on the heap there. The thread that
/// calls `run_test` has a stack of 2 MiB, which a large future would fill by being passed on.
async fn on_heap<F: Future>(make: impl FnOnce() -> F) -> F::Output {
    Box::pin(make()).await
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
