//! What must never happen, in any simulation: looked for by watching the nodes, and by what
//! the processes of a scenario say themselves.
//!
//! Watched, on every node: a process begins once and ends once; a monitor is told of one end; a
//! request to spawn is answered once; no signal comes from an earlier life of a node after one
//! from a later life; `nodeup` and `nodedown` come in turn, and nothing comes of a connection
//! whose end was told. What was sent from node to node is `order`'s to follow, and what is to be
//! so when all is quiet is `census`'s to say.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use fika_runtime::{
    ConnectionId, Creation, Envelope, ExitReason, NodeDown, NodeId, NodeName, NodeUp, Pid,
    Reference, Signal,
};
use parking_lot::Mutex;

use crate::env::Clock;
use crate::failure::Failure;
use crate::log::Log;
use crate::order::Order;
use crate::sim::Sim;

/// Where violations go. All clones are the same.
///
/// A scenario's processes may have one, to say what they have found: a simulation in which
/// something was violated fails at its next [`run_until`](crate::Sim::run_until) or
/// [`verdict`](crate::Sim::verdict).
#[derive(Clone)]
pub struct Checks {
    clock: Arc<Clock>,
    log: Arc<Log>,
    first: Arc<Mutex<Option<Violation>>>,
    /// What is under way between the nodes.
    pub(crate) order: Arc<Mutex<Order>>,
}

/// The first thing that should not have been.
#[derive(Clone)]
pub(crate) struct Violation {
    pub(crate) what: String,
    pub(crate) at: Duration,
    /// The last that had happened by then.
    pub(crate) log: Vec<String>,
}

impl Checks {
    pub(crate) fn new(clock: Arc<Clock>, log: Arc<Log>) -> Checks {
        Checks { clock, log, first: Arc::default(), order: Arc::default() }
    }

    /// Something has happened that must not. The first of them is kept.
    pub fn violated(&self, what: impl Into<String>) {
        let mut first = self.first.lock();
        if first.is_none() {
            let (what, at) = (what.into(), Duration::from_nanos(self.clock.now()));
            self.log.note(&what);
            *first = Some(Violation { what, at, log: self.log.tail() });
        }
    }

    /// Something must be so.
    pub fn hold(&self, is_so: bool, otherwise: impl FnOnce() -> String) {
        if !is_so {
            self.violated(otherwise());
        }
    }

    pub(crate) fn is_violated(&self) -> bool {
        self.first.lock().is_some()
    }

    pub(crate) fn first(&self) -> Option<Violation> {
        self.first.lock().clone()
    }
}

impl Sim {
    /// Where violations go, for the processes of a scenario.
    #[must_use]
    pub fn checks(&self) -> Checks {
        self.checks.clone()
    }

    /// Whether nothing was violated so far.
    ///
    /// # Errors
    /// With the first violation.
    #[track_caller]
    pub fn verdict(&self) -> Result<(), Failure> {
        match self.checks.first() {
            None => Ok(()),
            Some(violation) => Err(self.failure(&violation.what)),
        }
    }
}

/// What was seen of one life of a node.
#[derive(Default)]
pub(crate) struct Seen {
    alive: HashSet<Pid>,
    /// Monitors whose end has been told, by a signal and by a message.
    downs: HashSet<(Pid, Reference)>,
    told: HashSet<(Pid, Reference)>,
    /// Requests to spawn that have been answered.
    answered: HashSet<(Pid, Reference)>,
    /// Monitors that were made, not taken back, and not told of.
    pub(crate) monitors: BTreeMap<Pid, HashSet<Reference>>,
    /// What each process was told of a node last: its connection, and whether it is up.
    nodes: BTreeMap<(Pid, NodeName), (u64, bool)>,
    /// The life of each other node that was heard of last, and all before.
    lives: BTreeMap<NodeName, Vec<Creation>>,
}

impl Seen {
    pub(crate) fn started(&mut self, pid: Pid, checks: &Checks) {
        let new = self.alive.insert(pid);
        checks.hold(new, || format!("{pid} begins twice"));
    }

    pub(crate) fn ended(&mut self, pid: Pid, checks: &Checks) {
        let was = self.alive.remove(&pid);
        checks.hold(was, || format!("{pid} ends, and was not there"));
        self.monitors.remove(&pid);
    }

    /// A process has sent a signal, to whatever node.
    pub(crate) fn sends(&mut self, signal: &Signal) {
        match signal {
            Signal::Monitor { from, reference } => {
                self.monitors.entry(*from).or_default().insert(*reference);
            }
            Signal::Demonitor { from, reference } => self.forget(*from, *reference),
            _ => {}
        }
    }

    fn forget(&mut self, holder: Pid, monitor: Reference) {
        if let Some(monitors) = self.monitors.get_mut(&holder) {
            monitors.remove(&monitor);
            if monitors.is_empty() {
                self.monitors.remove(&holder);
            }
        }
    }

