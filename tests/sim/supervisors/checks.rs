//! The rules that hold in every run, as functions over the events.

use std::collections::{BTreeMap, BTreeSet};

use fika::prelude::*;

use super::events::{Entry, Event, Limits, Path, Why};

/// The longest time between a supervisor's decision to restart a child and the call of the start
/// function, on the clock of its node.
const DECISION: Duration = millis(1);

/// The longest time between the limit of a call and its end. A call that has timed out asks what
/// the server does.
const LATE_MAX: Duration = millis(60);

/// The longest time that a child takes to end after its supervisor: a start that returns when the
/// supervisor no longer waits for it is killed.
const LEFT_MAX: Duration = millis(1);

/// The longest time that a child takes to end when its supervisor was killed.
const ORPHAN_MAX: Duration = secs(20);

/// The supervisors, with their parents and their ends.
#[derive(Default)]
struct Sups {
    parents: BTreeMap<Pid, Pid>,
    ends: BTreeMap<Pid, (Duration, Option<ExitReason>)>,
}

impl Sups {
    fn note(&mut self, Entry { at, event }: &Entry) {
        match event {
            Event::SupBegins { sup, parent, .. } => {
                self.parents.insert(*sup, *parent);
            }
            Event::SupEnds { sup, reason } => {
                self.ends.insert(*sup, (*at, reason.clone()));
            }
            _ => {}
        }
    }

    /// Returns whether this supervisor or one above it was killed, or was on a node that crashed. A
    /// child then has no supervisor that waits for its end.
    fn was_killed(&self, sup: Pid) -> bool {
        let killed = |sup| {
            let (_, reason) = self.ends.get(sup)?;
            Some(matches!(reason, None | Some(ExitReason::Killed)))
        };
        let chain = std::iter::successors(Some(&sup), |sup| self.parents.get(*sup));
        chain.filter_map(killed).any(|killed| killed)
    }
}

/// An incarnation of a child that lives.
struct Alive {
    child: Path,
    sup: Pid,
    /// Whether its start function has returned.
    has_started: bool,
}

/// No child has two incarnations at once. A supervisor that was killed can't wait for its children,
/// and a supervisor that gave up waiting for a start does not know the process. If `may_part`, the
/// connection to the node of a child may be lost, so that the supervisor has to count the child as
/// ended.
pub(super) fn incarnations(entries: &[Entry], may_part: bool) -> Result<(), String> {
    let (mut sups, mut alive) = (Sups::default(), BTreeMap::<Pid, Alive>::new());
    for entry in entries {
        sups.note(entry);
        match &entry.event {
            Event::Begins { pid, child, sup } => {
                let others = alive.iter().filter(|(_, other)| other.child == *child);
                for (old, other) in others {
                    let is_left = other.sup != *sup && !other.has_started;
                    let is_parted = may_part && old.node() != other.sup.node();
                    if !sups.was_killed(other.sup) && !is_left && !is_parted {
                        return Err(format!("{pid} begins while {old} lives: both are {child}"));
                    }
                }
                let (child, sup) = (child.clone(), *sup);
                alive.insert(*pid, Alive { child, sup, has_started: false });
            }
            Event::Started { pid } => {
                if let Some(one) = alive.get_mut(pid) {
                    one.has_started = true;
                }
            }
            Event::Ends { pid, .. } => {
                alive.remove(pid);
            }
            _ => {}
        }
    }
    Ok(())
}

