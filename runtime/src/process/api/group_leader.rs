//! Group leaders: each process inherits one from the process that spawned it.
//!
//! The runtime does nothing with them: they show which processes belong together. A process that no
//! process spawned, such as the process of `#[fika::main]`, leads itself.

use crate::context;
use crate::pid::Pid;
use crate::signal::Signal;

/// Returns the running process's group leader (Erlang's `group_leader/0`).
///
/// ```
/// # use fika_runtime::{Node, group_leader, self_pid};
/// # Node::builder().build().unwrap().block_on(async {
/// println!("{} leads {}", group_leader(), self_pid());
/// # });
/// ```
///
/// # Panics
/// Outside of a process.
#[must_use]
#[track_caller]
pub fn group_leader() -> Pid {
    context::process("group_leader", |me| me.control.slot.vitals.group_leader())
}

/// Gives a process another group leader (Erlang's `group_leader/2`). This sends a signal: the
/// change takes effect in order with the other signals of the caller to `pid`, also on another
/// node. If the process has ended, or can't be reached, nothing happens. Processes that `pid` has
/// spawned before keep their group leader.
///
/// ```
/// # use fika_runtime::{Node, group_leader, self_pid, set_group_leader};
/// # Node::builder().build().unwrap().block_on(async {
/// set_group_leader(self_pid(), self_pid());
/// assert_eq!(group_leader(), self_pid());
/// # });
/// ```
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn set_group_leader(leader: Pid, pid: Pid) {
    context::process("set_group_leader", |me| {
        let Some(me) = me.unless_ending() else { return };
        if pid == me.pid() {
            // The change takes effect before anything else that the process does.
            me.control.slot.vitals.set_group_leader(leader);
        } else {
            me.node.signal(pid, Signal::GroupLeader { leader });
        }
    });
}
