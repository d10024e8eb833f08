//! One turn of a process.

use std::pin::Pin;
use std::task::{Context, Poll};

use super::control::{Body, Running, SlotRef};
use super::exit::{catch_payload, end, is_error, reason_of};
use crate::context;
use crate::exit_reason::ExitReason;
use crate::node::Inner;
use crate::priority::Priority;
use crate::scheduler::Origin;

enum Turn {
    /// It waits for something.
    Waits,
    /// It is over; the reason is noted. For an error of its own, if `crashes`.
    Ends { crashes: bool },
}

/// Gives a process its turn, and notes in `origin` where it was spawned. If the process is to
/// have another turn soon, returns the priority for it.
pub(crate) fn run(node: &Inner, slot: SlotRef, origin: &Origin) -> Option<Priority> {
    // The borrow of the body ends before the process is parked: from then on another
    // worker may have it.
    match slot.with_body(|body| turn(node, slot, origin, body))? {
        Turn::Waits => (!slot.queue.park()).then(|| slot.vitals.priority()),
        Turn::Ends { crashes } => {
            end(node, slot, crashes);
            None
        }
    }
}

fn turn(node: &Inner, slot: SlotRef, origin: &Origin, mut body: Pin<&mut dyn Body>) -> Turn {
    let control = body.as_mut().control();
    origin.set(control.site);
    control.begin_turn();
    let taken = slot.queue.take();
    // One that was never polled is to be polled whatever woke it.
    control.works.set(taken.notified || slot.vitals.reductions() == 0);
    Running { control, node }.handle_all(taken.signals);
    if control.is_doomed() {
        return Turn::Ends { crashes: false };
    }
    if slot.vitals.is_suspended() || !control.works.get() {
        return Turn::Waits;
    }
    let waker = slot.waker();
    let polled = catch_payload(|| body.as_mut().poll(&mut Context::from_waker(&waker)));
    let control = body.as_mut().control();
    control.end_turn();
    // A fatal signal that came before decides the reason.
    let crashes = match polled {
        Ok(Poll::Pending) if !control.is_doomed() => {
            stop_or_shrink(slot, body);
            return Turn::Waits;
        }
        Ok(Poll::Pending) => false,
        Ok(Poll::Ready(())) => {
            control.doom(ExitReason::Normal);
            false
        }
        Err(payload) => {
            let crashes = is_error(&*payload) && !control.is_doomed();
            // Its destructor is the process's, too.
            control.doom(context::enter_process(control, || reason_of(payload)));
            crashes
        }
    };
    Turn::Ends { crashes }
}

/// A turn is over, and few processes have more to do about that.
fn stop_or_shrink(slot: SlotRef, body: Pin<&mut dyn Body>) {
    if slot.vitals.is_suspended() {
        body.control().tell_suspenders();
    } else if slot.vitals.is_hibernating() {
        body.control_mut().shrink();
    }
}
