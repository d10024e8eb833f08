//! How a supervisor treats its children as a group: [`SupFlags`].

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use fika_macros::Message;
use serde::{Deserialize, Serialize};

use super::child_spec::{ChildId, ChildSpec, Restart};

/// The children that a supervisor restarts when one of them ends (OTP's `strategy`).
///
/// ```
/// use fika::prelude::*;
/// use fika::supervisor::{self, ChildSpec, Strategy, SupFlags};
/// # async fn accept() { std::future::pending().await }
/// # async fn sessions() { std::future::pending().await }
///
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// // If the table of sessions is lost, the process that uses it is started anew, too.
/// let children = [
///     ChildSpec::new("sessions", || async { spawn_link(sessions()) }),
///     ChildSpec::new("acceptor", || async { spawn_link(accept()) }),
/// ];
/// supervisor::start_link(Start::new(), SupFlags::new(Strategy::RestForOne), children).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Strategy {
    /// Only the child that has ended.
    #[default]
    OneForOne,
    /// All children: the other children are ended in reverse order, and then all are started in
    /// order.
    OneForAll,
    /// The child that has ended, and all children that were started after it.
    RestForOne,
}

/// Whether a supervisor ends by itself when its significant children have ended (OTP's
/// `auto_shutdown`). It ends the other children first, and then itself with the reason `shutdown`.
///
/// ```
/// use fika::prelude::*;
/// use fika::supervisor::{self, AutoShutdown, ChildSpec, Restart, SupFlags};
///
/// /// The purpose of the tree.
/// async fn import() {
///     sleep(millis(1)).await;
/// }
///
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// trap_exit(true);
/// let import = ChildSpec::new("import", || async { spawn_link(import()) })
///     .restart(Restart::Transient)
///     .significant(true);
/// let flags = SupFlags::one_for_one().auto_shutdown(AutoShutdown::AllSignificant);
/// let top = supervisor::start_link(Start::new(), flags, [import]).await?;
/// receive! {
///     Exit { from, reason } if Some(from) == top.whereis() => {
///         assert_eq!(reason, ExitReason::Shutdown);
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AutoShutdown {
    /// Significant children are not allowed.
    #[default]
    Never,
    /// It ends when any significant child has ended on its own and is not restarted.
    AnySignificant,
    /// It ends when the last of its significant children has ended on its own and is not restarted.
    AllSignificant,
}

/// How a supervisor treats its children as a group (OTP's `sup_flags()`).
///
/// ```
/// use fika::prelude::*;
/// use fika::supervisor::{self, AutoShutdown, Strategy, SupFlags};
///
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// // Up to three restarts within a minute. The fourth one is too many.
/// let flags = SupFlags::one_for_all()
///     .intensity(3)
///     .period(secs(60))
///     .auto_shutdown(AutoShutdown::Never);
/// assert_eq!(flags, SupFlags::new(Strategy::OneForAll).intensity(3).period(secs(60)));
/// assert_eq!(SupFlags::one_for_one(), SupFlags::default());
/// assert_ne!(SupFlags::rest_for_one(), SupFlags::default());
/// supervisor::start_link(Start::new(), flags, []).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "flags do nothing by themselves"]
pub struct SupFlags {
    pub(crate) strategy: Strategy,
    pub(crate) intensity: u32,
    pub(crate) period: Duration,
    pub(crate) auto_shutdown: AutoShutdown,
}

impl Default for SupFlags {
    /// `one_for_one`, with one restart within five seconds, as in OTP.
    fn default() -> SupFlags {
        SupFlags {
            strategy: Strategy::OneForOne,
            intensity: 1,
            period: Duration::from_secs(5),
            auto_shutdown: AutoShutdown::Never,
        }
    }
}

impl SupFlags {
    /// Returns flags with this strategy, which allow one restart within five seconds.
    pub fn new(strategy: Strategy) -> SupFlags {
        SupFlags { strategy, ..SupFlags::default() }
    }

    /// Returns flags with [`Strategy::OneForOne`].
    pub fn one_for_one() -> SupFlags {
        SupFlags::new(Strategy::OneForOne)
    }

    /// Returns flags with [`Strategy::OneForAll`].
    pub fn one_for_all() -> SupFlags {
        SupFlags::new(Strategy::OneForAll)
    }

    /// Returns flags with [`Strategy::RestForOne`].
    pub fn rest_for_one() -> SupFlags {
        SupFlags::new(Strategy::RestForOne)
    }