/// A supervisor ends after its children. If it was killed, they end soon. At the end, all have
/// ended. `is_timely` is whether the clocks run on without jumps.
pub(super) fn orphans(entries: &[Entry], is_timely: bool) -> Result<(), String> {
    let (mut sups, mut alive) = (Sups::default(), BTreeMap::<Pid, Alive>::new());
    let mut left = BTreeMap::<Pid, Duration>::new();
    for entry in entries {
        sups.note(entry);
        match &entry.event {
            Event::Begins { pid, child, sup } => {
                let (child, sup) = (child.clone(), *sup);
                alive.insert(*pid, Alive { child, sup, has_started: false });
            }
            Event::Started { pid } => {
                if let Some(one) = alive.get_mut(pid) {
                    one.has_started = true;
                }
            }
            Event::SupEnds { sup, .. } if !sups.was_killed(*sup) => {
                let is_left = |pid: &Pid, of: &Alive| {
                    of.sup == *sup && of.has_started && pid.node() == sup.node()
                };
                let those = alive.iter().filter(|(pid, of)| is_left(pid, of));
                left.extend(those.map(|(pid, _)| (*pid, entry.at)));
            }
            Event::Ends { pid, .. } => {
                let Some(one) = alive.remove(pid) else { continue };
                if let Some(end) = left.remove(pid)
                    && entry.at.saturating_sub(end) > LEFT_MAX
                {
                    return Err(format!(
                        "the supervisor {} has left {pid} ({})",
                        one.sup, one.child
                    ));
                }
                let end = sups.ends.get(&one.sup).map(|(at, _)| *at);
                let late = end.is_some_and(|end| entry.at.saturating_sub(end) > ORPHAN_MAX);
                if late && is_timely && pid.node() == one.sup.node() {
                    return Err(format!("{pid} ({}) outlived its supervisor", one.child));
                }
            }
            _ => {}
        }
    }
    match alive.iter().next() {
        None => Ok(()),
        Some((pid, one)) => Err(format!("{pid} ({}) lives without its supervisor", one.child)),
    }
}

/// A restart that a supervisor has decided on.
struct Attempt {
    at: Duration,
    /// Whether it may have been a call of `restart_child`.
    perhaps: bool,
}

/// The restarts of one supervisor.
struct Restarts {
    path: Path,
    parent: Pid,
    /// Whether its parent is not a supervisor.
    is_top: bool,
    limits: Limits,
    attempts: Vec<Attempt>,
    /// The places of the children in the order of their first starts.
    places: BTreeMap<Path, usize>,
    /// The place of the child that was restarted last.
    last: Option<usize>,
    /// When each child that does not run has ended, or failed to start.
    ends: BTreeMap<Path, Duration>,
    /// Why its successor is started, if that is recorded before its end.
    successor: Option<Why>,
}

impl Restarts {
    fn starts(&mut self, at: Duration, child: &Path, why: Why) -> Result<(), String> {
        self.ends.remove(child);
        if why == Why::First {
            let place = self.places.len();
            // A child that was deleted and added again is the last one.
            let place = self.places.values().max().map_or(place, |last| last + 1);
            self.places.insert(child.clone(), place);
            // No child is added in the middle of a restart, so the next one begins anew.
            self.last = None;
            return Ok(());
        }
        let place = self.places.get(child).copied().unwrap_or(0);
        // A group is restarted in order, so the next restart begins with an earlier child or with
        // the same one.
        let is_next = !self.limits.is_group || self.last.is_none_or(|last| place <= last);
        self.last = Some(place);
        if !is_next {
            return Ok(());
        }
        let perhaps = why == Why::Perhaps;
        self.attempts.push(Attempt { at, perhaps });
        let Limits { intensity, period, .. } = self.limits;
        let within =
            |one: &&Attempt| !one.perhaps && at.saturating_sub(one.at) + DECISION <= period;
        if !perhaps && self.attempts.iter().filter(within).count() > intensity {
            return Err(format!(
                "{} restarts {child} once too often: {:?}",
                self.path, self.limits
            ));
        }
        Ok(())
    }

    /// Checks that the supervisor had to give up at the end of a child.
    fn gives_up(&self) -> Result<(), String> {
        let Limits { intensity, period, is_automatic, .. } = self.limits;
        // The children that the supervisor itself has ended then have ended later.
        let Some(at) = self.ends.values().min() else { return Ok(()) };
        let within = |one: &&Attempt| at.saturating_sub(one.at) <= period;
        if is_automatic || self.attempts.iter().filter(within).count() >= intensity {
            return Ok(());
        }
        Err(format!("{} gives up too early: {:?}", self.path, self.limits))
    }
}