    /// A `Down` is put into a mailbox.
    pub(crate) fn down(&mut self, to: Pid, monitor: Reference, checks: &Checks) {
        let new = self.told.insert((to, monitor));
        checks.hold(new, || format!("{to} has a second Down of {monitor:?}"));
        self.forget(to, monitor);
    }

    pub(crate) fn message(&mut self, to: Pid, message: &Envelope, checks: &Checks) {
        if let Some(NodeUp { node, connection, .. }) = message.peek() {
            let last = self.nodes.insert((to, node.clone()), (*connection, true));
            // It may have asked for it more than once.
            let in_turn = last.is_none_or(|(last, is_up)| last == *connection || !is_up);
            checks.hold(in_turn, || format!("{to} has a second nodeup of {node}: {last:?}"));
        } else if let Some(NodeDown { node, connection, .. }) = message.peek() {
            let last = self.nodes.insert((to, node.clone()), (*connection, false));
            let in_turn = last.is_none_or(|(last, is_up)| last == *connection || !is_up);
            checks.hold(in_turn, || format!("{to} has a nodedown of {node}, and {last:?} is up"));
            let end = (to.node(), ConnectionId(*connection));
            let is_lost = *connection == 0 || checks.order.lock().is_lost(end);
            checks.hold(is_lost, || format!("{to} has a nodedown of {node}, which is not lost"));
        }
    }

    pub(crate) fn signal(&mut self, to: Pid, signal: &Signal, checks: &Checks) {
        if let Signal::Down { reference, .. } = signal {
            let new = self.downs.insert((to, *reference));
            checks.hold(new, || format!("{to} is told twice of the end of {reference:?}"));
        }
        if let Signal::SpawnReply { reference, .. } = signal {
            let new = self.answered.insert((to, *reference));
            checks.hold(new, || format!("{to} has a second answer to {reference:?}"));
        }
        if sender(signal).is_some_and(|from| from.node() == to.node()) {
            self.sends(signal);
        }
        if let Some(from) = sender(signal) {
            self.heard_of(from.node(), to, signal, checks);
        }
    }

    fn heard_of(&mut self, life: NodeId, to: Pid, signal: &Signal, checks: &Checks) {
        if life == to.node() {
            return;
        }
        let lives = self.lives.entry(life.name()).or_default();
        let creation = life.creation();
        if lives.last() == Some(&creation) {
            return;
        }
        let is_over = lives.contains(&creation);
        checks.hold(!is_over, || format!("{to} is sent by an earlier life: {signal:?}"));
        lives.push(creation);
    }
}

/// Who has sent a signal; none where it may have been made on the receiver's own node, which
/// answers for processes that are no more.
fn sender(signal: &Signal) -> Option<Pid> {
    match signal {
        Signal::Link { from } | Signal::Unlink { from, .. } => Some(*from),
        Signal::Monitor { from, .. } | Signal::Demonitor { from, .. } => Some(*from),
        Signal::Exit { from, reason, .. } if *reason != ExitReason::Noproc => Some(*from),
        Signal::Down { from, reason, .. } if *reason != ExitReason::Noproc => *from,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use fika_runtime::LocalId;

    use super::*;

    fn pid(node: &str, creation: u32) -> Pid {
        let node = NodeId::of(&node.parse().unwrap(), Creation(creation));
        Pid::new(node, LocalId { slot: 1, generation: 1 })
    }

    /// The first of these signals that must not be.
    fn wrong(signals: impl IntoIterator<Item = Signal>) -> Option<usize> {
        let sim = Sim::new(0);
        let (checks, mut seen) = (sim.checks(), Seen::default());
        signals.into_iter().position(|signal| {
            seen.signal(pid("here@h", 9), &signal, &checks);
            checks.is_violated()
        })
    }

    #[test]
    fn an_earlier_life_is_not_heard_of_after_a_later_one() {
        let wrong = |lives: &[(&str, u32)]| {
            wrong(lives.iter().map(|(node, creation)| Signal::Link { from: pid(node, *creation) }))
        };
        assert_eq!(wrong(&[("a@h", 1), ("b@h", 2), ("a@h", 1), ("a@h", 3), ("b@h", 2)]), None);
        assert_eq!(wrong(&[("a@h", 1), ("a@h", 3), ("b@h", 2), ("a@h", 1)]), Some(3));
    }

    #[test]
    fn an_end_is_told_once() {
        let reference = Reference::owned(pid("here@h", 9).node(), 7, None);
        let down = |reference| Signal::Down { from: None, reference, reason: ExitReason::Normal };
        let other = Reference::owned(pid("here@h", 9).node(), 8, None);
        assert_eq!(wrong([down(reference), down(other), down(reference)]), Some(2));
    }
}
