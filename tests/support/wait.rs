//! Waiting for an event, with a limit after which the test has failed.

use fika::message::Reference;
use fika::prelude::*;

/// Whether a sanitizer checks the program, which `scripts/verify` says. The program may be twenty
/// times slower then.
pub(crate) const IS_SANITIZED: bool = option_env!("FIKA_SANITIZER").is_some();

/// The time limit. No event here takes this long.
pub(crate) const LIMIT: Duration = secs(if IS_SANITIZED { 200 } else { 20 });

/// Returns the reason in the `Down` of this monitor.
#[track_caller]
pub(crate) fn down(monitor: Reference) -> impl Future<Output = ExitReason> {
    let caller = std::panic::Location::caller();
    async move {
        receive! {
            for monitor,
            Down { monitor: m, reason, .. } if m == monitor => reason,
            after LIMIT => panic!("no Down at {caller}"),
        }
    }
}

/// Returns the reason in the `Exit` from this process.
#[track_caller]
pub(crate) fn exit_from(pid: Pid) -> impl Future<Output = ExitReason> {
    let caller = std::panic::Location::caller();
    async move {
        receive! {
            Exit { from, reason } if from == pid => reason,
            after LIMIT => panic!("no Exit at {caller}"),
        }
    }
}

/// Returns the next message of this type.
#[track_caller]
pub(crate) fn next<M: Message>() -> impl Future<Output = M> {
    let caller = std::panic::Location::caller();
    async move {
        receive! {
            message: M => message,
            after LIMIT => panic!("no {} at {caller}", std::any::type_name::<M>()),
        }
    }
}

/// Returns the reason with which a process that runs `body` ends.
pub(crate) async fn end_of<F>(body: F) -> ExitReason
where
    F: Future<Output: fika::process::Outcome> + Send + 'static,
{
    let (_, monitor) = spawn_monitor(body);
    down(monitor).await
}

/// Checks that the mailbox has no message of this type.
pub(crate) async fn has_none<M: Message>() -> bool {
    receive! {
        _: M => false,
        after Duration::ZERO => true,
    }
}

/// Waits until the process has handled every signal that this one has sent to it. The process must
/// answer messages of type `Pid` with a message of type `()`.
pub(crate) async fn sync(pid: Pid) {
    send(pid, self_pid());
    next::<()>().await;
}

/// Answers `sync`, forever.
pub(crate) async fn serve() {
    loop {
        receive! { from: Pid => send(from, ()) }
    }
}
