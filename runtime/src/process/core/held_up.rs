//! The congested connections that a process waits for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Waker;

use crate::carrier::{Congested, ConnectionId};
use crate::env::Time;
use crate::node_name::NodeName;
use crate::timers::TimerRef;

/// The connections that suspend the process.
#[derive(Default)]
pub(in crate::process) struct HeldUp {
    by: BTreeMap<ConnectionId, Arc<dyn Congested>>,
    /// When the process began to wait, and the timer of its report.
    since: Option<(Time, TimerRef)>,
}

/// A task inside the process's future that waits for room, while the process itself goes on.
pub(in crate::process) struct WaitsForRoom {
    /// Identifies the waiting task.
    pub(in crate::process) key: u64,
    pub(in crate::process) connection: ConnectionId,
    pub(in crate::process) task: Waker,
}

impl HeldUp {
    pub(in crate::process) fn is_empty(&self) -> bool {
        self.by.is_empty()
    }

    /// Adds a connection; `start_report` starts the timer of the report if the process begins to
    /// wait. Returns whether the connection is new.
    pub(in crate::process) fn add(
        &mut self,
        connection: ConnectionId,
        congested: &Arc<dyn Congested>,
        start_report: impl FnOnce() -> (Time, TimerRef),
    ) -> bool {
        self.since.get_or_insert_with(start_report);
        self.by.insert(connection, congested.clone()).is_none()
    }

    /// Removes a connection that has room. Returns the timer of the report if this was the last
    /// connection, so that the process continues.
    pub(in crate::process) fn has_room(&mut self, connection: ConnectionId) -> Option<TimerRef> {
        self.by.remove(&connection)?;
        if !self.by.is_empty() {
            return None;
        }
        self.since.take().map(|(_, timer)| timer)
    }

    /// Returns when the process began to wait, if it waits.
    pub(in crate::process) fn since(&self) -> Option<Time> {
        self.since.map(|(since, _)| since)
    }

    /// Returns the nodes at the other ends of the connections.
    pub(in crate::process) fn peers(&self) -> Vec<NodeName> {
        self.by.values().map(|congested| congested.node()).collect()
    }
}
