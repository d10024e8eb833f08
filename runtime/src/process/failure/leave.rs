//! The ways in which the running process leaves its code: by an error that it raises, and by `exit`.

use std::panic::resume_unwind;

use super::panic::Raised;
use crate::contain::note_unwinding;
use crate::context;
use crate::exit_reason::ExitReason;
use crate::message::node_codec::tries_out;
use crate::report;
use crate::report::Cut;

/// Ends the running process with this reason, since it has called a function wrongly. A destructor
/// that runs while the process unwinds can't unwind again, since that would end the OS process.
/// There, the error is only reported, this returns, and the caller does nothing.
pub(in crate::process) fn refuse(reason: ExitReason) {
    if std::thread::panicking() {
        return context::process("refuse", |me| {
            me.node.logs.panics.line(me.node.env.now(), |left_out| {
                let (pid, reason) = (me.pid(), Cut(&reason));
                report!(error, %pid, %reason, left_out, "a call in a destructor was refused");
            });
        });
    }
    raise(reason);
}

/// Ends the running process by an error, such as `badarg` or `system_limit`. The error is reported
/// like a panic.
pub(in crate::process) fn raise(reason: ExitReason) -> ! {
    begin_unwinding(&reason);
    resume_unwind(Box::new(Raised(reason)))
}

/// Unwinds the running process with this reason. A process that catches the unwinding still ends
/// with this reason, at its next suspension point, unless the runtime runs its code for itself.
pub(in crate::process) fn leave(reason: ExitReason) -> ! {
    if !tries_out() {
        context::try_process(|me| me.control.leave(reason.clone()));
    }
    begin_unwinding(&reason);
    resume_unwind(Box::new(reason))
}

/// Notes why the process is about to unwind. In a program built with `panic = "abort"`, this
/// explains why the program ends.
fn begin_unwinding(reason: &ExitReason) {
    note_unwinding(reason.clone());
    if cfg!(panic = "abort") {
        let aborts = "the program ends with it, since its profile has `panic = \"abort\"`";
        eprintln!("fika: a process ends with reason {}: {aborts}", Cut(reason));
    }
}
