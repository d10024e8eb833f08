//! The functions that run the code of `#[fika::main]` and `#[fika::test]`.

use std::fmt;
use std::future::Future;
use std::process::{ExitCode, Termination};
use std::sync::{Arc, Mutex, PoisonError};

use fika_otp::supervisor::MainValue;
use fika_runtime::{ExitReason, Outcome};

use crate::node::NodeBuilder;
use crate::signals::Signals;

/// Starts the node, runs `main` as a process, and stops the node. If `main` returns a supervisor, the
/// process runs it until it ends or the node is stopped. If the node can't start, or the process
/// fails or ends before `main` returns, the program ends with an error line and status 1. If the
/// process ends because the node was stopped, the program ends by the signal that stopped it, or
/// with status 0. Reports name the caller as the place where `main` was spawned.
#[track_caller]
pub fn run_main<F>(builder: NodeBuilder, main: impl FnOnce() -> F + Send + 'static) -> ExitCode
where
    F: Future<Output: Outcome<Value: MainValue>> + Send + 'static,
{
    let stops = builder.config.stop_on_signals.unwrap_or(true);
    let node = match builder.build() {
        Ok(node) => node,
        Err(error) => return fail(format_args!("the node could not be started: {error}")),
    };
    let signals = stops.then(|| Signals::stop(&node));
    let status = Arc::new(Mutex::new(None));
    let to = status.clone();
    let reason = node.__runtime().run(async move {
        let ended = match on_heap(main).await.into_result() {
            Ok(value) => value.run().await.map_err(|error| (error.to_string(), error.into())),
            Err(reason) => Err((format!("the main process ended: {reason}"), reason)),
        };
        let (status, end) = match ended {
            Ok(status) => (Ok(status), Ok(())),
            Err((text, reason)) => (Err(text), Err(reason)),
        };
        *to.lock().unwrap_or_else(PoisonError::into_inner) = Some(status);
        end
    });
    let was_stopped = node.__runtime().is_asked_to_stop();
    node.stop();
    let status = status.lock().unwrap_or_else(PoisonError::into_inner).take();
    match (status, reason) {
        (Some(Err(text)), _) => fail(format_args!("{text}")),
        (Some(Ok(status)), ExitReason::Normal) => status.report(),
        // `main` has returned, but the stop killed its process before the process had ended.
        (Some(Ok(status)), ExitReason::Killed) if was_stopped => status.report(),
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
