//! The rarest parts of a process: its label, its dictionary, suspensions, signals that came too
//! late, congested connections, tasks, and the count of messages that did not decode.

use std::cell::{Cell, OnceCell, RefCell};
use std::sync::Arc;
use std::task::Waker;

use super::dictionary::Dictionary;
use super::growth::Growth;
use super::held_up::{HeldUp, WaitsForRoom};
use super::suspensions::Suspensions;
use super::tick::Tick;
use crate::signal::Signal;

/// The parts. See [`Rare`](super::rare::Rare), which holds them behind a separate pointer.
#[derive(Default)]
pub(in crate::process) struct Extras {
    /// The name that the process has given itself, for logs and `process_info`.
    pub(in crate::process) label: RefCell<Option<Arc<str>>>,
    pub(in crate::process) dictionary: RefCell<Dictionary>,
    /// The result of the last look at a long mailbox.
    pub(in crate::process) growth: Growth,
    pub(in crate::process) suspensions: RefCell<Suspensions>,
    /// Links and monitors that came after a fatal signal. They are answered when the process has
    /// ended.
    pub(in crate::process) late: RefCell<Vec<Signal>>,
    /// The congested connections that suspend it.
    pub(in crate::process) held_up: RefCell<HeldUp>,
    /// Tasks inside the process's future that wait for room in connections.
    pub(in crate::process) waits_for_room: RefCell<Vec<WaitsForRoom>>,
    /// Tasks inside the process's future to be polled when a signal arrives.
    pub(in crate::process) tasks: RefCell<Vec<Waker>>,
    /// The timer that its waits with a time limit share.
    pub(in crate::process) tick: OnceCell<Arc<Tick>>,
    /// A waker of the process, for the next answer that it asks for.
    pub(super) asker: Cell<Option<Waker>>,
    /// The number of messages of other nodes that did not decode.
    pub(in crate::process) undecodable: Cell<u64>,
    /// The process is that of `#[fika::main]`, which prints its failure.
    pub(in crate::process) is_main: Cell<bool>,
}

impl Extras {
    /// Returns whether all parts are empty.
    pub(in crate::process) fn is_empty(&self) -> bool {
        self.label.borrow().is_none()
            && self.dictionary.borrow().is_empty()
            && self.suspensions.borrow().is_empty()
            && self.late.borrow().is_empty()
            && self.held_up.borrow().is_empty()
            && self.waits_for_room.borrow().is_empty()
            && self.tasks.borrow().is_empty()
            && self.tick.get().is_none_or(|tick| !tick.runs())
            && self.undecodable.get() == 0
            && !self.is_main.get()
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    /// A process that hibernates gives them up only if there is nothing in them.
    #[test]
    fn extras_with_any_part_are_not_empty() {
        assert!(Extras::default().is_empty());
        let extras = Extras::default();
        extras.label.replace(Some("a".into()));
        assert!(!extras.is_empty());
        let extras = Extras::default();
        extras.tasks.borrow_mut().push(Waker::noop().clone());
        assert!(!extras.is_empty());
        let extras = Extras::default();
        extras.undecodable.set(1);
        assert!(!extras.is_empty());
        let extras = Extras::default();
        extras.is_main.set(true);
        assert!(!extras.is_empty());
    }
}
