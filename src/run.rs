//! What `#[fika::main]` and `#[fika::test]` run.

use std::future::Future;
use std::process::ExitCode;

use crate::node::NodeBuilder;

/// What `main` ends with: its own value, or a failure of the node.
pub enum MainExit<R> {
    Returned(R),
    Failed,
}

impl<R: std::process::Termination> std::process::Termination for MainExit<R> {
    fn report(self) -> ExitCode {
        match self {
            MainExit::Returned(value) => value.report(),
            MainExit::Failed => ExitCode::FAILURE,
        }
    }
}

/// Starts the node, runs `main` as a process, and stops the node.
pub fn run_main<F>(builder: NodeBuilder, main: F) -> MainExit<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    log_to_stderr();
    let node = match builder.build() {
        Ok(node) => node,
        Err(error) => {
            eprintln!("error: the node could not be started: {error}");
            return MainExit::Failed;
        }
    };
    let value = node.try_block_on(main);
    node.stop();
    match value {
        Ok(value) => MainExit::Returned(value),
        Err(reason) => {
            eprintln!("error: the main process ended: {reason}");
            MainExit::Failed
        }
    }
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
        .finish();
    // A program that has set one keeps it.
    let _ = tracing::subscriber::set_global_default(subscriber);
}
