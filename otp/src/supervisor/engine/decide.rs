//! The decisions of a supervisor about its children, as functions over plain data without a process
//! (OTP's `supervisor:do_restart/3` and related functions).

use std::collections::VecDeque;
use std::time::Duration;

use fika_runtime::{ExitReason, Time};

use crate::supervisor::spec::child_spec::{Restart, Shutdown};
use crate::supervisor::spec::flags::{AutoShutdown, Strategy};

/// The fate of a child that has ended or was not started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// It is restarted.
    Restart,
    /// Its specification stays, without a process.
    Keep,
    /// Its specification is removed.
    Forget,
}

/// Decides about a child that has ended on its own (SUP-9). `keyed` is whether specifications
/// without a process have an id by which they can be restarted.
pub(super) fn after_end(restart: Restart, reason: &ExitReason, keyed: bool) -> Fate {
    match restart {
        Restart::Permanent => Fate::Restart,
        Restart::Transient if !reason.is_orderly() => Fate::Restart,
        Restart::Transient if keyed => Fate::Keep,
        Restart::Transient | Restart::Temporary => Fate::Forget,
    }
}

/// Decides about a child that the supervisor has ended (SUP-11, SUP-17).
pub(super) fn after_stop(restart: Restart, keyed: bool) -> Fate {
    match restart {
        Restart::Permanent | Restart::Transient if keyed => Fate::Keep,
        _ => Fate::Forget,
    }
}

/// Decides about a child whose start function returned "ignore" (SUP-5, SUP-22).
pub(super) fn after_ignore(restart: Restart, keyed: bool) -> Fate {
    after_stop(restart, keyed)
}

/// The reason why a child is started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Occasion {
    /// The start of the supervisor.
    Boot,
    /// A call of `start_child`.
    First,
    /// A call of `restart_child`.
    Again,
    /// The end of the child, or of another child of its group.
    Restart,
}

/// The consequence of a failed start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum AfterFailure {
    /// The supervisor does not start (SUP-4).
    GiveUp,
    /// Nothing is stored (SUP-16, SUP-22).
    Forget,
    /// The specification stays, without a process (SUP-18).
    Keep,
    /// The supervisor tries again, which counts as one more restart (SUP-13, SUP-14).
    Retry,
}

/// Decides about a failed start.
pub(super) fn after_failure(occasion: Occasion) -> AfterFailure {
    match occasion {
        Occasion::Boot => AfterFailure::GiveUp,
        Occasion::First => AfterFailure::Forget,
        Occasion::Again => AfterFailure::Keep,
        Occasion::Restart => AfterFailure::Retry,
    }
}

/// The other children that are ended and started again when a child is restarted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Siblings {
    /// No others.
    None,
    /// The children that were started after it.
    Later,
    /// All other children.
    All,
}

/// Returns the siblings that share a restart (SUP-10).
pub(super) fn siblings(strategy: Strategy) -> Siblings {
    match strategy {
        Strategy::OneForOne => Siblings::None,
        Strategy::RestForOne => Siblings::Later,
        Strategy::OneForAll => Siblings::All,
    }
}

/// Decides whether the end of a child on its own ends the supervisor (SUP-24). `running` is how many
/// other significant children run or will.
pub(super) fn shuts_down(auto: AutoShutdown, significant: bool, running: usize) -> bool {
    match auto {
        AutoShutdown::Never => false,
        AutoShutdown::AnySignificant => significant,
        AutoShutdown::AllSignificant => significant && running == 0,
    }
}

/// Returns whether the end of a child on its own is reported (SUP-31).
pub(super) fn is_reported(restart: Restart, reason: &ExitReason) -> bool {
    restart == Restart::Permanent || !reason.is_orderly()
}

/// Returns whether a child that was asked to end did so with an expected reason (SUP-7).
pub(super) fn ends_as_asked(shutdown: Shutdown, restart: Restart, reason: &ExitReason) -> bool {
    match (shutdown, reason) {
        (Shutdown::BrutalKill, ExitReason::Killed) => true,
        (Shutdown::Timeout(_) | Shutdown::Infinity, ExitReason::Shutdown) => true,
        _ => restart != Restart::Permanent && reason.is_orderly(),
    }
}

