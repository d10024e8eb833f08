//! Serving the requests of other processes, such as `process_info`.

use super::suspended::{resume, suspend};
use super::told::info;
use crate::context;
use crate::process::core::Running;
use crate::request::{Kind, Request};

impl Running<'_> {
    /// Returns whether the process is being polled, so that its own code has called this.
    pub(super) fn is_polled(self) -> bool {
        context::try_process(|me| std::ptr::eq(me.control, self.control)).unwrap_or(false)
    }

    pub(super) fn handle_request(self, Request(kind): Request) {
        match kind {
            Kind::Info { items, seen_running, answer } => {
                answer.give(info(self, &items, seen_running));
            }
            Kind::IsAlive(answer) => answer.give(()),
            Kind::Suspend { from, answer } => suspend(self, from, answer),
            Kind::Resume { from } => resume(self, from),
            Kind::ReportHeldUp => self.report_held_up(),
            Kind::SuspendedEnds { from } => self.control.forget_suspended(from),
        }
    }
}
