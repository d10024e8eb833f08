//! The debug settings of a behaviour process: counts, a log, a trace, and functions of the program.

use std::collections::VecDeque;
use std::fmt;

use fika_runtime::{Printable, Time, printable, report, self_node, self_pid, send};

use super::wire::{Event, Statistics, TraceTo, Traced};
use crate::r#gen::contained::contained;

/// A function that sees events. It is removed when it returns false.
pub(crate) type Hook = Box<dyn FnMut(&Event) -> bool + Send>;

/// The settings that are switched on for a process.
#[derive(Default)]
pub(crate) struct Debug {
    counts: Option<Counts>,
    /// The number of events to keep, and the events.
    log: (usize, VecDeque<Event>),
    trace: Option<TraceTo>,
    hooks: Vec<(String, Hook)>,
}

struct Counts {
    since: Time,
    reductions: u64,
    messages_in: u64,
    messages_out: u64,
}

impl Debug {
    pub(crate) fn is_off(&self) -> bool {
        self.counts.is_none() && self.log.0 == 0 && self.trace.is_none() && self.hooks.is_empty()
    }

    /// Returns whether states are recorded, and not only counts.
    pub(crate) fn wants_states(&self) -> bool {
        self.log.0 > 0 || self.trace.is_some() || !self.hooks.is_empty()
    }

    pub(crate) fn count(&mut self, reductions: Option<u64>) {
        self.counts = reductions.map(|reductions| Counts {
            since: self_node().env().now(),
            reductions,
            messages_in: 0,
            messages_out: 0,
        });
    }

    /// Returns the counts. The number of reductions is the one at the start.
    pub(crate) fn statistics(&self) -> Option<Statistics> {
        self.counts.as_ref().map(|counts| Statistics {
            time: self_node().env().now().since(counts.since),
            reductions: counts.reductions,
            messages_in: counts.messages_in,
            messages_out: counts.messages_out,
        })
    }

    pub(crate) fn keep(&mut self, events: usize) {
        let log = &mut self.log;
        log.0 = events;
        let surplus = log.1.len().saturating_sub(events);
        log.1.drain(..surplus);
    }

    pub(crate) fn log(&self) -> Vec<Event> {
        self.log.1.iter().cloned().collect()
    }

    pub(crate) fn trace(&mut self, to: TraceTo) {
        self.trace = (!matches!(to, TraceTo::Nowhere)).then_some(to);
    }

    /// Installs a function in place of the one with this name, or removes it.
    pub(crate) fn install(&mut self, id: String, hook: Option<Hook>) {
        let removed: Vec<_> = self.hooks.extract_if(.., |(other, _)| *other == id).collect();
        self.hooks.extend(hook.map(|hook| (id, hook)));
        drop(removed);
    }

    pub(crate) fn event(&mut self, event: Event) {
        if let Some(counts) = &mut self.counts {
            match &event {
                Event::In { .. } => counts.messages_in += 1,
                Event::Out { .. } => counts.messages_out += 1,
                Event::State(_) => {}
            }
        }
        // A function that panics is removed. The panic does not end the process.
        self.hooks.retain_mut(|(_, hook)| contained(|| hook(&event)).unwrap_or(false));
        match self.trace {
            Some(TraceTo::Process(pid)) => {
                send(pid, Traced { pid: self_pid(), event: event.clone() });
            }
            Some(TraceTo::Report) => {
                let (pid, event) = (self_pid(), printable(&event));
                report!(info, %pid, event = %event, "a traced process");
            }
            Some(TraceTo::Nowhere) | None => {}
        }
        if self.log.0 > 0 {
            if self.log.1.len() == self.log.0 {
                self.log.1.pop_front();
            }
            self.log.1.push_back(event);
        }
    }
}

/// Shows control characters as escapes, since the event may come from another node.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (text, pid) = match self {
            Event::In { callback, message, from } => (format!("{callback} of {message}"), from),
            Event::Out { message, to } => (format!("replied {message}"), to),
            Event::State(state) => (format!("state {state}"), &None),
        };
        write!(f, "{}", Printable(&text))?;
        match (pid, self) {
            (Some(to), Event::Out { .. }) => write!(f, " to {to}"),
            (Some(from), _) => write!(f, " from {from}"),
            (None, _) => Ok(()),
        }
    }
}
