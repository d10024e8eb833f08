//! What a process sets about itself.

use crate::context;
use crate::priority::Priority;

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
