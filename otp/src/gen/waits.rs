//! Finds calls that wait for each other in a circle.
//!
//! A call that is not answered soon is entered into a table of its node, with the process that
//! waits and the process that it waits for. If the chain of waiting processes leads back to the
//! process that entered last, none of these calls can be answered, and all of them fail with the
//! path. A call whose reply the server has deferred (`Caller::reply_later`) is never part of a
//! circle, since another process may reply. Neither is a call to a process that runs no callback,
//! since it takes its next message soon, or a call that has its reply, although the caller may look at
//! it only later.
//!
//! A process that starts another one waits for its `init`. So the call of a process in its `init` is
//! entered together with the start. A start is part of circles, but only the calls fail: the start
//! then has its own result.
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
    /// `None` for a start.
    cycle: Option<Answer<Vec<Hop>>>,
    /// The call in the record of its server. `None` for a start, and for a server without a
    /// behaviour.
    wait: Option<behaviour::LongWait>,
}

/// A call that is in the table until this is dropped.
pub(crate) struct InWait {
    node: Node,
    caller: Pid,
    serial: u64,
    /// The starts that the call delays: their starters and serial numbers.
    starts: Vec<(Pid, u64)>,
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
    let recorded =
        behaviour::of(node, server).map(|server| behaviour::LongWait::new(server, caller));
    let mut waits = table.lock();
    let serial = waits.add(caller, server, request, Some(cycle), recorded);
    let starts = waits.add_starts(node, caller);
    let failed = waits.circle_from(caller, |caller, server| blocks(node, caller, server));
    drop(waits);
    let hops: Vec<Hop> = failed.iter().map(|(hop, _)| hop.clone()).collect();
    for cycle in failed.into_iter().filter_map(|(_, cycle)| cycle) {
        cycle.give(hops.clone());
    }
    (InWait { node: node.clone(), caller, serial, starts }, found)
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
        cycle: Option<Answer<Vec<Hop>>>,
        wait: Option<behaviour::LongWait>,
    ) -> u64 {
        self.serial += 1;
        let edge = Edge { serial: self.serial, server, request, cycle, wait };
        self.edges.entry(caller).or_default().push(edge);
        self.serial
    }

    /// Enters the start of this process, if it is still in its `init`, and the starts that wait for
    /// that one. Returns their starters and serial numbers.
    fn add_starts(&mut self, node: &Node, mut child: Pid) -> Vec<(Pid, u64)> {
        let mut starts = Vec::new();
        while let Some(starter) = behaviour::of(node, child).and_then(|child| child.awaited_by()) {
            starts.push((starter, self.add(starter, child, "start", None, None)));
            child = starter;
        }
        starts
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
    ) -> Vec<(Hop, Option<Answer<Vec<Hop>>>)> {
        let path = self.search(start, &blocks);
        let taken = path.into_iter().filter_map(|(caller, serial)| {
            let edge = self.remove(caller, serial)?;
            Some((Hop { caller, request: edge.request }, edge.cycle))
        });
        taken.collect()
    }

    /// Looks for a way from a process back to itself. Each process is looked at once, however many
    /// ways lead to it. Returns the calls of the way.
    fn search(&self, start: Pid, blocks: &impl Fn(Pid, Pid) -> bool) -> Vec<(Pid, u64)> {
        // The call by which each process was reached.
        let mut reached: HashMap<Pid, (Pid, u64)> = HashMap::new();
        let mut open = vec![start];
        while let Some(at) = open.pop() {
            for edge in self.edges.get(&at).into_iter().flatten() {
                let has_reply = edge.wait.as_ref().is_some_and(behaviour::LongWait::is_answered);
                let leads_on = edge.cycle.is_none() || !has_reply && blocks(at, edge.server);
                if reached.contains_key(&edge.server) || !leads_on {
                    continue;
                }
                reached.insert(edge.server, (at, edge.serial));
                open.push(edge.server);
            }
            if reached.contains_key(&start) {
                break;
            }
        }
        let mut path = Vec::new();
        let mut at = start;
        while let Some((caller, serial)) = reached.get(&at) {
            path.push((*caller, *serial));
            at = *caller;
            if at == start {
                break;
            }
        }
        path.reverse();
        path
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
        let mut waits = table.lock();
        let removed = waits.remove(self.caller, self.serial);
        self.starts.drain(..).for_each(|(starter, serial)| drop(waits.remove(starter, serial)));
        drop(waits);
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
        (waits.add(caller, server, "request", Some(cycle), None), found)
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

    /// Returns the function that makes the pids of a node.
    fn pid() -> impl Fn(u32) -> Pid {
        let node = NodeId::nameless();
        move |slot| Pid::new(node, LocalId { slot, generation: 0 })
    }

    /// The number of ways doubles with each layer.
    #[test]
    fn a_wide_graph_is_searched_in_no_time() {
        let (mut waits, pid) = (Waits::default(), pid());
        let mut answers = Vec::new();
        let layers = 200;
        for layer in 0..layers {
            for (from, to) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                let (from, to) = (pid(2 * layer + from), pid(2 * layer + 2 + to));
                answers.push(enter(&mut waits, from, to));
            }
        }
        assert!(waits.circle_from(pid(0), |_, _| true).is_empty());
        answers.push(enter(&mut waits, pid(2 * layers), pid(0)));
        let circle = waits.circle_from(pid(2 * layers), |_, _| true);
        assert_eq!(circle.len(), layers as usize + 1);
    }

    #[test]
    fn a_long_chain_is_searched() {
        let (mut waits, pid) = (Waits::default(), pid());
        let length = 100_000;
        let answers: Vec<_> =
            (0..length).map(|at| enter(&mut waits, pid(at), pid((at + 1) % length))).collect();
        assert_eq!(waits.circle_from(pid(7), |_, _| true).len(), answers.len());
    }

    /// A start is part of a circle, and blocks in any case.
    #[test]
    fn a_start_is_part_of_a_circle() {
        let (mut waits, pids) = (Waits::default(), pids());
        let _answer = enter(&mut waits, pids[0], pids[1]);
        waits.add(pids[1], pids[0], "start", None, None);
        let circle = waits.circle_from(pids[0], |caller, _| caller == pids[0]);
        let hops: Vec<_> =
            circle.iter().map(|(hop, cycle)| (hop.request, cycle.is_some())).collect();
        assert_eq!(hops, [("request", true), ("start", false)]);
        assert!(waits.edges.is_empty());
    }
}
