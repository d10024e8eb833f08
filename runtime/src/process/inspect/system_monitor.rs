//! Who is told of what is wrong with the node as a whole.

use crate::carrier::{Congested, ConnectionId};
use crate::context;
use crate::exit_reason::ExitReason;
use crate::message::Envelope;
use crate::node::Inner;
use crate::pid::Pid;
use crate::process::life::refuse;
use crate::signal::Signal;
use crate::system_message::BusyDist;

/// Who is told, and of what; see [`system_monitor`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "it is set by `system_monitor`"]
pub struct SystemMonitor {
    pid: Pid,
    busy_dist: bool,
}

impl SystemMonitor {
    /// This process is told, of nothing as yet.
    pub fn new(pid: Pid) -> SystemMonitor {
        SystemMonitor { pid, busy_dist: false }
    }

    /// It gets a [`BusyDist`] for each process that is suspended by congestion (Erlang's
    /// `busy_dist_port`).
    pub fn busy_dist(mut self) -> Self {
        self.busy_dist = true;
        self
    }

    /// Who is told.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.pid
    }
}

/// Says who is told of what is wrong with this node, or that nobody is; returns what was so
/// before (Erlang's `erlang:system_monitor/1,2`). A node has one system monitor. When it ends
/// there is none. It is not told of itself.
///
/// ```
/// # use fika_runtime::{Node, SystemMonitor, self_pid, system_monitor};
/// # Node::builder().build().unwrap().block_on(async {
/// let before = system_monitor(SystemMonitor::new(self_pid()).busy_dist());
/// assert_eq!(before, None);
/// // receive! { BusyDist { pid, node, .. } => println!("{pid} waits for {node}") }
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
        let before = me.node.present_monitor();
        // PROC-7.
        if me.control.ending.get() {
            return before;
        }
        if let Some(SystemMonitor { pid, .. }) = monitor
            && (pid.node() != me.node.id || !me.node.is_alive(pid))
        {
            refuse(ExitReason::badarg(format_args!("system_monitor: no process {pid} is here")));
            return before;
        }
        *me.node.system_monitor.lock() = monitor;
        before
    })
}

impl Inner {
    /// The one that is there and lives.
    fn present_monitor(&self) -> Option<SystemMonitor> {
        let monitor = *self.system_monitor.lock();
        monitor.filter(|monitor| self.is_alive(monitor.pid))
    }

    /// A process is suspended by congestion (BUSY-9).
    pub(in crate::process) fn tell_busy_dist(
        &self,
        pid: Pid,
        ConnectionId(connection): ConnectionId,
        congested: &dyn Congested,
    ) {
        let Some(monitor) = self.present_monitor() else { return };
        if monitor.busy_dist && monitor.pid != pid {
            let told = BusyDist { pid, node: congested.node(), connection };
            self.deliver(monitor.pid, Signal::Message(Envelope::new(told)));
        }
    }
}