/// A supervisor gives up exactly if more than `intensity` restarts would happen within `period`.
pub(super) fn intensity(entries: &[Entry]) -> Result<(), String> {
    let (mut sups, mut begun) = (BTreeMap::<Pid, Restarts>::new(), BTreeSet::<Pid>::new());
    let mut children = BTreeMap::<Pid, (Pid, Path)>::new();
    // The supervisors that have ended with `shutdown`: by themselves or by their supervisor.
    let mut ended = BTreeMap::<(Pid, Path), Restarts>::new();
    for Entry { at, event } in entries {
        match event {
            Event::Enough => return Ok(()),
            Event::SupBegins { sup, path, parent, limits } => {
                let restarts = Restarts {
                    path: path.clone(),
                    parent: *parent,
                    is_top: !begun.contains(parent),
                    limits: *limits,
                    attempts: Vec::new(),
                    places: BTreeMap::new(),
                    last: None,
                    ends: BTreeMap::new(),
                    successor: None,
                };
                begun.insert(*sup);
                sups.insert(*sup, restarts);
            }
            Event::SupEnds { sup, reason } => {
                let Some(one) = sups.remove(sup) else { continue };
                if let Some(parent) = sups.get_mut(&one.parent) {
                    parent.ends.insert(one.path.clone(), *at);
                }
                match reason {
                    Some(ExitReason::Shutdown) if one.is_top => one.gives_up()?,
                    Some(ExitReason::Shutdown) if one.successor.is_some() => {
                        let by = sups.get(&one.parent);
                        let is_group = by.is_none_or(|by| by.limits.is_group);
                        if one.successor == Some(Why::Restart) && !is_group {
                            one.gives_up()?;
                        }
                    }
                    Some(ExitReason::Shutdown) => {
                        ended.insert((one.parent, one.path.clone()), one);
                    }
                    _ => {}
                }
            }
            Event::Starts { sup, child, why } => {
                for one in sups.values_mut().filter(|one| one.parent == *sup && one.path == *child)
                {
                    one.successor.get_or_insert(*why);
                }
                let Some(by) = sups.get_mut(sup) else { continue };
                by.starts(*at, child, *why)?;
                let was = ended.remove(&(*sup, child.clone()));
                // This restart is for the child's own end, unless it is for that of a sibling.
                if let Some(one) = was
                    && *why == Why::Restart
                    && !by.limits.is_group
                {
                    one.gives_up()?;
                }
            }
            Event::NotStarted { sup, child } => {
                if let Some(by) = sups.get_mut(sup) {
                    by.ends.insert(child.clone(), *at);
                }
            }
            Event::Begins { pid, child, sup } => {
                children.insert(*pid, (*sup, child.clone()));
            }
            Event::Ends { pid, .. } => {
                if let Some((sup, child)) = children.remove(pid)
                    && let Some(by) = sups.get_mut(&sup)
                {
                    by.ends.entry(child).or_insert(*at);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Each call has one outcome, in time, unless its client's node has crashed. A server handles each
/// request at most once, and the reply is that of the request.
pub(super) fn calls(entries: &[Entry], is_timely: bool) -> Result<(), String> {
    let mut open = BTreeMap::<u64, (Pid, Duration)>::new();
    let (mut handled, mut killed) = (BTreeSet::new(), BTreeSet::new());
    for Entry { event, .. } in entries {
        match event {
            Event::Called { call, client, limit } => {
                open.insert(*call, (*client, *limit));
            }
            Event::Handled { call } if !handled.insert(*call) => {
                return Err(format!("the request {call} was handled twice"));
            }
            Event::Answered { call, reply, took } => {
                let Some((_, limit)) = open.remove(call) else {
                    return Err(format!("the call {call} has a second outcome"));
                };
                if reply.is_some_and(|reply| reply != *call || !handled.contains(call)) {
                    return Err(format!("{reply:?} answers the call {call}"));
                }
                if is_timely && *took > limit + LATE_MAX {
                    return Err(format!("the call {call} of {limit:?} took {took:?}"));
                }
            }
            Event::Ends { pid, reason: Some(ExitReason::Killed) } => {
                killed.insert(*pid);
            }
            _ => {}
        }
    }
    match open.iter().find(|(_, (client, _))| !killed.contains(client)) {
        None => Ok(()),
        Some((call, (client, _))) => Err(format!("the call {call} of {client} has no outcome")),
    }
}
