//! The functions that start children: their results, and how a supervisor keeps them.

use std::fmt;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use fika_macros::Message;
use fika_runtime::{
    ExitReason, Message, Pid, SpawnError, Term, catch_exit, exit_process, self_pid,
};
use serde::{Deserialize, Serialize};

use crate::r#gen::contained::{Contained, contained};
use crate::r#gen::server_ref::Address;
use crate::r#gen::{ServerRef, StartError, behaviour};

/// A child that was started (OTP's `{ok, Child, Info}`).
///
/// ```standalone_crate
/// use fika::prelude::*;
/// use fika::supervisor::{self, ChildSpec, SupFlags};
/// # async fn serve() { std::future::pending().await }
///
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// # let top = supervisor::start_link(Start::new(), SupFlags::one_for_one(), []).await?;
/// // The start function also returns the port of the server.
/// let server = ChildSpec::new("web", || async { (spawn_link(serve()), 8080_u16) });
/// let started = top.start_child(server).await?;
/// assert!(started.pid().is_some());
/// assert_eq!(started.info::<u16>(), Some(8080));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, Message)]
#[message(tag = "fika_otp::supervisor::Started")]
pub struct Started {
    pid: Option<Pid>,
    info: Option<Term>,
}

impl Started {
    /// Returns the child's process. `None` if its start function returned "ignore".
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        self.pid
    }

    /// Returns the extra information that the start function returned, if it is an `I`.
    #[must_use]
    pub fn info<I: Message>(&self) -> Option<I> {
        self.info.as_ref()?.get()
    }

    pub(crate) fn ignored() -> Started {
        Started { pid: None, info: None }
    }
}

/// The result of a function that starts a child: the pid, the [`ServerRef`] or the client of a
/// process, also in a pair with extra information; or a `Result` of them.
///
/// ```
/// use fika::prelude::*;
/// use fika::supervisor::{ChildSpec, IntoStarted, Started};
/// use fika::gen_server::StartError;
/// # async fn serve() { std::future::pending().await }
///
/// /// What a start function of this program returns.
/// struct Worker {
///     pid: Pid,
/// }
///
/// impl IntoStarted for Worker {
///     fn into_started(self) -> Result<Started, StartError> {
///         self.pid.into_started()
///     }
/// }
///
/// let child = ChildSpec::new("a", || async { Worker { pid: spawn_link(serve()) } });
/// # let _ = child;
/// ```
#[diagnostic::on_unimplemented(
    message = "a function that starts a child can't return a `{Self}`",
    note = "it returns the `Pid`, the `ServerRef` or the client of the process that it has started, or a \
            `Result` of them",
    note = "to run an `async fn work()` as a child, write `ChildSpec::process(id, work)`"
)]
pub trait IntoStarted {
    /// Converts it.
    ///
    /// # Errors
    /// If the child did not start.
    fn into_started(self) -> Result<Started, StartError>;
}

impl IntoStarted for Started {
    fn into_started(self) -> Result<Started, StartError> {
        Ok(self)
    }
}

impl IntoStarted for Pid {
    fn into_started(self) -> Result<Started, StartError> {
        Ok(Started { pid: Some(self), info: None })
    }
}

impl<S> IntoStarted for ServerRef<S> {
    fn into_started(self) -> Result<Started, StartError> {
        let noproc = StartError::Failed(ExitReason::Noproc);
        let pid = self.whereis().ok_or(noproc.clone())?;
        if matches!(self.address(), Address::Pid(_)) {
            return pid.into_started();
        }
        // The server may have ended, and the name may belong to another process now.
        match behaviour::of(&fika_runtime::self_node(), pid) {
            Some(server) if server.ancestors().first() != Some(&self_pid()) => Err(noproc),
            _ => pid.into_started(),
        }
    }
}

/// The extra information may go to another node, so it must be a message that can leave this one.
impl<P: IntoStarted, I: Message + fmt::Debug> IntoStarted for (P, I) {
    fn into_started(self) -> Result<Started, StartError> {
        let (child, info) = self;
        let child = child.into_started()?;
        // The term can't be made of every value.
        let mut failed = FailedStart(child.pid);
        let info = Some(Term::new(&info));
        failed.0 = None;
        Ok(Started { info, ..child })
    }
}

