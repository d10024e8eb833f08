//! Why a process ended.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::message::{Message, Term};
use crate::printable::Printable;
use crate::signal::SpawnError;

/// Why a process ended, or is told to end.
///
/// The vocabulary is closed. A program's own reasons are [`Term`]s. Reasons are cheap to clone, and
/// mean the same on every node.
///
/// ```
/// # use fika_runtime as fika;
/// # use fika::{ExitReason, Node, exit, spawn_monitor};
/// assert_eq!(ExitReason::Noconnection.to_string(), "noconnection");
/// assert!(ExitReason::Shutdown.is_orderly());
///
/// // A reason of the program's own carries any message.
/// let reason = ExitReason::term("disk full".to_string());
/// assert_eq!(reason.get::<String>().as_deref(), Some("disk full"));
/// # Node::builder().build().unwrap().block_on(async {
/// spawn_monitor(async move { exit(reason) });
/// # });
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ExitReason {
    /// The process ran to its end.
    Normal,
    /// The process was told to end in an orderly way.
    Shutdown,
    /// The process was told to end in an orderly way, for this reason.
    ShutdownWith(Term),
    /// The process ended *itself* with `kill`. Sent to another process, `kill` is the signal that
    /// can't be trapped. Observers then see [`Killed`](ExitReason::Killed).
    Kill,
    /// A `kill` signal ended the process.
    Killed,
    /// There is no such process.
    Noproc,
    /// The connection to the node was lost, or could not be made. The process itself may be alive.
    Noconnection,
    /// An operation took too long.
    Timeout,
    /// A call got an invalid argument.
    Badarg(Arc<str>),
    /// A limit of the node was reached.
    SystemLimit,
    /// The node has no such `#[remote]` function.
    Notsup,
    /// The requester gave up.
    Abandoned,
    /// A panic ended the process.
    Panic(Arc<PanicReason>),
    /// A program's own reason.
    Term(Term),
    /// The process's future returned an error. This is the error's text, followed by the texts of
    /// its sources. See [`Outcome`](crate::Outcome).
    Error(Arc<str>),
}

/// Allows a process to pass on a reason with `?`: if it returns an exit reason, it ends with it.
impl std::error::Error for ExitReason {}

/// A panic, as an exit reason.
///
/// ```
/// use fika_runtime::ExitReason;
///
/// fn place(reason: &ExitReason) -> Option<&str> {
///     match reason {
///         ExitReason::Panic(panic) => panic.location.as_deref(),
///         _ => None,
///     }
/// }
/// # assert_eq!(place(&ExitReason::Normal), None);
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PanicReason {
    /// The panic's message.
    pub message: String,
    /// The place in the source, `file:line:column`, if known.
    pub location: Option<String>,
}

impl ExitReason {
    /// Makes an exit reason from a program's own value.
    ///
    /// # Panics
    /// If the message can't leave this node.
    #[must_use]
    #[track_caller]
    pub fn term<M: Message + fmt::Debug>(message: M) -> ExitReason {
        ExitReason::Term(Term::new(&message))
    }

    /// Returns the value of a program's own reason, if it is an `M`.
    #[must_use]
    pub fn get<M: Message>(&self) -> Option<M> {
        match self {
            ExitReason::Term(term) | ExitReason::ShutdownWith(term) => term.get(),
            _ => None,
        }
    }

    #[doc(hidden)]
    #[must_use]
    pub fn badarg(why: impl fmt::Display) -> ExitReason {
        ExitReason::Badarg(why.to_string().into())
    }

    /// Returns whether the reason needs no report: `normal`, `shutdown` or `{shutdown, _}`.
    #[must_use]
    pub fn is_orderly(&self) -> bool {
        matches!(self, ExitReason::Normal | ExitReason::Shutdown | ExitReason::ShutdownWith(_))
    }
}

impl From<SpawnError> for ExitReason {
    fn from(error: SpawnError) -> ExitReason {
        match error {
            SpawnError::Noconnection => ExitReason::Noconnection,
            SpawnError::SystemLimit => ExitReason::SystemLimit,
            SpawnError::Notsup => ExitReason::Notsup,
            SpawnError::Badarg => ExitReason::badarg(
                "the node could not decode the function's arguments; its log says why",
            ),
        }
    }
}

/// Displays control characters as escapes, since the reason may come from another node.
impl fmt::Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExitReason::Normal => f.write_str("normal"),
            ExitReason::Shutdown => f.write_str("shutdown"),
            ExitReason::ShutdownWith(term) => write!(f, "{{shutdown,{term:?}}}"),
            ExitReason::Kill => f.write_str("kill"),
            ExitReason::Killed => f.write_str("killed"),
            ExitReason::Noproc => f.write_str("noproc"),
            ExitReason::Noconnection => f.write_str("noconnection"),
            ExitReason::Timeout => f.write_str("timeout"),
            ExitReason::Badarg(why) => write!(f, "badarg: {}", Printable(why)),
            ExitReason::SystemLimit => f.write_str("system_limit"),
            ExitReason::Notsup => f.write_str("notsup"),
            ExitReason::Abandoned => f.write_str("abandoned"),
            ExitReason::Panic(panic) => {
                write!(f, "panic: {}", Printable(&panic.message))?;
                panic.location.iter().try_for_each(|at| write!(f, " at {}", Printable(at)))
            }
            ExitReason::Term(term) => write!(f, "{term:?}"),
            ExitReason::Error(text) => write!(f, "error: {}", Printable(text)),
        }
    }
}
