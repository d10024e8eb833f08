//! The reports of a supervisor about its children (SUP-31).

use std::fmt::Display;

use fika_runtime::{LogRate, Node, Pid, report};

use super::children::Child;

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

/// Reports an event of a child (OTP's `supervisor_report`).
pub(super) fn child(
    node: &Node,
    supervisor: Pid,
    child: &Child,
    pid: Option<Pid>,
    reason: &dyn Display,
    event: Event,
) {
    let rate = node.extension_or_init(Reports::default);
    rate.0.line(node.env().now(), |left_out| {
        let id = child.id.as_ref().map(tracing::field::display);
        let pid = pid.map(tracing::field::display);
        let (context, restarts) = (event.text(), child.restarts);
        report!(
            error, %supervisor, context, id, pid, reason = %reason, restarts, left_out,
            "a supervisor's child failed"
        );
    });
}

/// Logs that a child was started (OTP's progress report).
pub(super) fn started(supervisor: Pid, child: &Child, pid: Pid) {
    let id = child.id.as_ref().map(tracing::field::display);
    tracing::debug!(%supervisor, id, %pid, "a child was started");
}
