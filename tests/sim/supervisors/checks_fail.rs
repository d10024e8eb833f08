//! Each check passes events as they should be, and fails those that violate it.

use std::future::pending;

use fika::prelude::*;
use fika::sim::Sim;

use super::checks;
use super::events::{Entry, Event, Limits, Path, Why};

/// Events at times in milliseconds.
#[derive(Clone, Default)]
struct Events(Vec<Entry>);

impl Events {
    fn at(mut self, ms: u64, event: Event) -> Events {
        self.0.push(Entry { at: millis(ms), event });
        self
    }
}

/// Returns three processes of one node, and one of another.
fn pids() -> [Pid; 4] {
    let mut sim = Sim::new(0);
    let [a, b] = ["a@host1", "b@host2"].map(|name| sim.node(name, pending::<()>));
    [a, a, a, b].map(|node| sim.spawn(node, pending::<()>()).expect("the node is up"))
}

fn path(name: &str) -> Path {
    name.into()
}

fn sup_begins(sup: Pid, parent: Pid, intensity: usize) -> Event {
    let limits = Limits { intensity, period: secs(1), is_group: false, is_automatic: false };
    Event::SupBegins { sup, path: path("s"), parent, limits }
}

fn sup_ends(sup: Pid, reason: ExitReason) -> Event {
    Event::SupEnds { sup, reason: Some(reason) }
}

fn begins(pid: Pid, sup: Pid) -> Event {
    Event::Begins { pid, child: path("s/a"), sup }
}

fn starts(sup: Pid, why: Why) -> Event {
    Event::Starts { sup, child: path("s/a"), why }
}

fn ends(pid: Pid) -> Event {
    Event::Ends { pid, reason: Some(ExitReason::Timeout) }
}

#[test]
fn two_incarnations_are_found() {
    let [sup, old, new, there] = pids();
    let events = Events::default().at(0, begins(old, sup)).at(0, Event::Started { pid: old });
    let good = events.clone().at(1, ends(old)).at(1, begins(new, sup));
    assert_eq!(checks::incarnations(&good.0, false), Ok(()));
    let bad = events.at(1, begins(new, sup)).at(1, ends(old));
    assert!(checks::incarnations(&bad.0, true).is_err());
    // A supervisor that was killed can't wait.
    let killed = Events::default()
        .at(0, begins(old, sup))
        .at(1, sup_ends(sup, ExitReason::Killed))
        .at(2, begins(new, there));
    assert_eq!(checks::incarnations(&killed.0, false), Ok(()));
    let stopped = Events::default()
        .at(0, begins(old, sup))
        .at(0, Event::Started { pid: old })
        .at(1, sup_ends(sup, ExitReason::Shutdown))
        .at(2, begins(new, there));
    assert!(checks::incarnations(&stopped.0, false).is_err());
    // The other node may be alive, though the connection is lost.
    let parted = Events::default().at(0, begins(there, sup)).at(1, begins(new, sup));
    assert_eq!(checks::incarnations(&parted.0, true), Ok(()));
    assert!(checks::incarnations(&parted.0, false).is_err());
}

#[test]
fn orphans_are_found() {
    let [sup, child, top, _] = pids();
    let events = Events::default()
        .at(0, sup_begins(sup, top, 1))
        .at(0, begins(child, sup))
        .at(0, Event::Started { pid: child });
    let good = events.clone().at(1, ends(child)).at(1, sup_ends(sup, ExitReason::Shutdown));
    assert_eq!(checks::orphans(&good.0, true), Ok(()));
    let left = events.clone().at(1, sup_ends(sup, ExitReason::Shutdown));
    assert_eq!(checks::orphans(&left.clone().at(1, ends(child)).0, true), Ok(()), "it is killed");
    assert!(checks::orphans(&left.at(9, ends(child)).0, true).is_err());
    let killed = events.at(1, sup_ends(sup, ExitReason::Killed));
    assert!(checks::orphans(&killed.0, true).is_err(), "it still lives at the end");
    assert_eq!(checks::orphans(&killed.clone().at(100, ends(child)).0, true), Ok(()));
    assert!(checks::orphans(&killed.at(60_000, ends(child)).0, true).is_err());
}

/// A supervisor whose child ends at each of these times, and is restarted except for the last time.
fn restarts(intensity: usize, times: &[u64], gives_up: bool) -> Result<(), String> {
    let [sup, child, top, _] = pids();
    let mut events = Events::default()
        .at(0, sup_begins(sup, top, intensity))
        .at(0, starts(sup, Why::First))
        .at(0, begins(child, sup));
    for (n, ms) in times.iter().enumerate() {
        events = events.at(*ms, ends(child));
        if n + 1 < times.len() || !gives_up {
            events = events.at(*ms, starts(sup, Why::Restart)).at(*ms, begins(child, sup));
        }
    }
    if gives_up {
        events = events.at(9000, sup_ends(sup, ExitReason::Shutdown));
    }
    checks::intensity(&events.0)
}

