//! A supervisor as the top of a node: [`run_until_stopped`], and as the value of `#[fika::main]`.

use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::process::Termination;
use std::task::Poll;

use fika_runtime::{Ended, ExitReason, Ignored, self_node, trap_exit};

use super::Supervises;
use crate::r#gen::ServerRef;
use crate::r#gen::behaviour::{self, Verdict};

/// Waits until the supervisor ends or the node is asked to stop, as by SIGTERM and ctrl-c under
/// `#[fika::main]`. Then it ends the supervisor, which ends its children in the reverse order of their
/// starts, and returns when all have ended.
///
/// A main function that returns its supervisor does the same without a call:
///
/// ```no_run
/// use fika::gen_server::ServerRef;
/// use fika::prelude::*;
/// use fika::supervisor::{self, ChildSpec, SupFlags, Supervisor};
///
/// #[fika::main]
/// async fn main() -> fika::Result<ServerRef<Supervisor>> {
///     let worker = ChildSpec::new("worker", || async { spawn_link(std::future::pending::<()>()) });
///     let top = supervisor::start_link(Start::name("top"), SupFlags::one_for_one(), [worker]);
///     Ok(top.await?)
/// }
/// ```
///
/// With this function, the main function can do something after the tree has ended:
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
///     println!("stopped in order");
///     Ok(())
/// }
/// ```
///
/// After a request to stop, the node waits for its `shutdown_time`, which is 5 s unless it is set,
/// and then kills the remaining processes.
///
/// # Errors
/// If the supervisor ends by itself, unless its significant children have done their work (see
/// [`AutoShutdown`](super::AutoShutdown)). Also if there is no such supervisor.
///
/// # Panics
/// Outside of a process.
pub async fn run_until_stopped<S: Supervises>(
    supervisor: &ServerRef<S>,
) -> Result<(), SupervisorEnded> {
    let ended = |reason, why| SupervisorEnded { supervisor: supervisor.to_string(), reason, why };
    let Some(pid) = supervisor.whereis() else { return Err(ended(ExitReason::Noproc, None)) };
    let node = self_node();
    let record = behaviour::of(&node, pid);
    // The end of the supervisor is returned as an error. Without this, a link would end the caller.
    let trapped = trap_exit(true);
    let mut end = Ended::of(pid);
    let mut stopped = pin!(node.run_until_stopped());
    let by_itself = poll_fn(|context| {
        if let Poll::Ready(reason) = pin!(&mut end).poll(context) {
            return Poll::Ready(Some(reason));
        }
        stopped.as_mut().poll(context).map(|()| None)
    });
    let result = match by_itself.await {
        Some(reason) => match record.as_ref().and_then(|record| record.verdict()) {
            Some(Verdict::Done) => Ok(()),
            Some(Verdict::Failed(why)) => Err(ended(reason, Some(why.clone()))),
            None => Err(ended(reason, None)),
        },
        None => {
            // The supervisor may end by itself meanwhile.
            let _ = supervisor.stop(ExitReason::Shutdown, None).await;
            Ok(())
        }
    };
    trap_exit(trapped);
    result
}

/// The error of a supervisor that has ended by itself.
///
/// ```
/// use fika::prelude::*;
/// use fika::supervisor::{self, ChildSpec, SupFlags};
///
/// #[fika::main]
/// async fn main() -> fika::Result {
///     let fails = ChildSpec::process("fails", || async {
///         sleep(millis(100)).await;
///         Err::<(), _>("no")
///     });
///     let top = supervisor::start_link(Start::name("top"), SupFlags::one_for_one(), [fails]).await?;
///     let error = supervisor::run_until_stopped(&top).await.unwrap_err();
///     assert_eq!(*error.reason(), ExitReason::Shutdown);
///     assert_eq!(
///         error.to_string(),
///         "the supervisor top has ended: the child \"fails\" failed, and a restart would exceed the \
///          intensity of 1 in 5s",
///     );
///     Ok(())
/// }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct SupervisorEnded {
    supervisor: String,
    reason: ExitReason,
    why: Option<String>,
}

impl SupervisorEnded {
    /// Returns the exit reason of the supervisor: `shutdown` if it has given up because its children
    /// failed too often.
    #[must_use]
    pub fn reason(&self) -> &ExitReason {
        &self.reason
    }
}

impl fmt::Display for SupervisorEnded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the supervisor {} has ended: ", self.supervisor)?;
        match &self.why {
            Some(why) => f.write_str(why),
            None => self.reason.fmt(f),
        }
    }
}

impl fmt::Debug for SupervisorEnded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for SupervisorEnded {}

impl From<SupervisorEnded> for ExitReason {
    fn from(ended: SupervisorEnded) -> ExitReason {
        ended.reason
    }
}

/// A value that the main function of `#[fika::main]` may return, alone or in a `Result`: one that
/// any main function may return, or a supervisor.
///
/// A supervisor then runs until it ends or the node is asked to stop, as in [`run_until_stopped`].
/// The status of the program is 0 after an orderly stop, and 1 with an error line if the supervisor
/// has given up.
///
/// ```no_run
/// use fika::prelude::*;
/// use fika::supervisor::{self, MainValue, SupFlags};
///
/// #[fika::main]
/// async fn main() -> fika::Result {
///     let top = supervisor::start_link(Start::new(), SupFlags::one_for_one(), []).await?;
///     // `#[fika::main]` does this with the value of a main function.
///     top.run().await?;
///     Ok(())
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`main` can't return a `{Self}`",
    label = "this is not a status of a program",
    note = "`main` returns `()`, an `ExitCode`, a supervisor's `ServerRef`, or a `Result` of them"
)]
pub trait MainValue: Send {
    /// The status of the program.
    type Status: Termination + Send;

    /// Runs until the program ends.
    ///
    /// # Errors
    /// If it is a supervisor that has ended by itself.
    fn run(self) -> impl Future<Output = Result<Self::Status, SupervisorEnded>> + Send;
}

#[diagnostic::do_not_recommend]
impl<T: Termination + Send> MainValue for T {
    type Status = T;

    async fn run(self) -> Result<T, SupervisorEnded> {
        Ok(self)
    }
}

impl<S: Supervises> MainValue for ServerRef<S> {
    type Status = ();

    async fn run(self) -> Result<(), SupervisorEnded> {
        run_until_stopped(&self).await
    }
}

/// A process may return the address of a server, which is dropped.
impl<S> Ignored for ServerRef<S> {}
