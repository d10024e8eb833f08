//! The reports of a supervisor about its children (SUP-31).

use std::fmt::Display;

use fika_runtime::{Envelope, LogRate, Name, Node, Pid, report};

use super::children::Child;
use crate::supervisor::spec::child_spec::ChildOpts;

/// An event that is reported.
#[derive(Clone, Copy)]
pub(super) enum Event {
    ChildTerminated,
    StartError,
    ShutdownError,
    ReachedMaxIntensity,
}

impl Event {
    fn text(self) -> &'static str {
        match self {
            Event::ChildTerminated => "child_terminated",
            Event::StartError => "start_error",
            Event::ShutdownError => "shutdown_error",
            Event::ReachedMaxIntensity => "reached_max_restart_intensity",
        }
    }
}

/// Limits the reports of a node's supervisors.
#[derive(Default)]
struct Reports(LogRate);

/// Limits the reports of unexpected messages of a node's supervisors.
#[derive(Default)]
struct Unexpected(LogRate);

/// The supervisor of a report.
pub(super) struct Reporter<'a> {
    pub(super) node: &'a Node,
    pub(super) supervisor: Pid,
    /// Its name on its node.
    pub(super) name: Option<&'a Name>,
}

impl Reporter<'_> {
    /// Reports an event of a child (OTP's `supervisor_report`).
    pub(super) fn failed(
        &self,
        child: &Child,
        pid: Option<Pid>,
        reason: &dyn Display,
        event: Event,
    ) {
        let rate = self.node.extension_or_init(Reports::default);
        rate.0.line(self.node.env().now(), |left_out| {
            let (supervisor, name) = (self.supervisor, self.name.map(Name::as_str));
            let id = child.id.as_ref().map(tracing::field::display);
            let pid = pid.map(tracing::field::display);
            let (context, restarts) = (event.text(), child.restarts);
            let ChildOpts { restart, shutdown, kind, .. } = child.opts;
            report!(
                error, %supervisor, name, context, id, pid, reason = %reason, ?restart, ?shutdown,
                ?kind, restarts, left_out, "a supervisor's child failed"
            );
        });
    }

    /// Reports a message that is not a request (SUP-27).
    pub(super) fn unexpected(&self, message: &Envelope) {
        let rate = self.node.extension_or_init(Unexpected::default);
        rate.0.line(self.node.env().now(), |left_out| {
            let (supervisor, name) = (self.supervisor, self.name.map(Name::as_str));
            let message = fika_runtime::printable(message.type_name());
            report!(
                warn, %supervisor, name, message_type = %message, left_out,
                "a supervisor dropped a message that is not a request"
            );
        });
    }

    /// Logs that a child was started (OTP's progress report).
    pub(super) fn started(&self, child: &Child, pid: Pid) {
        let (supervisor, name) = (self.supervisor, self.name.map(Name::as_str));
        let id = child.id.as_ref().map(tracing::field::display);
        tracing::debug!(%supervisor, name, id, %pid, "a child was started");
    }
}
