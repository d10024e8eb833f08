//! Answers that come after their process has ended.
//!
//! A process may end before its request to spawn a linked child on another node is answered. If
//! there is a child, it then gets the exit signal that the link would have given it (SPAWN-7). The
//! exit reason is kept here until the answer comes, or the connection is lost. The child's node
//! sees such a loss as well.

use std::collections::BTreeMap;

use crate::carrier::ConnectionId;
use crate::exit_reason::ExitReason;
use crate::node::Inner;
use crate::pid::Pid;
use crate::process::core::relations::Spawning;
use crate::reference::Reference;
use crate::signal::Signal;
use crate::sync::Mutex;

/// The children that may still be spawned, by their parents, which have ended.
#[derive(Default)]
pub(crate) struct Orphans(Mutex<BTreeMap<Pid, Vec<Orphan>>>);

/// A child that may still be spawned.
struct Orphan {
    request: Reference,
    connection: ConnectionId,
    /// The exit signal for it.
    reason: ExitReason,
}

impl Orphans {
    pub(crate) fn count(&self) -> usize {
        self.0.lock().len()
    }
}

impl Inner {
    /// Keeps the unanswered requests of a process that ends.
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

    /// Handles the answer to a request of a process that has ended: there is this child, or none.
    /// The answer must have come over the connection of the request.
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

    /// Forgets the requests that a process, which has ended, sent over a lost connection.
    pub(super) fn orphans_lost(&self, parent: Pid, connection: ConnectionId) {
        let mut all = self.orphans.0.lock();
        if let Some(orphans) = all.get_mut(&parent) {
            orphans.retain(|orphan| orphan.connection != connection);
            if orphans.is_empty() {
                all.remove(&parent);
            }
        }
    }

    /// Returns whether a process has ended and still expects an answer.
    pub(crate) fn is_owed(&self, pid: Pid) -> bool {
        self.orphans.0.lock().contains_key(&pid)
    }
}
