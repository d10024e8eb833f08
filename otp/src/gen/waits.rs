//! Finds calls that wait for each other in a circle.
//!
//! A call that is not answered soon is entered into a table of its node, with the process that
//! waits and the process that it waits for. If the chain of waiting processes leads back to the
//! process that entered last, none of these calls can be answered, and all of them fail with the
//! path. A call whose reply the server has deferred (`Caller::reply_later`) is never part of a
//! circle, since another process may reply. Neither is a call to a process that runs no callback,
//! since it takes its next message soon.
//!
//! # Several nodes
//! The table has the calls between processes of one node, so a circle over several nodes ends by the
//! time limits of its calls. An entry is plain data: two pids, a serial number and a name. So nodes
//! could find such circles by probes (Chandy, Misra and Haas, 1983), without a table for all:
//!
//! - A call to another node is entered on the caller's node, like any other call that is not answered
//!   soon. The search from it stops at a server of another node. There it becomes a probe, sent to a
//!   process of that node: the serial number of the call that began, and the path so far.
//! - The other node continues the search in its own table, with its own knowledge of which callbacks
//!   run and which replies are deferred. It may pass the probe on in the same way.
//! - A probe that comes back to the node and the call that it began with has found a circle, if that
//!   call still waits. A circle does not go away by itself, so a second probe along the path makes
//!   sure that no call of it was answered meanwhile. It takes the calls out of the tables, and each
//!   member gets the path.
//! - A probe can be lost with a connection, and two calls can close a circle at the same moment. So a
//!   call that still waits sends its probe again, each time after twice the pause. A call that is
//!   answered soon sends none.

use std::collections::HashMap;

use fika_runtime::{Answer, Node, Pid, Waiting};
use parking_lot::Mutex;

use super::behaviour;
use super::call_error::Hop;

/// The calls of a node that wait. A process may wait in several calls at once.
#[derive(Default)]
struct Waits {
    serial: u64,
    edges: HashMap<Pid, Vec<Edge>>,
}

struct Edge {
    serial: u64,
    server: Pid,
    request: &'static str,
    cycle: Answer<Vec<Hop>>,
}

/// A call that is in the table until this is dropped.
pub(crate) struct InWait {
    node: Node,
    caller: Pid,
    serial: u64,
}

/// Enters a call. The second value resolves to the circle, if the call is or becomes part of one.
pub(crate) fn enter(
    node: &Node,
    caller: Pid,
    server: Pid,
    request: &'static str,
) -> (InWait, Waiting<Vec<Hop>>) {
    let (cycle, found) = Waiting::new();
    let table = node.extension_or_init(Mutex::<Waits>::default);
    let mut waits = table.lock();
    let serial = waits.add(caller, server, request, cycle);
    let failed = waits.circle_from(caller, |caller, server| blocks(node, caller, server));
    drop(waits);
    let hops: Vec<Hop> = failed.iter().map(|(hop, _)| hop.clone()).collect();
    for (_, cycle) in failed {
        cycle.give(hops.clone());
    }
    (InWait { node: node.clone(), caller, serial }, found)
}

/// Returns whether the server cannot take another request before the caller gets its reply: a server
/// that runs no callback can, and so can one that has deferred the reply.
fn blocks(node: &Node, caller: Pid, server: Pid) -> bool {
    behaviour::of(node, server)
        .is_some_and(|server| server.now().0.is_some() && !server.has_deferred(caller))
}

impl Waits {
    /// Enters a call, and returns its serial number.
    fn add(
        &mut self,
        caller: Pid,
        server: Pid,
        request: &'static str,
        cycle: Answer<Vec<Hop>>,
    ) -> u64 {
        self.serial += 1;
        let edge = Edge { serial: self.serial, server, request, cycle };
        self.edges.entry(caller).or_default().push(edge);
        self.serial
    }

    fn contains(&self, caller: Pid, serial: u64) -> bool {
        self.edges.get(&caller).into_iter().flatten().any(|edge| edge.serial == serial)
    }

    fn remove(&mut self, caller: Pid, serial: u64) -> Option<Edge> {
        let edges = self.edges.get_mut(&caller)?;
        let at = edges.iter().position(|edge| edge.serial == serial)?;
        let edge = edges.swap_remove(at);
        if edges.is_empty() {
            self.edges.remove(&caller);
        }
        Some(edge)
    }

