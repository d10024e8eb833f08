//! Flags that a process sets for itself.

use crate::context;
use crate::priority::Priority;

/// Sets whether the running process keeps running when it sends over a congested connection,
/// instead of being suspended until there is room. Returns the previous value (Erlang's
/// `process_flag(async_dist, Flag)`). Everything that the process sends meanwhile is queued without
/// limit, in order.
///
/// The flag is false in a new process, unless the node has another default or the process was
/// spawned with [`SpawnOpts::async_dist`](crate::SpawnOpts::async_dist).
///
/// ```
/// # use fika_runtime::{Node, async_dist};
/// # Node::builder().build().unwrap().block_on(async {
/// // This process must never wait for a slow node.
/// let before = async_dist(true);
/// assert!(!before);
/// # });
/// ```
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

/// Sets the running process's priority, and returns the previous one (Erlang's
/// `process_flag(priority, Level)`). The new priority applies from the next time that the process
/// is queued. A new process has [`Priority::Normal`], unless it was spawned with
/// [`SpawnOpts::priority`](crate::SpawnOpts::priority).
///
/// ```
/// # use fika_runtime::{Node, Priority, set_priority};
/// # Node::builder().build().unwrap().block_on(async {
/// let before = set_priority(Priority::Low);
/// assert_eq!(before, Priority::Normal);
/// # });
/// ```
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
