//! The functions that start children: their results, and how a supervisor keeps them.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use fika_macros::Message;
use fika_runtime::{
    ExitReason, Message, Pid, SpawnError, Term, catch_exit, exit_process, self_pid,
};
use serde::{Deserialize, Serialize};

use crate::r#gen::server_ref::Address;
use crate::r#gen::{ServerRef, StartError, behaviour, contain};

/// A child that was started.
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

    pub(super) fn ignored() -> Started {
        Started { pid: None, info: None }
    }
}

/// The result of a function that starts a child: the pid or the [`ServerRef`] of a process, also in
/// a pair with extra information; or a `Result` of them.
#[diagnostic::on_unimplemented(
    message = "a function that starts a child can't return a `{Self}`",
    note = "it returns the `Pid` or the `ServerRef` of the process, or a `Result` of them"
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

/// The future of a start. It returns the function, to be used again.
pub(super) type Starting =
    Pin<Box<dyn Future<Output = (Option<Box<dyn Starter>>, Outcome)> + Send>>;

pub(super) type Outcome = Result<Started, StartError>;

/// A function that starts a child.
pub(super) trait Starter: Send {
    /// Begins a start. `again` is whether the function is needed again.
    fn start(self: Box<Self>, again: bool) -> Starting;
}

/// Runs the user's function and its future. An error in them is a failed start.
async fn contained<Fut: Future<Output: IntoStarted>>(start: impl FnOnce() -> Fut) -> Outcome {
    let started = catch_exit(async { start().await.into_started() }).await;
    started.unwrap_or_else(|reason| Err(StartError::Failed(reason)))
}

/// A function without arguments.
pub(super) struct Repeat<F>(pub(super) F);

impl<F, Fut> Starter for Repeat<F>
where
    F: FnMut() -> Fut + Send + 'static,
    Fut: Future<Output: IntoStarted> + Send + 'static,
{
    fn start(mut self: Box<Self>, again: bool) -> Starting {
        Box::pin(async move {
            let outcome = contained(|| (self.0)()).await;
            (again.then_some(self as Box<dyn Starter>), outcome)
        })
    }
}

/// The function of a template.
pub(super) type TemplateFn<A> =
    Arc<dyn Fn(A) -> Pin<Box<dyn Future<Output = Outcome> + Send>> + Send + Sync>;

pub(super) fn template<A, F, Fut>(start: F) -> TemplateFn<A>
where
    A: Send + 'static,
    F: Fn(A) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: IntoStarted> + Send + 'static,
{
    let start = Arc::new(start);
    Arc::new(move |args| {
        let start = start.clone();
        Box::pin(async move { start(args).await.into_started() })
    })
}

/// A template with the arguments of one child.
pub(super) struct Templated<A> {
    pub(super) template: TemplateFn<A>,
    pub(super) args: A,
}

impl<A: Clone + Send + 'static> Starter for Templated<A> {
    fn start(self: Box<Self>, again: bool) -> Starting {
        if !again {
            let Templated { template, args } = *self;
            return Box::pin(async move { (None, contained(|| template(args)).await) });
        }
        Box::pin(async move {
            let outcome = match contain::contained(|| self.args.clone()) {
                Ok(args) => contained(|| (self.template)(args)).await,
                Err(reason) => Err(StartError::Failed(reason)),
            };
            (Some(self as Box<dyn Starter>), outcome)
        })
    }
}
