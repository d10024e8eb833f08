//! The functions that run the code of `#[fika::main]` and `#[fika::test]`.

use std::fmt;
use std::future::Future;
use std::process::{ExitCode, Termination};
use std::sync::{Arc, Mutex, PoisonError};

use fika_runtime::{ExitReason, Outcome};

use crate::node::NodeBuilder;
use crate::signals::Signals;

/// Starts the node, runs `main` as a process, and stops the node. If the node can't start, or the
/// process fails or ends before `main` returns, the program ends with an error line and status 1.
/// If the process ends because the node was stopped, the program ends by the signal that stopped
/// it, or with status 0. Reports name the caller as the place where `main` was spawned.
#[track_caller]
pub fn run_main<F>(builder: NodeBuilder, main: impl FnOnce() -> F + Send + 'static) -> ExitCode
where
    F: Future<Output: Outcome<Value: Termination + Send>> + Send + 'static,
{
    let stops = builder.config.stop_on_signals.unwrap_or(true);
    let node = match builder.build() {
        Ok(node) => node,
        Err(error) => return fail(format_args!("the node could not be started: {error}")),
    };
    let signals = stops.then(|| Signals::stop(&node));
    let value = Arc::new(Mutex::new(None));
    let to = value.clone();
    let reason = node.__runtime().run(async move {
        let (value, end) = match on_heap(main).await.into_result() {
            Ok(value) => (Ok(value), Ok(())),
            Err(reason) => (Err(reason.clone()), Err(reason)),
        };
        *to.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
        end
    });
    let was_stopped = node.__runtime().is_asked_to_stop();
    node.stop();
    let value = value.lock().unwrap_or_else(PoisonError::into_inner).take();
    match (value, reason) {
        (Some(Err(reason)), _) => fail(format_args!("the main process ended: {reason}")),
        (Some(Ok(value)), ExitReason::Normal) => value.report(),
        // `main` has returned, but the stop killed its process before the process had ended.
        (Some(Ok(value)), ExitReason::Killed) if was_stopped => value.report(),
        (_, ExitReason::Killed) if was_stopped => {
            if let Some(signals) = signals {
                signals.end_by_received();
            }
            ExitCode::SUCCESS
        }
        (_, reason) => fail(format_args!("the main process ended: {reason}")),
    }
}

fn fail(why: fmt::Arguments<'_>) -> ExitCode {
    eprintln!("error: {why}");
    ExitCode::FAILURE
}

/// Starts a node of its own for a test, runs it as a process, and stops the node.
#[track_caller]
pub fn run_test<F>(builder: NodeBuilder, test: impl FnOnce() -> F + Send + 'static) -> F::Output
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let node = builder.for_test().build();
    let node = node.unwrap_or_else(|error| panic!("no node for the test: {error}"));
    let value = node.try_block_on(on_heap(test));
    node.stop();
    match value {
        Ok(value) => value,
        // The panic was printed when the process panicked.
        Err(ExitReason::Panic(panic)) => std::panic::resume_unwind(Box::new(panic.message.clone())),
        Err(reason) => panic!("the test's process ended: {reason}"),
    }
}

/// Makes a future on the thread that runs it, and boxes it there. The thread that calls `run_test`
/// has a stack of 2 MiB, which a large future could overflow when it is passed on.
async fn on_heap<F: Future>(make: impl FnOnce() -> F) -> F::Output {
    Box::pin(make()).await
}
