//! Checks that hold in every simulation, by observing the nodes, and checks that the processes of a
//! scenario make themselves.
//!
//! On every node, a process starts once and ends once; a monitor gives one `Down`; a request to
//! spawn gets one answer. No signal from an earlier life of a node comes after a signal from a
//! later life. `nodeup` and `nodedown` alternate. No signal arrives over a connection whose loss
//! was reported. `order` checks what nodes send to each other, and `census` checks what is left
//! when all nodes are idle.

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

/// Records violations. All clones record to the same simulation.
///
/// A process of a scenario may hold a clone, to report what it has found. A simulation with a
/// violation fails at its next [`run_until`](crate::Sim::run_until) or
/// [`verdict`](crate::Sim::verdict).
///
/// ```
/// # use std::time::Duration;
/// # use fika_sim::Sim;
/// let mut sim = Sim::new(1);
/// let checks = sim.checks();
/// sim.node("bank@host1", move || {
///     let checks = checks.clone();
///     async move {
///         let balance = 70 - 100;
///         checks.hold(balance >= 0, || format!("the balance is {balance}"));
///     }
/// });
/// sim.run_for(Duration::from_secs(1));
/// let failure = sim.verdict().unwrap_err();
/// assert_eq!(failure.why, "the balance is -30");
/// ```
#[derive(Clone)]
pub struct Checks {
    clock: Arc<Clock>,
    log: Arc<Log>,
    first: Arc<Mutex<Option<Violation>>>,
    /// Signals in flight between the nodes.
    pub(crate) order: Arc<Mutex<Order>>,
}

/// The first violation.
#[derive(Clone)]
pub(crate) struct Violation {
    pub(crate) what: String,
    pub(crate) at: Duration,
    /// The last lines of the log at the time of the violation.
    pub(crate) log: Vec<String>,
}

impl Checks {
    pub(crate) fn new(clock: Arc<Clock>, log: Arc<Log>) -> Checks {
        Checks { clock, log, first: Arc::default(), order: Arc::default() }
    }

    /// Records a violation. Only the first one is kept.
    ///
    /// ```
    /// # use fika_sim::Sim;
    /// let sim = Sim::new(1);
    /// sim.checks().violated("two nodes lead");
    /// assert!(sim.verdict().is_err());
    /// ```
    pub fn violated(&self, what: impl Into<String>) {
        let mut first = self.first.lock();
        if first.is_none() {
            let (what, at) = (what.into(), Duration::from_nanos(self.clock.now()));
            self.log.note(&what);
            *first = Some(Violation { what, at, log: self.log.tail() });
        }
    }

    /// Records a violation if `is_so` is false.
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
    /// Returns the checks of this simulation, for the processes of a scenario.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use fika_sim::Sim;
    /// let mut sim = Sim::new(1);
    /// let a = sim.node("a@host1", std::future::pending::<()>);
    /// let checks = sim.checks();
    /// sim.spawn(a, async move {
    ///     checks.hold(2 + 2 == 4, || "this process cannot count".to_owned());
    /// });
    /// sim.run_for(Duration::from_secs(1));
    /// sim.verdict()?;
    /// # Ok::<(), fika_sim::Failure>(())
    /// ```
    #[must_use]
    pub fn checks(&self) -> Checks {
        self.checks.clone()
    }

    /// Returns an error if any check has failed so far.
    ///
    /// # Errors
    /// The first violation.
    #[track_caller]
    pub fn verdict(&self) -> Result<(), Failure> {
        match self.checks.first() {
            None => Ok(()),
            Some(violation) => Err(self.failure(&violation.what)),
        }
    }
}

/// The observed history of one life of a node.
#[derive(Default)]
pub(crate) struct Seen {
    alive: HashSet<Pid>,
    /// Monitors that have ended, by a signal and by a message.
    downs: HashSet<(Pid, Reference)>,
    told: HashSet<(Pid, Reference)>,
    /// Requests to spawn that have been answered.
    answered: HashSet<(Pid, Reference)>,
    /// Monitors that are active: neither removed nor ended.
    pub(crate) monitors: BTreeMap<Pid, HashSet<Reference>>,
    /// The last `nodeup` or `nodedown` of each node that each process got: the connection, and
    /// whether the node is up.
    nodes: BTreeMap<(Pid, NodeName), (u64, bool)>,
    /// The lives of each other node that this node has heard of, the latest last.
    lives: BTreeMap<NodeName, Vec<Creation>>,
}