    /// Sets how many restarts are allowed within the period: one, unless this is called. One more
    /// restart ends the supervisor, with the reason `shutdown`. With zero, the first failure ends
    /// it.
    pub fn intensity(mut self, restarts: u32) -> SupFlags {
        self.intensity = restarts;
        self
    }

    /// Sets the period in which restarts are counted: five seconds, unless this is called. It must
    /// not be zero: the start fails with [`SpecError::ZeroPeriod`].
    pub fn period(mut self, period: Duration) -> SupFlags {
        self.period = period;
        self
    }

    /// Sets whether the ends of significant children end the supervisor.
    pub fn auto_shutdown(mut self, auto_shutdown: AutoShutdown) -> SupFlags {
        self.auto_shutdown = auto_shutdown;
        self
    }
}

/// The reason why flags or child specifications were refused (OTP's `{supervisor_data, _}` and
/// `{start_spec, _}`). It is the term of the exit reason of a supervisor that did not start.
///
/// ```standalone_crate
/// use fika::gen_server::StartError;
/// use fika::prelude::*;
/// use fika::supervisor::{self, ChildSpec, SpecError, SupFlags};
/// # async fn serve() { std::future::pending().await }
///
/// # #[fika::main]
/// # async fn main() {
/// let twice = ["a", "a"].map(|id| ChildSpec::new(id, || async { spawn_link(serve()) }));
/// let failed = supervisor::start_link(Start::new(), SupFlags::one_for_one(), twice).await;
/// let Err(StartError::Failed(reason)) = failed else { panic!("it has started") };
/// assert_eq!(reason.get(), Some(SpecError::DuplicateId("a".into())));
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Message)]
#[message(tag = "fika_otp::supervisor::SpecError")]
#[non_exhaustive]
pub enum SpecError {
    /// The period of the flags is zero.
    ZeroPeriod,
    /// Two children have this id.
    DuplicateId(ChildId),
    /// This child is significant and permanent. A permanent child is always restarted, so its end
    /// can't end the supervisor.
    PermanentSignificant(ChildId),
    /// This child is significant, but the supervisor's `auto_shutdown` is `never`.
    SignificantWithoutAutoShutdown(ChildId),
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SpecError::ZeroPeriod => {
                f.write_str("the period of a supervisor's flags is zero: set at least a nanosecond")
            }
            SpecError::DuplicateId(id) => {
                write!(f, "two children have the id {id}: each needs its own")
            }
            SpecError::PermanentSignificant(id) => write!(
                f,
                "the child {id} is significant and permanent: make it transient or temporary"
            ),
            SpecError::SignificantWithoutAutoShutdown(id) => write!(
                f,
                "the child {id} is significant, and the supervisor's `auto_shutdown` is `Never`: \
                 set it to `AnySignificant` or `AllSignificant`"
            ),
        }
    }
}

/// The text that an exit reason shows.
impl fmt::Debug for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for SpecError {}

/// Checks flags and child specifications, as a supervisor does when it starts (OTP's
/// `supervisor:check_childspecs/2`). It starts nothing, and can be called outside of a process.
///
/// ```
/// use fika::prelude::*;
/// use fika::supervisor::{ChildSpec, SpecError, SupFlags, check_childspecs};
/// # async fn serve() { std::future::pending().await }
///
/// let child = ChildSpec::new("a", || async { spawn_link(serve()) }).significant(true);
/// let error = check_childspecs(&SupFlags::one_for_one(), &[child]);
/// assert_eq!(error, Err(SpecError::PermanentSignificant("a".into())));
/// ```
///
/// # Errors
/// If the flags are invalid, two children have one id, or a child does not fit the flags.
pub fn check_childspecs(flags: &SupFlags, children: &[ChildSpec]) -> Result<(), SpecError> {
    if flags.period.is_zero() {
        return Err(SpecError::ZeroPeriod);
    }
    let mut ids = HashSet::with_capacity(children.len());
    for child in children {
        check_child(flags, child)?;
        if !ids.insert(&child.id) {
            return Err(SpecError::DuplicateId(child.id.clone()));
        }
    }
    Ok(())
}

/// Checks whether a child fits the flags (SUP-25).
pub(crate) fn check_child(flags: &SupFlags, child: &ChildSpec) -> Result<(), SpecError> {
    match child.opts.significant {
        true if child.opts.restart == Restart::Permanent => {
            Err(SpecError::PermanentSignificant(child.id.clone()))
        }
        true if flags.auto_shutdown == AutoShutdown::Never => {
            Err(SpecError::SignificantWithoutAutoShutdown(child.id.clone()))
        }
        _ => Ok(()),
    }
}
