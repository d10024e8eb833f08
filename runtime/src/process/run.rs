//! One turn of a process.

use std::pin::Pin;
use std::task::{Context, Poll};

use super::control::{Body, Running, SlotRef};
use super::exit::{catch, end};
use crate::exit_reason::ExitReason;
use crate::node::Inner;

enum Turn {
    /// It waits for something.
    Waits,
    Ends(ExitReason),
}

/// Gives a process its turn; says whether it is to have another soon.
pub(crate) fn run(node: &Inner, slot: SlotRef) -> bool {
    // The borrow of the body ends before the process is parked: from then on another
    // worker may have it.
    match slot.with_body(|body| turn(node, slot, body)) {
        Some(Turn::Waits) => !slot.queue.park(),
        Some(Turn::Ends(reason)) => {
            end(node, slot, reason);
            false
        }
        None => false,
    }
}

fn turn(node: &Inner, slot: SlotRef, mut body: Pin<&mut dyn Body>) -> Turn {
    let control = body.as_mut().control();
    control.refill_budget();
    Running { control, node }.handle_all(slot.queue.take().signals);
    if let Some(reason) = control.doom.take() {
        return Turn::Ends(reason);
    }
    let waker = slot.waker();
    let polled = catch(|| body.as_mut().poll(&mut Context::from_waker(&waker)));
    match (body.control().doom.take(), polled) {
        (Some(reason), _) | (None, Err(reason)) => Turn::Ends(reason),
        (None, Ok(Poll::Ready(()))) => Turn::Ends(ExitReason::Normal),
        (None, Ok(Poll::Pending)) => Turn::Waits,
    }
}