    /// Removes the calls of a circle through this process from the table, and returns them. Empty
    /// if there is no circle. `blocks` is whether a call from one process to another keeps the
    /// second one from taking requests.
    fn circle_from(
        &mut self,
        start: Pid,
        blocks: impl Fn(Pid, Pid) -> bool,
    ) -> Vec<(Hop, Answer<Vec<Hop>>)> {
        let mut path: Vec<(Pid, u64)> = Vec::new();
        if !self.search(start, start, &blocks, &mut path) {
            return Vec::new();
        }
        let taken = path.into_iter().filter_map(|(caller, serial)| {
            let edge = self.remove(caller, serial)?;
            Some((Hop { caller, request: edge.request }, edge.cycle))
        });
        taken.collect()
    }

    /// Looks for a way from `at` to `goal`, depth first. Each process is visited once.
    fn search(
        &self,
        at: Pid,
        goal: Pid,
        blocks: &impl Fn(Pid, Pid) -> bool,
        path: &mut Vec<(Pid, u64)>,
    ) -> bool {
        if path.iter().any(|(visited, _)| *visited == at) {
            return false;
        }
        for edge in self.edges.get(&at).into_iter().flatten() {
            if !blocks(at, edge.server) {
                continue;
            }
            path.push((at, edge.serial));
            if edge.server == goal || self.search(edge.server, goal, blocks, path) {
                return true;
            }
            path.pop();
        }
        false
    }
}

impl InWait {
    /// Returns whether the call was found to be part of a circle.
    pub(crate) fn is_in_circle(&self) -> bool {
        let table = self.node.extension::<Mutex<Waits>>();
        table.is_some_and(|table| !table.lock().contains(self.caller, self.serial))
    }
}

impl Drop for InWait {
    fn drop(&mut self) {
        let Some(table) = self.node.extension::<Mutex<Waits>>() else { return };
        let removed = table.lock().remove(self.caller, self.serial);
        // Dropped without the lock.
        drop(removed);
    }
}

#[cfg(test)]
mod tests {
    use fika_runtime::{LocalId, NodeId};

    use super::*;

    /// Returns pids of processes that never existed.
    fn pids() -> [Pid; 4] {
        let node = NodeId::nameless();
        [0, 1, 2, 3].map(|slot| Pid::new(node, LocalId { slot, generation: 0 }))
    }

    /// Enters a call. Returns its serial number, and the other end of its answer.
    fn enter(waits: &mut Waits, caller: Pid, server: Pid) -> (u64, Waiting<Vec<Hop>>) {
        let (cycle, found) = Waiting::new();
        (waits.add(caller, server, "request", cycle), found)
    }

    #[test]
    fn a_call_that_is_over_leaves_the_table() {
        let (mut waits, pids) = (Waits::default(), pids());
        let ways = [(0, 1), (0, 2), (1, 2), (2, 0), (0, 1)];
        let entered = ways.map(|(from, to)| (from, enter(&mut waits, pids[from], pids[to]).0));
        assert_eq!(waits.edges.len(), 3);
        for (from, serial) in entered {
            assert!(waits.contains(pids[from], serial));
            assert!(waits.remove(pids[from], serial).is_some());
            assert!(!waits.contains(pids[from], serial));
            assert!(waits.remove(pids[from], serial).is_none(), "it was removed before");
        }
        assert!(waits.edges.is_empty());
    }

    #[test]
    fn a_circle_is_found_and_leaves_the_table() {
        let (mut waits, pids) = (Waits::default(), pids());
        // 0 also waits for a process outside of the circle, and 3 waits for a member of it.
        let ways = [(0, 3), (0, 1), (1, 2), (3, 0), (2, 0)];
        let _answers = ways.map(|(from, to)| enter(&mut waits, pids[from], pids[to]).1);
        let circle = waits.circle_from(pids[2], |caller, _| caller != pids[3]);
        let callers: Vec<Pid> = circle.iter().map(|(hop, _)| hop.caller).collect();
        assert_eq!(callers, [pids[2], pids[0], pids[1]]);
        assert_eq!(waits.edges[&pids[0]].len(), 1, "the other call still waits");
        assert!(waits.circle_from(pids[2], |_, _| true).is_empty());
    }

    /// A process that can take its next message is not part of a circle.
    #[test]
    fn a_call_that_does_not_block_breaks_the_circle() {
        let (mut waits, pids) = (Waits::default(), pids());
        let ways = [(0, 1), (1, 0)];
        let _answers = ways.map(|(from, to)| enter(&mut waits, pids[from], pids[to]).1);
        for (caller, server) in [(pids[0], pids[1]), (pids[1], pids[0])] {
            let blocks = |from, to| (from, to) != (caller, server);
            assert!(waits.circle_from(pids[1], blocks).is_empty());
        }
        assert_eq!(waits.circle_from(pids[1], |_, _| true).len(), 2);
    }
}