/// A process whose start fails after all. It is killed when this is dropped.
struct FailedStart(Option<Pid>);

impl Drop for FailedStart {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            exit_process(pid, ExitReason::Kill);
        }
    }
}

impl<T: IntoStarted, E: Into<StartError>> IntoStarted for Result<T, E> {
    fn into_started(self) -> Result<Started, StartError> {
        self.map_err(Into::into)?.into_started()
    }
}

impl From<ExitReason> for StartError {
    fn from(reason: ExitReason) -> StartError {
        StartError::Failed(reason)
    }
}

impl From<SpawnError> for StartError {
    fn from(error: SpawnError) -> StartError {
        StartError::Failed(error.into())
    }
}

/// The future of a start. It returns the function if it has it, to be used again.
type StartFuture = Pin<Box<dyn Future<Output = (Option<StartFn>, Outcome)> + Send>>;

/// A start that has not returned.
pub(crate) struct Starting {
    /// Dropped by the supervisor if it ends first.
    future: Contained<StartFuture>,
    /// The function, if it is needed again and the future does not have it.
    function: Option<StartFn>,
}

impl Starting {
    fn new(future: StartFuture, function: Option<StartFn>) -> Starting {
        Starting { future: Contained::new(future), function }
    }

    /// Returns the function, if it is needed again, and the outcome.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<(Option<StartFn>, Outcome)> {
        let returned = self.future.get_mut().as_mut().poll(context);
        returned.map(|(function, outcome)| (function.or_else(|| self.function.take()), outcome))
    }
}

pub(crate) type Outcome = Result<Started, StartError>;

/// A function that starts a child, as a supervisor keeps it.
pub(crate) type StartFn = Contained<Box<dyn Starter>>;

pub(crate) fn start_fn(start: impl Starter + 'static) -> StartFn {
    Contained::new(Box::new(start))
}

/// A function that starts a child.
pub(crate) trait Starter: Send {
    /// Begins a start. `again` is whether the function is needed again.
    fn start(self: Box<Self>, again: bool) -> Starting;
}

/// Runs the user's function and its future. An error in them is a failed start.
async fn outcome_of<Fut: Future<Output: IntoStarted>>(start: impl FnOnce() -> Fut) -> Outcome {
    let started = catch_exit(async { start().await.into_started() }).await;
    started.unwrap_or_else(|reason| Err(StartError::Failed(reason)))
}

/// A function without arguments.
pub(crate) struct Repeat<F>(pub(crate) F);

impl<F, Fut> Starter for Repeat<F>
where
    F: FnMut() -> Fut + Send + 'static,
    Fut: Future<Output: IntoStarted> + Send + 'static,
{
    fn start(mut self: Box<Self>, again: bool) -> Starting {
        let future = Box::pin(async move {
            let outcome = outcome_of(|| (self.0)()).await;
            let start: StartFn = Contained::new(self);
            (again.then_some(start), outcome)
        });
        Starting::new(future, None)
    }
}

/// The function of a template.
pub(crate) type TemplateFn<A> = Arc<dyn Fn(A) -> StartFuture + Send + Sync>;

pub(crate) fn template<A, F, Fut>(start: F) -> TemplateFn<A>
where
    A: Send + 'static,
    F: Fn(A) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: IntoStarted> + Send + 'static,
{
    let start = Arc::new(start);
    Arc::new(move |args| {
        let start = start.clone();
        Box::pin(async move { (None, outcome_of(|| start(args)).await) })
    })
}

/// A template with the arguments of one child.
pub(crate) struct Templated<A> {
    pub(crate) template: TemplateFn<A>,
    pub(crate) args: A,
}

impl<A: Clone + Send + 'static> Starter for Templated<A> {
    fn start(self: Box<Self>, again: bool) -> Starting {
        if !again {
            let Templated { template, args } = *self;
            return Starting::new(template(args), None);
        }
        // A copy that fails is a start that fails.
        let future = match contained(|| self.args.clone()) {
            Ok(args) => (self.template)(args),
            Err(reason) => Box::pin(ready((None, Err(StartError::Failed(reason))))),
        };
        Starting::new(future, Some(Contained::new(self)))
    }
}
