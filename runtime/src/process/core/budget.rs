//! How much a process may do in one turn before others have theirs.
//!
//! A turn has a number of *reductions*: each message that is taken costs one, so does each
//! other suspension point of this crate that does not have to wait, and a program can spend
//! more by [`bump_reductions`]. Besides, the monitor thread ends a turn that takes long; see
//! `scheduler::monitor`. Both are looked at where the process can be suspended. A future of
//! another crate that is always ready can't be interrupted; the monitor thread then sees to it
//! that others go on elsewhere.

use std::future::poll_fn;
use std::task::{Context, Poll};

use super::control::Control;
use crate::context;
use crate::exit_reason::ExitReason;
use crate::process::life::{end_in_destructor, raise};
use crate::report;
use crate::scheduler::is_overdue;

/// The reductions of a turn.
const TURN_REDUCTIONS: u32 = 256;

impl Control {
    /// A turn begins.
    pub(in crate::process) fn begin_turn(&self) {
        self.used.set(0);
    }

    /// A turn ends: what it has used is added to the sum, and one for the poll itself.
    pub(in crate::process) fn end_turn(&self) {
        self.slot.vitals.add_reductions(u64::from(self.used.get()) + 1);
    }

    /// The turn is to end at the next suspension point: the process ends, or is suspended.
    pub(in crate::process) fn cut_turn(&self) {
        self.used.set(self.used.get().max(TURN_REDUCTIONS));
    }

    /// Takes one from the budget; false if the turn should end first.
    #[inline]
    pub(in crate::process) fn spend(&self) -> bool {
        let used = self.used.get();
        if used >= TURN_REDUCTIONS || is_overdue() {
            return false;
        }
        self.used.set(used + 1);
        true
    }

    /// At a suspension point that could be passed: true if the turn should end first.
    #[inline]
    pub(in crate::process) fn gives_way(&self) -> bool {
        !self.spend() && self.gives_way_now()
    }

    #[cold]
    fn gives_way_now(&self) -> bool {
        let ends = !self.is_in_destructor();
        if ends {
            self.stops();
        }
        ends
    }

    /// All that the process has used.
    pub(in crate::process) fn reductions(&self) -> u64 {
        self.slot.vitals.reductions() + u64::from(self.used.get())
    }
}

/// At a suspension point of the running process that could go on: whether the turn is over, so
/// that it must wait to be polled again.
pub(in crate::process) fn gives_way(context: &Context<'_>) -> bool {
    // Outside of a process there is no turn.
    let gives_way = context::try_process(|me| me.control.gives_way()).unwrap_or(false);
    if gives_way {
        context.waker().wake_by_ref();
    }
    gives_way
}

/// At a suspension point that was waited at: whether the running process can't go on. Whatever
/// it has waited for, it is polled again if it may go on after all.
pub(in crate::process) fn stops(context: &Context<'_>) -> bool {
    let stops = context::try_process(|me| me.control.stops()).unwrap_or(false);
    if stops {
        context.waker().wake_by_ref();
    }
    stops
}

/// Returns whether a destructor of the running process runs: it does not wait, since its process
/// can't be suspended there, takes no signals between turns, and in a simulation nothing else would
/// run meanwhile.
#[doc(hidden)]
#[must_use]
pub fn is_in_destructor() -> bool {
    context::try_process(|me| me.control.is_in_destructor()).unwrap_or(false)
}

/// Leaves a destructor that waits for something that can no longer happen, by unwinding. During a
/// panic this would abort the OS process, so the process ends there, and its thread is lost. A node
/// without threads, in a simulation, has none to lose: there the OS process aborts.
pub(in crate::process) fn leave_destructor(function: &str) -> ! {
    const WHY: &str = "a destructor waits, but its process is ending: don't wait \
                       in destructors, or only with a time limit";
    let why = || ExitReason::badarg(format_args!("`{function}`: {WHY}"));
    context::try_process(|me| {
        if std::thread::panicking() && me.node.scheduler.by_steps().is_none() {
            let pid = me.pid();
            report!(error, %pid, function, "{WHY}; the thread that runs it is lost");
            end_in_destructor(me, why());
        }
    });
    raise(why())
}

/// Lets other processes run first (Erlang's `yield/0`).
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return if stops(context) { Poll::Pending } else { Poll::Ready(()) };
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Spends so many reductions of the running process's turn, as if it had taken so many
/// messages (Erlang's `erlang:bump_reductions/1`).
///
/// A turn has 256. When they are used up the process gives way at the next suspension point of
/// this crate, such as `receive!` or [`sleep`](crate::sleep), although it could go on. For work
/// that is more than a message usually makes, and for loops; to give way at once, use
/// [`yield_now`].
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn bump_reductions(reductions: u32) {
    context::process("bump_reductions", |me| {
        let used = &me.control.used;
        used.set(used.get().saturating_add(reductions));
    });
}
