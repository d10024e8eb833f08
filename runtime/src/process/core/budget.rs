//! How much a process may do in one turn.
//!
//! A turn has a number of *reductions*. Each message that a receive takes costs one. Each other
//! suspension point of this crate that does not have to wait costs one, too. A program can spend
//! more by [`bump_reductions`]. The monitor thread also ends a turn that takes long; see
//! `scheduler::monitor`. Both are checked at suspension points of this crate. A future of another
//! crate that is always ready can't be interrupted; the monitor thread then lets other processes
//! run on another thread.

use std::future::poll_fn;
use std::task::{Context, Poll};

use super::control::Control;
use crate::context;
use crate::scheduler::{is_overdue, poll_driver_next};

/// The reductions of a turn.
const TURN_REDUCTIONS: u32 = 256;

impl Control {
    /// Begins a turn.
    pub(in crate::process) fn begin_turn(&self) {
        self.used.set(0);
    }

    /// Ends a turn: adds its reductions to the sum, and one for the poll itself.
    pub(in crate::process) fn end_turn(&self) {
        self.slot.vitals.add_reductions(u64::from(self.used.get()) + 1);
    }

    /// Makes the turn end at the next suspension point, since the process ends or is suspended.
    pub(in crate::process) fn cut_turn(&self) {
        self.used.set(self.used.get().max(TURN_REDUCTIONS));
    }

    /// Spends one reduction. Returns false if the turn should end first.
    #[inline]
    pub(super) fn spend(&self) -> bool {
        let used = self.used.get();
        if used >= TURN_REDUCTIONS || is_overdue() {
            return false;
        }
        self.used.set(used + 1);
        true
    }

    /// Returns whether the turn should end before the process passes this suspension point.
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

    /// Returns all reductions that the process has spent.
    pub(in crate::process) fn reductions(&self) -> u64 {
        self.slot.vitals.reductions() + u64::from(self.used.get())
    }
}

/// Returns whether the turn of the running process is over, at a suspension point that it could
/// pass. If so, the process is polled again in its next turn.
pub(in crate::process) fn gives_way(context: &Context<'_>) -> bool {
    // Outside of a process there is no turn.
    let gives_way = context::try_process(|me| me.control.gives_way()).unwrap_or(false);
    if gives_way {
        context.waker().wake_by_ref();
    }
    gives_way
}

/// Returns whether the running process must not continue after a wait, since it is ending or
/// suspended. Then the process is polled again when it may continue.
pub(in crate::process) fn stops(context: &Context<'_>) -> bool {
    let stops = context::try_process(|me| me.control.stops()).unwrap_or(false);
    if stops {
        context.waker().wake_by_ref();
    }
    stops
}

/// Returns whether a destructor of the running process runs. A destructor does not wait: its
/// process can't be suspended there and takes no signals, and in a simulation nothing else would
/// run meanwhile.
#[doc(hidden)]
#[must_use]
pub fn is_in_destructor() -> bool {
    context::try_process(|me| me.control.is_in_destructor()).unwrap_or(false)
}

/// Lets other processes run first (Erlang's `yield/0`).
///
/// ```
/// # use fika_runtime::{Node, yield_now};
/// # Node::builder().build().unwrap().block_on(async {
/// # let lines: [&str; 0] = [];
/// for (n, line) in lines.iter().enumerate() {
///     // ... work that does not wait for anything ...
///     if n % 1_000 == 0 {
///         yield_now().await;
///     }
/// }
/// # });
/// ```
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

/// Yields like [`yield_now`], and has the worker poll the driver before its next task. For
/// processes whose turns are so long that sockets and timers would wait too long otherwise.
#[doc(hidden)]
pub async fn yield_to_driver() {
    poll_driver_next();
    yield_now().await;
}

/// Spends reductions of the running process's turn, as if it had received that many messages
/// (Erlang's `erlang:bump_reductions/1`).
///
/// A turn has 256 reductions. When they are used up, the process yields at the next suspension
/// point of this crate, such as `receive!` or [`sleep`](crate::sleep), even if it does not have to
/// wait there. Use it for loops, and for a message that takes much more work than others. To yield
/// immediately, use [`yield_now`].
///
/// ```
/// # use fika_runtime::{Node, bump_reductions};
/// # Node::builder().build().unwrap().block_on(async {
/// # let picture = vec![0_u8; 1 << 20];
/// // Work outside of fika that is worth about as much as these messages.
/// let sum: u64 = picture.iter().map(|byte| u64::from(*byte)).sum();
/// bump_reductions(500);
/// # assert_eq!(sum, 0);
/// # });
/// ```
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
