//! How a supervisor treats its children as a group: [`SupFlags`].

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use fika_macros::Message;
use serde::{Deserialize, Serialize};

use super::child_spec::{ChildId, ChildSpec, Restart};

/// The children that a supervisor restarts when one of them ends (OTP's `strategy`).
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
/// `auto_shutdown`).
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
/// use std::time::Duration;
/// use fika_otp::supervisor::{Strategy, SupFlags};
///
/// let flags = SupFlags::new(Strategy::RestForOne).intensity(3).period(Duration::from_secs(60));
/// # let _ = flags;
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "flags do nothing by themselves"]
pub struct SupFlags {
    pub(super) strategy: Strategy,
    pub(super) intensity: u32,
    pub(super) period: Duration,
    pub(super) auto_shutdown: AutoShutdown,
}

impl Default for SupFlags {
    /// `one_for_one`, with one restart within 5 seconds.
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
    /// Returns flags with this strategy, which allow one restart within 5 seconds.
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

    /// Sets how many restarts are allowed within the period. One more restart ends the supervisor.
    /// With zero, the first failure ends it.
    pub fn intensity(mut self, restarts: u32) -> SupFlags {
        self.intensity = restarts;
        self
    }

    /// Sets the period in which restarts are counted. It must not be zero.
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
/// `supervisor:check_childspecs/2`).
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
pub(super) fn check_child(flags: &SupFlags, child: &ChildSpec) -> Result<(), SpecError> {
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
