//! The errors of requests about a child: [`ChildError`].

use std::fmt;

use fika_macros::Message;
use fika_runtime::{Pid, Printable};
use serde::{Deserialize, Serialize};

use super::child_spec::ChildId;
use super::flags::SpecError;
use crate::r#gen::{CallError, StartError};

/// The child that a request is about.
///
/// ```
/// use fika::supervisor::{ChildError, ChildRef};
/// # use fika::prelude::*;
/// # use fika::supervisor::{self, SupFlags};
///
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// # let top = supervisor::start_link(Start::new(), SupFlags::one_for_one(), []).await?;
/// match top.delete_child("cache").await {
///     Err(ChildError::NotFound { child: ChildRef::Id(id) }) => assert_eq!(id, "cache"),
///     other => panic!("{other:?}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ChildRef {
    /// By its id.
    Id(ChildId),
    /// By its process, under a supervisor whose children have no ids.
    Pid(Pid),
}

impl From<Pid> for ChildRef {
    fn from(pid: Pid) -> ChildRef {
        ChildRef::Pid(pid)
    }
}

impl fmt::Display for ChildRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChildRef::Id(id) => id.fmt(f),
            ChildRef::Pid(pid) => pid.fmt(f),
        }
    }
}

/// The reason why a supervisor did not perform a request about a child. Its text names the child.
///
/// ```
/// use fika::prelude::*;
/// use fika::supervisor::{self, ChildError, ChildSpec, SupFlags};
/// # async fn serve() { std::future::pending().await }
///
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// let child = || ChildSpec::new("a", || async { spawn_link(serve()) });
/// let top = supervisor::start_link(Start::new(), SupFlags::one_for_one(), [child()]).await?;
/// match top.start_child(child()).await {
///     Err(ChildError::AlreadyStarted { pid, .. }) => println!("it is {pid}"),
///     other => panic!("{other:?}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Serialize, Deserialize, Message)]
#[message(tag = "fika_otp::supervisor::ChildError")]
#[non_exhaustive]
pub enum ChildError {
    /// A child with this id runs already (OTP's `{already_started, Pid}`).
    AlreadyStarted {
        /// The child.
        child: ChildRef,
        /// Its process.
        pid: Pid,
    },
    /// A child with this id exists and does not run: restart or delete it (OTP's
    /// `already_present`).
    AlreadyPresent {
        /// The child.
        child: ChildRef,
    },
    /// The supervisor has no such child (OTP's `not_found`).
    NotFound {
        /// The child.
        child: ChildRef,
    },
    /// The child runs: terminate it first (OTP's `running`).
    Running {
        /// The child.
        child: ChildRef,
        /// Its process.
        pid: Pid,
    },
    /// The child has ended, and its supervisor is about to restart it (OTP's `restarting`).
    Restarting {
        /// The child.
        child: ChildRef,
    },
    /// The child did not start.
    Failed {
        /// Its id. `None` for a child without an id.
        id: Option<ChildId>,
        /// The reason.
        error: StartError,
    },
    /// The specification does not fit the supervisor's flags.
    Invalid(SpecError),
    /// The children of this supervisor have no ids (OTP's `simple_one_for_one`).
    Refused,
    /// The supervisor is ending.
    Ending,
    /// The supervisor did not answer.
    #[serde(skip)]
    Call(CallError),
}

impl fmt::Display for ChildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChildError::AlreadyStarted { child, pid } => {
                write!(f, "already_started: the child {child} runs as {pid}")
            }
            ChildError::AlreadyPresent { child } => {
                write!(f, "already_present: the child {child} does not run; restart or delete it")
            }
            ChildError::NotFound { child } => {
                write!(f, "not_found: the supervisor has no child {child}")
            }
            ChildError::Running { child, pid } => {
                write!(f, "running: the child {child} runs as {pid}; terminate it first")
            }
            ChildError::Restarting { child } => {
                write!(f, "restarting: the supervisor is about to restart the child {child}")
            }
            ChildError::Failed { id: Some(id), error } => {
                write!(f, "the child {id} did not start: {error}")
            }
            ChildError::Failed { id: None, error } => write!(f, "the child did not start: {error}"),
            ChildError::Invalid(error) => error.fmt(f),
            ChildError::Refused => f.write_str(
                "simple_one_for_one: the children of this supervisor have no ids; use their pids",
            ),
            ChildError::Ending => f.write_str("the supervisor is ending"),
            ChildError::Call(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ChildError {}

impl From<CallError> for ChildError {
    fn from(error: CallError) -> ChildError {
        ChildError::Call(error)
    }
}

/// The error of a supervisor that did not start because a child did not (OTP's
/// `{failed_to_start_child, Id, Reason}`).
///
/// It is the term of the exit reason `{shutdown, _}` in the [`StartError`].
///
/// ```standalone_crate
/// use fika::gen_server::StartError;
/// use fika::prelude::*;
/// use fika::supervisor::{self, ChildSpec, FailedToStartChild, SupFlags};
///
/// # #[fika::main]
/// # async fn main() {
/// let failing = ChildSpec::new("a", || async { Err::<Pid, _>(ExitReason::Timeout) });
/// let failed = supervisor::start_link(Start::new(), SupFlags::one_for_one(), [failing]).await;
/// let FailedToStartChild { id, error } = FailedToStartChild::of(&failed.unwrap_err()).unwrap();
/// assert_eq!(id.unwrap(), "a");
/// assert_eq!(error, StartError::Failed(ExitReason::Timeout));
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Message)]
#[message(tag = "fika_otp::supervisor::FailedToStartChild")]
pub struct FailedToStartChild {
    /// The child's id.
    pub id: Option<ChildId>,
    /// The error of the child's start.
    pub error: StartError,
}

impl FailedToStartChild {
    /// Returns the failed start of a child, if it is the reason why a supervisor did not start.
    #[must_use]
    pub fn of(error: &StartError) -> Option<FailedToStartChild> {
        match error {
            StartError::Failed(reason) => reason.get(),
            _ => None,
        }
    }
}

impl fmt::Display for FailedToStartChild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.id.as_ref().map_or("", ChildId::as_str);
        write!(f, "failed_to_start_child: \"{}\": {}", Printable(id), self.error)
    }
}

/// The text that an exit reason shows.
impl fmt::Debug for FailedToStartChild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
