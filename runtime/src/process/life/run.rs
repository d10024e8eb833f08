//! One turn of a process.

use std::pin::Pin;
use std::task::Context;

use super::exit::end;
use super::growth::check_growth;
use crate::contain::catch_payload;
use crate::context;
use crate::node::Inner;
use crate::priority::Priority;
use crate::process::core::{Body, Running, SlotRef};
use crate::process::failure::reason_of;
use crate::scheduler::Origin;

enum Turn {
    /// The process waits for something.
    Waits,
    /// The process has ended; its reason is recorded.
    Ends,
}

/// Gives a process its turn, and records in `origin` where it was spawned. Returns the priority at
/// which the process is to run again, if it is to run again soon.
pub(crate) fn run(node: &Inner, slot: SlotRef, origin: &Origin) -> Option<Priority> {
    // The borrow of the body ends before the process is parked: from then on another
    // worker may have it.
    match slot.with_body(|body| turn(node, slot, origin, body))? {
        Turn::Waits => (!slot.queue.park()).then(|| slot.vitals.priority()),
        Turn::Ends => {
            end(node, slot);
            None
        }
    }
}

fn turn(node: &Inner, slot: SlotRef, origin: &Origin, mut body: Pin<&mut dyn Body>) -> Turn {
    // A panic anywhere in the turn ends the process, which would otherwise never run again.
    let turn = catch_payload(|| try_turn(node, slot, origin, body.as_mut()));
    turn.unwrap_or_else(|payload| {
        let control = body.as_mut().control();
        control.end_turn();
        // An earlier fatal signal or `exit` decides the reason.
        control.ends();
        // The payload's destructor runs in the process.
        control.crash(context::enter_process(control, || reason_of(payload)));
        Turn::Ends
    })
}

fn try_turn(node: &Inner, slot: SlotRef, origin: &Origin, mut body: Pin<&mut dyn Body>) -> Turn {
    let control = body.as_mut().control();
    origin.set(control.site);
    control.begin_turn();
    let taken = slot.queue.take();
    // A process that was never polled is polled, whatever has woken it.
    control.works.set(taken.notified || slot.vitals.reductions() == 0);
    let me = Running { control, node };
    me.handle_all(taken.signals);
    check_growth(me, false);
    if control.is_doomed() {
        return Turn::Ends;
    }
    if slot.vitals.is_suspended() || !control.works.get() {
        return Turn::Waits;
    }
    if control.has_tasks.get() {
        control.wake_tasks();
    }
    let waker = slot.waker();
    let polled = body.as_mut().__rust_begin_short_backtrace(&mut Context::from_waker(&waker));
    let control = body.as_mut().control();
    control.end_turn();
    // An earlier fatal signal decides the reason, or an `exit` whose unwinding the process has
    // caught.
    if control.ends() || polled.is_ready() {
        return Turn::Ends;
    }
    stop_or_shrink(slot, body);
    Turn::Waits
}

/// Does what few processes have to do at the end of a turn.
fn stop_or_shrink(slot: SlotRef, body: Pin<&mut dyn Body>) {
    if slot.vitals.is_suspended() {
        body.control().tell_suspenders();
    } else if slot.vitals.is_hibernating() {
        body.control_mut().shrink();
    }
}