impl Seen {
    pub(crate) fn started(&mut self, pid: Pid, checks: &Checks) {
        let new = self.alive.insert(pid);
        checks.hold(new, || format!("{pid} started twice"));
    }

    pub(crate) fn ended(&mut self, pid: Pid, checks: &Checks) {
        let was = self.alive.remove(&pid);
        checks.hold(was, || format!("{pid} ended, but never started"));
        self.monitors.remove(&pid);
    }

    /// Notes that a process has sent a signal to any node.
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

    /// Notes that a `Down` is put into a mailbox.
    pub(crate) fn down(&mut self, to: Pid, monitor: Reference, checks: &Checks) {
        let new = self.told.insert((to, monitor));
        checks.hold(new, || format!("{to} got a second Down of {monitor:?}"));
        self.forget(to, monitor);
    }

    pub(crate) fn message(&mut self, to: Pid, message: &Envelope, checks: &Checks) {
        if let Some(NodeUp { node, connection, .. }) = message.peek() {
            let last = self.nodes.insert((to, node.clone()), (*connection, true));
            // A process that has subscribed several times gets several messages.
            let in_turn = last.is_none_or(|(last, is_up)| last == *connection || !is_up);
            checks.hold(in_turn, || format!("{to} got a second nodeup of {node}: {last:?}"));
        } else if let Some(NodeDown { node, connection, .. }) = message.peek() {
            let last = self.nodes.insert((to, node.clone()), (*connection, false));
            let in_turn = last.is_none_or(|(last, is_up)| last == *connection || !is_up);
            checks.hold(in_turn, || format!("{to} got a nodedown of {node}, but {last:?} is up"));
            let end = (to.node(), ConnectionId(*connection));
            let is_lost = *connection == 0 || checks.order.lock().is_lost(end);
            checks.hold(is_lost, || format!("{to} got a nodedown of {node}, which is not lost"));
        }
    }

    pub(crate) fn signal(&mut self, to: Pid, signal: &Signal, checks: &Checks) {
        if let Signal::Down { reference, .. } = signal {
            let new = self.downs.insert((to, *reference));
            checks.hold(new, || format!("{to} got two signals about the end of {reference:?}"));
        }
        if let Signal::SpawnReply { reference, .. } = signal {
            let new = self.answered.insert((to, *reference));
            checks.hold(new, || format!("{to} got a second answer to {reference:?}"));
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
        checks.hold(!is_over, || format!("{to} got a signal from an earlier life: {signal:?}"));
        lives.push(creation);
    }
}

/// Returns the sender of a signal. `None` if the receiver's own node may have made the signal, on
/// behalf of a process that has ended.
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

    /// Returns the index of the first signal that violates a check.
    fn wrong(signals: impl IntoIterator<Item = Signal>) -> Option<usize> {
        let sim = Sim::new(0);
        let (checks, mut seen) = (sim.checks(), Seen::default());
        signals.into_iter().position(|signal| {
            seen.signal(pid("here@h", 9), &signal, &checks);
            checks.is_violated()
        })
    }

    #[test]
    fn a_signal_from_an_earlier_life_after_a_later_one_is_wrong() {
        let wrong = |lives: &[(&str, u32)]| {
            wrong(lives.iter().map(|(node, creation)| Signal::Link { from: pid(node, *creation) }))
        };
        assert_eq!(wrong(&[("a@h", 1), ("b@h", 2), ("a@h", 1), ("a@h", 3), ("b@h", 2)]), None);
        assert_eq!(wrong(&[("a@h", 1), ("a@h", 3), ("b@h", 2), ("a@h", 1)]), Some(3));
    }

    #[test]
    fn a_second_down_of_one_monitor_is_wrong() {
        let reference = Reference::owned(pid("here@h", 9).node(), 7, None);
        let down = |reference| Signal::Down { from: None, reference, reason: ExitReason::Normal };
        let other = Reference::owned(pid("here@h", 9).node(), 8, None);
        assert_eq!(wrong([down(reference), down(other), down(reference)]), Some(2));
    }
}
