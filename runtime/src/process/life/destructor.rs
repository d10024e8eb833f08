//! Destructors of a process that wait for something that can no longer happen.

use super::exit::end_in_destructor;
use crate::context;
use crate::exit_reason::ExitReason;
use crate::process::failure::raise;
use crate::report;

/// Leaves a destructor that waits for something that can no longer happen, by unwinding. During a
/// panic this would abort the OS process, so the process ends there, and its thread is lost. A node
/// in a simulation has no thread to lose: there the OS process aborts.
pub(in crate::process) fn leave_destructor(function: &str) -> ! {
    const WHY: &str = "a destructor waits, but its process is ending: don't wait \
                       in destructors, or only with a time limit";
    let why = || ExitReason::badarg(format_args!("`{function}`: {WHY}"));
    context::try_process(|me| {
        if std::thread::panicking() && me.node.scheduler.by_steps().is_none() {
            let pid = me.pid();
            report!(error, %pid, function, "{WHY}; the thread that runs it is lost");
            end_in_destructor(me, why());
        }
    });
    raise(why())
}
