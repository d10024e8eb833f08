//! The system monitor: the process that is notified of problems of the whole node.

use crate::carrier::{Congested, ConnectionId};
use crate::context;
use crate::exit_reason::ExitReason;
use crate::message::Envelope;
use crate::node::Inner;
use crate::pid::Pid;
use crate::process::failure::refuse;
use crate::signal::Signal;
use crate::system_message::BusyDist;

/// The process that gets the messages of the system monitor, and the events that it subscribes to.
/// See [`system_monitor`].
///
/// ```
/// # use fika_runtime::{Node, SystemMonitor, self_pid, system_monitor};
/// # Node::builder().build().unwrap().block_on(async {
/// let monitor = SystemMonitor::new(self_pid()).busy_dist();
/// assert_eq!(monitor.pid(), self_pid());
/// system_monitor(monitor);
/// # });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "it is set by `system_monitor`"]
pub struct SystemMonitor {
    pid: Pid,
    busy_dist: bool,
}

impl SystemMonitor {
    /// Names the process to notify. The other methods select the events.
    pub fn new(pid: Pid) -> SystemMonitor {
        SystemMonitor { pid, busy_dist: false }
    }

    /// Sends it a [`BusyDist`] for each process that is suspended by congestion (Erlang's
    /// `busy_dist_port`).
    pub fn busy_dist(mut self) -> Self {
        self.busy_dist = true;
        self
    }

    /// Returns the process to notify.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.pid
    }
}

/// Sets the system monitor of this node, or removes it, and returns the previous one (Erlang's
/// `erlang:system_monitor/1,2`). A node has at most one, until its process ends. The process is not
/// notified of events about itself.
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use std::time::Duration;
/// # use fika::{BusyDist, Node, SystemMonitor, self_pid, system_monitor};
/// # use fika_macros::receive;
/// # Node::builder().build().unwrap().block_on(async {
/// let before = system_monitor(SystemMonitor::new(self_pid()).busy_dist());
/// assert_eq!(before, None);
/// receive! {
///     BusyDist { pid, node, .. } => println!("{pid} waits for {node}"),
///     after Duration::ZERO => {}
/// }
/// # });
/// ```
///
/// # Panics
/// Outside of a process. A process of another node, or one that has ended, ends the calling
/// process with `badarg`.
#[track_caller]
pub fn system_monitor(monitor: impl Into<Option<SystemMonitor>>) -> Option<SystemMonitor> {
    context::process("system_monitor", |me| {
        let monitor = monitor.into();
        let before = present_monitor(me.node);
        let Some(me) = me.unless_ending() else { return before };
        if let Some(SystemMonitor { pid, .. }) = monitor
            && (pid.node() != me.node.id || !me.node.is_alive(pid))
        {
            refuse(ExitReason::badarg(format_args!(
                "system_monitor: this node has no process {pid}"
            )));
            return before;
        }
        *me.node.system_monitor.lock() = monitor;
        before
    })
}

/// Returns the system monitor, if there is one and its process lives.
fn present_monitor(node: &Inner) -> Option<SystemMonitor> {
    let monitor = *node.system_monitor.lock();
    monitor.filter(|monitor| node.is_alive(monitor.pid))
}

/// Tells the system monitor that a process is suspended by congestion (BUSY-9).
pub(super) fn tell_busy_dist(
    node: &Inner,
    pid: Pid,
    ConnectionId(connection): ConnectionId,
    congested: &dyn Congested,
) {
    let Some(monitor) = present_monitor(node) else { return };
    if monitor.busy_dist && monitor.pid != pid {
        let told = BusyDist { pid, node: congested.node(), connection };
        node.deliver(monitor.pid, Signal::Message(Envelope::new(told)));
    }
}