/// The restarts of a supervisor within its period (SUP-12).
#[derive(Debug)]
pub(super) struct Intensity {
    max: usize,
    period: Duration,
    /// The times of the last restarts, at most `max` of them.
    times: VecDeque<Time>,
}

impl Intensity {
    pub(super) fn new(intensity: u32, period: Duration) -> Intensity {
        let max = usize::try_from(intensity).unwrap_or(usize::MAX);
        Intensity { max, period, times: VecDeque::new() }
    }

    /// Counts a restart. Returns whether it is one too many.
    pub(super) fn exceeds(&mut self, now: Time) -> bool {
        while self.times.front().is_some_and(|first| now.since(*first) > self.period) {
            self.times.pop_front();
        }
        if self.times.len() >= self.max {
            return true;
        }
        self.times.push_back(now);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn other() -> ExitReason {
        ExitReason::Error("it failed".into())
    }

    /// `{shutdown, _}` with a term of a type that this program does not have. A term of a type of
    /// its own could not be made here: see the dependencies for tests in `Cargo.toml`.
    fn shutdown_with() -> ExitReason {
        let (tag, fingerprint, nodes, value, text) = (b'T', 0, 0, 0, 0);
        let encoded = [1, tag, fingerprint, nodes, value, text];
        let term = fika_runtime::message::decode_postcard(&encoded);
        ExitReason::ShutdownWith(term.expect("the wire form of a term"))
    }

    /// SUP-9: a child that ends is restarted, kept or removed by its restart type and exit reason.
    #[test]
    fn after_an_end_the_restart_type_decides() {
        use Fate::{Forget, Keep, Restart as Again};
        use Restart::{Permanent, Temporary, Transient};
        let cases = [
            (Permanent, ExitReason::Normal, Again),
            (Permanent, ExitReason::Shutdown, Again),
            (Permanent, shutdown_with(), Again),
            (Permanent, ExitReason::Killed, Again),
            (Permanent, other(), Again),
            (Transient, ExitReason::Normal, Keep),
            (Transient, ExitReason::Shutdown, Keep),
            (Transient, shutdown_with(), Keep),
            (Transient, ExitReason::Killed, Again),
            (Transient, ExitReason::Noconnection, Again),
            (Transient, ExitReason::Noproc, Again),
            (Transient, other(), Again),
            (Temporary, ExitReason::Normal, Forget),
            (Temporary, ExitReason::Shutdown, Forget),
            (Temporary, ExitReason::Killed, Forget),
            (Temporary, other(), Forget),
        ];
        for (restart, reason, fate) in cases {
            assert_eq!(after_end(restart, &reason, true), fate, "{restart:?} {reason}");
            // A child without an id could never be restarted by hand.
            let without_id = if fate == Keep { Forget } else { fate };
            assert_eq!(after_end(restart, &reason, false), without_id, "{restart:?} {reason}");
        }
    }

    /// SUP-5, SUP-11, SUP-17, SUP-22: a child that was ended on request, or whose start was
    /// ignored, keeps its specification only if it has an id and is not temporary.
    #[test]
    fn a_specification_stays_unless_the_child_is_temporary_or_has_no_id() {
        let cases = [
            (Restart::Permanent, true, Fate::Keep),
            (Restart::Transient, true, Fate::Keep),
            (Restart::Temporary, true, Fate::Forget),
            (Restart::Permanent, false, Fate::Forget),
            (Restart::Transient, false, Fate::Forget),
            (Restart::Temporary, false, Fate::Forget),
        ];
        for (restart, keyed, fate) in cases {
            assert_eq!(after_stop(restart, keyed), fate, "{restart:?} {keyed}");
            assert_eq!(after_ignore(restart, keyed), fate, "{restart:?} {keyed}");
        }
    }

    /// SUP-4, SUP-13, SUP-16, SUP-18: a failed restart is retried; any other failed start is not.
    #[test]
    fn only_restarts_are_retried() {
        let cases = [
            (Occasion::Boot, AfterFailure::GiveUp),
            (Occasion::First, AfterFailure::Forget),
            (Occasion::Again, AfterFailure::Keep),
            (Occasion::Restart, AfterFailure::Retry),
        ];
        for (occasion, expected) in cases {
            assert_eq!(after_failure(occasion), expected);
        }
    }

    /// SUP-10: each strategy restarts its own set of siblings.
    #[test]
    fn the_strategy_names_the_siblings() {
        let cases = [
            (Strategy::OneForOne, Siblings::None),
            (Strategy::RestForOne, Siblings::Later),
            (Strategy::OneForAll, Siblings::All),
        ];
        for (strategy, expected) in cases {
            assert_eq!(siblings(strategy), expected);
        }
    }

    /// SUP-24: the supervisor ends with any significant child or with the last one, as
    /// `auto_shutdown` says.
    #[test]
    fn significant_ends_shut_down() {
        use AutoShutdown::{AllSignificant, AnySignificant, Never};
        let cases = [
            (Never, true, 0, false),
            (Never, false, 0, false),
            (AnySignificant, true, 5, true),
            (AnySignificant, true, 0, true),
            (AnySignificant, false, 0, false),
            (AllSignificant, true, 1, false),
            (AllSignificant, true, 0, true),
            (AllSignificant, false, 0, false),
        ];
        for (auto, significant, running, expected) in cases {
            assert_eq!(shuts_down(auto, significant, running), expected, "{auto:?} {significant}");
        }
    }

    /// SUP-7: each shutdown setting has its own expected exit reasons.
    #[test]
    fn unexpected_ends_are_told_from_expected_ones() {
        use Restart::{Permanent, Temporary, Transient};
        let timeout = Shutdown::Timeout(Duration::from_secs(1));
        let cases = [
            (Shutdown::BrutalKill, Permanent, ExitReason::Killed, true),
            (Shutdown::BrutalKill, Permanent, ExitReason::Shutdown, false),
            (Shutdown::BrutalKill, Transient, ExitReason::Normal, true),
            (timeout, Permanent, ExitReason::Shutdown, true),
            (timeout, Permanent, shutdown_with(), false),
            (timeout, Permanent, ExitReason::Normal, false),
            (timeout, Permanent, ExitReason::Killed, false),
            (timeout, Temporary, ExitReason::Normal, true),
            (timeout, Temporary, shutdown_with(), true),
            (timeout, Temporary, ExitReason::Killed, false),
            (Shutdown::Infinity, Permanent, ExitReason::Shutdown, true),
            (Shutdown::Infinity, Transient, other(), false),
        ];
        for (shutdown, restart, reason, expected) in cases {
            assert_eq!(
                ends_as_asked(shutdown, restart, &reason),
                expected,
                "{shutdown:?} {reason}"
            );
        }
    }

    /// SUP-31: every abnormal end is reported, and an orderly end only for a permanent child.
    #[test]
    fn benign_ends_are_not_reported() {
        let cases = [
            (Restart::Permanent, ExitReason::Normal, true),
            (Restart::Transient, ExitReason::Normal, false),
            (Restart::Transient, other(), true),
            (Restart::Temporary, ExitReason::Shutdown, false),
            (Restart::Temporary, ExitReason::Killed, true),
        ];
        for (restart, reason, expected) in cases {
            assert_eq!(is_reported(restart, &reason), expected, "{restart:?} {reason}");
        }
    }

    /// SUP-12: one more than `intensity` within `period` is too many, at any time.
    #[test]
    fn the_intensity_is_exact() {
        let at = |ms| Time::new(Duration::from_millis(ms));
        let cases: [(u32, &[(u64, bool)]); 4] = [
            (0, &[(0, true)]),
            (1, &[(0, false), (1000, true)]),
            (1, &[(0, false), (1001, false), (2001, true)]),
            (3, &[(0, false), (400, false), (800, false), (1001, false), (1400, true)]),
        ];
        for (max, restarts) in cases {
            let mut intensity = Intensity::new(max, Duration::from_secs(1));
            for (ms, exceeds) in restarts {
                assert_eq!(intensity.exceeds(at(*ms)), *exceeds, "{max} at {ms}");
            }
        }
    }
}
