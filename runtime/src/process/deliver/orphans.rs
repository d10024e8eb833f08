//! Answers to requests to spawn that arrive after the requesting process has ended.
//!
//! A process may end before its request to spawn a linked child on another node is answered. If the
//! child was spawned, it must get the exit signal that it would have got over the link (SPAWN-7).
//! So the parent's exit reason is kept here until the answer arrives. It is dropped if the
//! connection is lost, since the child's node then ends the link itself.

use std::collections::BTreeMap;

use crate::carrier::ConnectionId;
use crate::exit_reason::ExitReason;
use crate::node::Inner;
use crate::pid::Pid;
use crate::process::core::relations::Spawning;
use crate::reference::Reference;
use crate::signal::Signal;
use crate::sync::Mutex;

/// The children that may still be spawned, by their parents. The parents have ended.
#[derive(Default)]
pub(crate) struct Orphans(Mutex<BTreeMap<Pid, Vec<Orphan>>>);

/// A child that may still be spawned.
struct Orphan {
    request: Reference,
    connection: ConnectionId,
    /// The reason of the exit signal for the child.
    reason: ExitReason,
}

impl Orphans {
    pub(crate) fn count(&self) -> usize {
        self.0.lock().len()
    }
}

impl Inner {
    /// Stores the unanswered requests of a process that is ending.
    pub(in crate::process) fn leave_requests(
        &self,
        parent: Pid,
        spawns: impl IntoIterator<Item = (Reference, Spawning)>,
        reason: &ExitReason,
    ) {
        let orphan = |(request, spawning): (Reference, Spawning)| {
            let abandoned = spawning.is_abandoned();
            let reason = if abandoned { ExitReason::Abandoned } else { reason.clone() };
            let connection = spawning.connection;
            spawning.link.map(|_| Orphan { request, connection, reason })
        };
        let orphans: Vec<_> = spawns.into_iter().filter_map(orphan).collect();
        if !orphans.is_empty() {
            self.orphans.0.lock().insert(parent, orphans);
        }
    }

    /// Handles the answer to a request of a process that has ended. `child` is `None` if no child
    /// was spawned. Ignores an answer that came over another connection than the request.
    pub(super) fn orphaned(
        &self,
        parent: Pid,
        connection: ConnectionId,
        request: Reference,
        child: Option<Pid>,
    ) {
        let mut all = self.orphans.0.lock();
        let Some(orphans) = all.get_mut(&parent) else { return };
        let is_asked = |of: &Orphan| of.request == request && of.connection == connection;
        let found = orphans.iter().position(is_asked);
        let orphan = found.map(|at| orphans.swap_remove(at));
        if orphans.is_empty() {
            all.remove(&parent);
        }
        drop(all);
        if let (Some(Orphan { reason, .. }), Some(child)) = (orphan, child) {
            self.signal(child, Signal::Exit { from: parent, reason, by_link: true });
        }
    }

    /// Removes the requests of a process that has ended, if they were sent over the lost
    /// connection.
    pub(super) fn orphans_lost(&self, parent: Pid, connection: ConnectionId) {
        let mut all = self.orphans.0.lock();
        if let Some(orphans) = all.get_mut(&parent) {
            orphans.retain(|orphan| orphan.connection != connection);
            if orphans.is_empty() {
                all.remove(&parent);
            }
        }
    }

    /// Returns whether a process has ended before all its requests were answered.
    pub(crate) fn is_owed(&self, pid: Pid) -> bool {
        self.orphans.0.lock().contains_key(&pid)
    }
}
