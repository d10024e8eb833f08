//! Group leaders: each process has one, which it got from the process that spawned it.
//!
//! The runtime does nothing with them: they say which processes belong together. A process
//! that no process spawned, such as the one in which `#[fika::main]` runs, leads itself.

use crate::context;
use crate::pid::Pid;
use crate::signal::Signal;

/// The running process's group leader (Erlang's `group_leader/0`).
///
/// # Panics
/// Outside of a process.
#[must_use]
#[track_caller]
pub fn group_leader() -> Pid {
    context::process("group_leader", |me| me.control.slot.vitals.group_leader())
}

/// Gives a process another group leader (Erlang's `group_leader/2`). It is a signal: the change
/// takes effect in order with what else the caller sends to `pid`, also on another node. To a
/// process that has ended, or that can't be reached, it does nothing. Processes that `pid` has
/// spawned before keep theirs.
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn set_group_leader(leader: Pid, pid: Pid) {
    context::process("set_group_leader", |me| {
        if me.control.ending.get() {
            return;
        }
        if pid == me.pid() {
            // Before anything else that it does.
            me.control.slot.vitals.set_group_leader(leader);
        } else {
            me.node.signal(pid, Signal::GroupLeader { leader });
        }
    });
}