#[test]
fn an_inexact_intensity_is_found() {
    for (intensity, times, gives_up, is_exact) in [
        (1, [100, 2000].as_slice(), false, true),
        (1, &[100, 2000], true, false),
        (1, &[100, 900], true, true),
        (1, &[100, 900], false, false),
        (0, &[100], true, true),
        (0, &[100], false, false),
        (3, &[100, 200, 300, 1099], true, true),
        (3, &[100, 200, 300, 1099], false, false),
        (3, &[100, 200, 300], true, false),
        (3, &[100, 200, 300, 1102], false, true),
        (3, &[100, 200, 300, 1102], true, false),
    ] {
        let seen = restarts(intensity, times, gives_up);
        assert_eq!(seen.is_ok(), is_exact, "{intensity} {times:?} {gives_up}: {seen:?}");
    }
}

/// A supervisor below another one ends, and the start of its successor is recorded first. It gave up
/// too early if it was restarted for its own end, and did not if it was started on request.
#[test]
fn the_start_of_a_successor_may_come_before_the_end() {
    let [top, old, child, new] = pids();
    let below = |sup| {
        let limits = Limits { intensity: 3, period: secs(9), is_group: false, is_automatic: false };
        Event::SupBegins { sup, path: path("s/a"), parent: top, limits }
    };
    let began = Events::default()
        .at(0, sup_begins(top, child, 9))
        .at(0, starts(top, Why::First))
        .at(0, below(old))
        .at(0, Event::Starts { sup: old, child: path("s/a/b"), why: Why::First })
        .at(1, Event::NotStarted { sup: old, child: path("s/a/b") });
    let then = |why| {
        let events = began.clone().at(2, starts(top, why));
        let events = events.at(2, sup_ends(old, ExitReason::Shutdown)).at(3, below(new));
        checks::intensity(&events.at(4, starts(top, Why::Restart)).0)
    };
    assert!(then(Why::Restart).is_err());
    assert_eq!(then(Why::Perhaps), Ok(()));
}

/// A group of two, of which the first one ends twice.
#[test]
fn a_group_is_restarted_once() {
    let [sup, child, top, _] = pids();
    let start = |name: &str, why| Event::Starts { sup, child: path(name), why };
    let limits = Limits { intensity: 1, period: secs(1000), is_group: true, is_automatic: false };
    let once = Events::default()
        .at(0, Event::SupBegins { sup, path: path("s"), parent: top, limits })
        .at(0, start("s/a", Why::First))
        .at(0, start("s/b", Why::First))
        .at(5, ends(child))
        .at(5, start("s/a", Why::Restart))
        .at(5, start("s/b", Why::Restart));
    assert_eq!(checks::intensity(&once.0), Ok(()));
    assert!(checks::intensity(&once.at(6, start("s/b", Why::Restart)).0).is_err());
}

#[test]
fn calls_without_one_outcome_are_found() {
    let [client, ..] = pids();
    let called = Events::default().at(0, Event::Called { call: 7, client, limit: secs(1) });
    let answered = |reply, took| Event::Answered { call: 7, reply, took };
    let handled = Event::Handled { call: 7 };
    let good = called.clone().at(1, handled.clone()).at(1, answered(Some(7), secs(1)));
    assert_eq!(checks::calls(&good.0, true), Ok(()));
    assert!(checks::calls(&called.0, true).is_err());
    let dies = Event::Ends { pid: client, reason: Some(ExitReason::Killed) };
    assert_eq!(checks::calls(&called.clone().at(1, dies).0, true), Ok(()));
    assert!(checks::calls(&good.clone().at(2, answered(None, secs(1))).0, true).is_err());
    assert!(checks::calls(&good.at(2, handled.clone()).0, true).is_err());
    let unhandled = called.clone().at(1, answered(Some(7), secs(1)));
    assert!(checks::calls(&unhandled.0, true).is_err());
    let other = called.clone().at(1, handled).at(1, answered(Some(8), secs(1)));
    assert!(checks::calls(&other.0, true).is_err());
    let late = called.at(1, answered(None, secs(2)));
    assert!(checks::calls(&late.0, true).is_err());
    assert_eq!(checks::calls(&late.0, false), Ok(()));
}
