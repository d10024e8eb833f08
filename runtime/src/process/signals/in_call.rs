//! Signals that a call has sent to its own process, and that take effect before the call returns.

use crate::exit_reason::ExitReason;
use crate::process::core::Running;
use crate::process::failure::leave;

impl Running<'_> {
    /// Handles the signals that a call may have sent to the caller itself. A fatal signal among
    /// them takes effect before the call returns.
    pub(in crate::process) fn take_signals_in_call(self) {
        self.take_signals_aside();
        // A destructor that runs while the process leaves can't leave again.
        if !std::thread::panicking() && self.control.ends() {
            // From now on, only destructors of the process run (PROC-7).
            self.control.set_ending();
            // The reason of the fatal signal was recorded before, and takes precedence over this
            // one.
            leave(ExitReason::Killed);
        }
    }
}
