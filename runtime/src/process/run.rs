//! One turn of a process.

use std::pin::Pin;
use std::task::{Context, Poll};

use super::control::{Body, Running, SlotRef};
use super::exit::{catch_payload, end, reason_of};
use crate::exit_reason::ExitReason;
use crate::node::Inner;

enum Turn {
    /// It waits for something.
    Waits,
    /// It is over; the reason is in `doom`.
    Ends,
}

/// Gives a process its turn; says whether it is to have another soon.
pub(crate) fn run(node: &Inner, slot: SlotRef) -> bool {
    // The borrow of the body ends before the process is parked: from then on another
    // worker may have it.
    match slot.with_body(|body| turn(node, slot, body)) {
        Some(Turn::Waits) => !slot.queue.park(),
        Some(Turn::Ends) => {
            end(node, slot);
            false
        }
        None => false,
    }
}

fn turn(node: &Inner, slot: SlotRef, mut body: Pin<&mut dyn Body>) -> Turn {
    let control = body.as_mut().control();
    control.refill_budget();
    Running { control, node }.handle_all(slot.queue.take().signals);
    if control.is_doomed() {
        return Turn::Ends;
    }
    let waker = slot.waker();
    let polled = catch_payload(|| body.as_mut().poll(&mut Context::from_waker(&waker)));
    let control = body.control();
    // A fatal signal that came before decides the reason.
    match polled {
        Ok(Poll::Pending) if !control.is_doomed() => return Turn::Waits,
        Ok(Poll::Pending) => {}
        Ok(Poll::Ready(())) => control.doom(ExitReason::Normal),
        Err(payload) => control.doom(reason_of(payload)),
    }
    Turn::Ends
}
