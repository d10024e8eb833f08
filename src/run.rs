//! What `#[fika::main]` and `#[fika::test]` run.

use std::fmt;
use std::future::Future;
use std::process::{ExitCode, Termination};
use std::sync::{Arc, Mutex, PoisonError};

use fika_runtime::{ExitReason, Outcome};

use crate::node::NodeBuilder;

/// Starts the node, runs `main` as a process, and stops the node. If there is no node, or the
/// process fails or ends before `main` returns, the program ends with an error line and status 1.
pub fn run_main<F>(builder: NodeBuilder, main: F) -> ExitCode
where
    F: Future<Output: Outcome<Value: Termination + Send>> + Send + 'static,
{
    let node = match builder.build() {
        Ok(node) => node,
        Err(error) => return fail(format_args!("the node could not be started: {error}")),
    };
    let value = Arc::new(Mutex::new(None));
    let to = value.clone();
    let reason = node.run(async move {
        let value = main.await.into_result()?;
        *to.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
        Ok::<_, ExitReason>(())
    });
    node.stop();
    let value = value.lock().unwrap_or_else(PoisonError::into_inner).take();
    match value.filter(|_| reason == ExitReason::Normal) {
        Some(value) => value.report(),
        None => fail(format_args!("the main process ended: {reason}")),
    }
}

fn fail(why: fmt::Arguments<'_>) -> ExitCode {
    eprintln!("error: {why}");
    ExitCode::FAILURE
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
        // It has been printed when the process panicked.
        Err(ExitReason::Panic(panic)) => std::panic::resume_unwind(Box::new(panic.message.clone())),
        Err(reason) => panic!("the test's process ended: {reason}"),
    }
}
