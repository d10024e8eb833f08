//! Running a supervisor as the top of a node: [`run_until_stopped`].

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::task::Poll;

use fika_runtime::{Ended, ExitReason, self_node, trap_exit};

use super::Supervises;
use crate::r#gen::ServerRef;

/// Waits until the supervisor ends or the node is asked to stop, as by SIGTERM and ctrl-c under
/// `#[fika::main]`. Then it ends the supervisor, which ends its children in the reverse order of their
/// starts, and returns when all have ended.
///
/// Call it at the end of `main`. After a request to stop, the node waits five seconds for `main`,
/// and then kills the remaining processes.
///
/// ```no_run
/// use fika::prelude::*;
/// use fika::supervisor::{self, ChildSpec, SupFlags};
///
/// #[fika::main]
/// async fn main() -> fika::Result {
///     let worker = ChildSpec::new("worker", || async { spawn_link(std::future::pending::<()>()) });
///     let top = supervisor::start_link(Start::name("top"), SupFlags::one_for_one(), [worker]).await?;
///     supervisor::run_until_stopped(&top).await?;
///     Ok(())
/// }
/// ```
///
/// # Errors
/// If the supervisor ends by itself, with its exit reason: `shutdown` if its children needed more
/// restarts than it allows. `noproc` if there is no such supervisor.
///
/// # Panics
/// Outside of a process.
pub async fn run_until_stopped<S: Supervises>(supervisor: &ServerRef<S>) -> Result<(), ExitReason> {
    let Some(pid) = supervisor.whereis() else { return Err(ExitReason::Noproc) };
    // The end of the supervisor is returned as an error. Without this, a link would end the caller.
    let trapped = trap_exit(true);
    let mut ended = Ended::of(pid);
    let node = self_node();
    let mut stopped = pin!(node.run_until_stopped());
    let by_itself = poll_fn(|context| {
        if let Poll::Ready(reason) = pin!(&mut ended).poll(context) {
            return Poll::Ready(Some(reason));
        }
        stopped.as_mut().poll(context).map(|()| None)
    });
    let result = match by_itself.await {
        Some(reason) => Err(reason),
        None => {
            // The supervisor may end by itself meanwhile.
            let _ = supervisor.stop(ExitReason::Shutdown, None).await;
            Ok(())
        }
    };
    trap_exit(trapped);
    result
}
