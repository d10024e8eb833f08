//! The rarely used parts of a process: a label, a dictionary, which processes have suspended it,
//! which signals came too late, the connections that it waits for, and how many messages did not
//! decode.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::task::Waker;

use super::congestion::{HeldUp, WaitsForRoom};
use super::control::Control;
use super::dictionary::Dictionary;
use super::growth::Growth;
use super::suspend::Suspensions;
use crate::signal::Signal;

/// The parts. See [`Rare`](super::rare::Rare), which holds them behind a pointer of their own.
#[derive(Default)]
pub(super) struct Extras {
    /// What the process calls itself.
    pub(super) label: RefCell<Option<Arc<str>>>,
    pub(super) dictionary: RefCell<Dictionary>,
    /// The last look at a long mailbox.
    pub(super) growth: Growth,
    pub(super) suspensions: RefCell<Suspensions>,
    /// Links and monitors that came behind a fatal signal, to be answered when the process has
    /// ended.
    pub(super) late: RefCell<Vec<Signal>>,
    /// The congested connections that it has sent over.
    pub(super) held_up: RefCell<HeldUp>,
    /// Tasks inside the process's future that wait for room in connections.
    pub(super) waits_for_room: RefCell<Vec<WaitsForRoom>>,
    /// Tasks inside the process's future to be polled when a signal arrives.
    pub(super) tasks: RefCell<Vec<Waker>>,
    /// The number of messages of other nodes that did not decode.
    pub(super) undecodable: Cell<u64>,
}

impl Extras {
    /// Whether there is nothing to keep.
    pub(super) fn is_empty(&self) -> bool {
        self.label.borrow().is_none()
            && self.dictionary.borrow().is_empty()
            && self.suspensions.borrow().is_empty()
            && self.late.borrow().is_empty()
            && self.held_up.borrow().is_empty()
            && self.waits_for_room.borrow().is_empty()
            && self.tasks.borrow().is_empty()
            && self.undecodable.get() == 0
    }
}

impl Control {
    /// The parts, which are made if they are not there.
    pub(super) fn extras(&self) -> &Extras {
        self.rare().extras.get_or_init(Box::default)
    }

    /// The process ends: takes out the wakers of tasks inside its future.
    pub(super) fn take_wakers(&self) -> Vec<Waker> {
        let Some(extras) = self.extras_if_any() else { return Vec::new() };
        let mut wakers = extras.tasks.take();
        wakers.extend(extras.waits_for_room.take().into_iter().map(|waits| waits.task));
        wakers
    }

    /// Returns the parts, if they were ever used.
    pub(super) fn extras_if_any(&self) -> Option<&Extras> {
        self.rare_if_any()?.extras.get().map(|extras| &**extras)
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    /// A process that hibernates gives them up only if there is nothing in them.
    #[test]
    fn any_part_is_something_to_keep() {
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
    }
}
