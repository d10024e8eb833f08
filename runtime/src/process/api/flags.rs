//! What a process sets about itself.

use crate::context;
use crate::priority::Priority;

/// Says whether the running process goes on where it sends over a congested connection, and is
/// not suspended until there is room; returns what was so before (Erlang's
/// `process_flag(async_dist, Flag)`). What it sends then is queued without limit, in its order.
///
/// It is false in a new process, unless its node has another default or it was spawned with
/// [`SpawnOpts::async_dist`](crate::SpawnOpts::async_dist).
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn async_dist(on: bool) -> bool {
    context::process("async_dist", |me| {
        let before = me.control.slot.vitals.is_async_dist();
        me.control.slot.vitals.set_async_dist(on);
        before
    })
}

/// Sets the running process's priority; returns what it was before (Erlang's
/// `process_flag(priority, Level)`). It counts from the next time on that the process is
/// queued. A new process has [`Priority::Normal`], unless it was spawned with
/// [`SpawnOpts::priority`](crate::SpawnOpts::priority).
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn set_priority(priority: Priority) -> Priority {
    context::process("set_priority", |me| {
        let before = me.control.slot.vitals.priority();
        me.control.slot.vitals.set_priority(priority);
        before
    })
}
