//! Finds calls that wait for each other in a circle.
//!
//! A call that is not answered soon is entered into a table of its node, with the process that
//! waits and the process that it waits for. If the chain of waiting processes leads back to the
//! process that entered last, none of these calls can be answered, and all of them fail with the
//! path. A call whose reply the server has deferred (`Caller::reply_later`) is never part of a
//! circle, since another process may reply. Neither is a call to a process that runs no callback,
//! since it takes its next message soon.
//!
//! The table has the processes of one node. The edges are plain data, so a later version can
//! exchange them between nodes.

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
    waits.serial += 1;
    let serial = waits.serial;
    waits.edges.entry(caller).or_default().push(Edge { serial, server, request, cycle });
    let failed = waits.circle_from(node, caller);
    drop(waits);
    let hops: Vec<Hop> = failed.iter().map(|(hop, _)| hop.clone()).collect();
    for (_, cycle) in failed {
        cycle.give(hops.clone());
    }
    (InWait { node: node.clone(), caller, serial }, found)
}

impl Waits {
    /// Removes the edges of a circle through this process from the table, and returns them. Empty
    /// if there is no circle.
    fn circle_from(&mut self, node: &Node, start: Pid) -> Vec<(Hop, Answer<Vec<Hop>>)> {
        let mut path: Vec<(Pid, u64)> = Vec::new();
        if !self.search(node, start, start, &mut path) {
            return Vec::new();
        }
        let taken = path.into_iter().filter_map(|(caller, serial)| {
            let edges = self.edges.get_mut(&caller)?;
            let at = edges.iter().position(|edge| edge.serial == serial)?;
            let edge = edges.swap_remove(at);
            Some((Hop { caller, request: edge.request }, edge.cycle))
        });
        taken.collect()
    }

    /// Looks for a way from `at` to `goal`, depth first. Each process is visited once.
    fn search(&self, node: &Node, at: Pid, goal: Pid, path: &mut Vec<(Pid, u64)>) -> bool {
        if path.iter().any(|(visited, _)| *visited == at) {
            return false;
        }
        for edge in self.edges.get(&at).into_iter().flatten() {
            // A server can take the request unless it runs a callback.
            let blocks = behaviour::of(node, edge.server)
                .is_some_and(|server| server.now().0.is_some() && !server.has_deferred(at));
            if !blocks {
                continue;
            }
            path.push((at, edge.serial));
            if edge.server == goal || self.search(node, edge.server, goal, path) {
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
        self.node.extension::<Mutex<Waits>>().is_some_and(|table| {
            let waits = table.lock();
            let edges = waits.edges.get(&self.caller);
            !edges.into_iter().flatten().any(|edge| edge.serial == self.serial)
        })
    }
}

impl Drop for InWait {
    fn drop(&mut self) {
        let Some(table) = self.node.extension::<Mutex<Waits>>() else { return };
        let mut waits = table.lock();
        let mut removed = None;
        if let Some(edges) = waits.edges.get_mut(&self.caller) {
            if let Some(at) = edges.iter().position(|edge| edge.serial == self.serial) {
                removed = Some(edges.swap_remove(at));
            }
            if edges.is_empty() {
                waits.edges.remove(&self.caller);
            }
        }
        drop(waits);
        drop(removed);
    }
}
