//! What a process keeps besides its future: one allocation holds both.
//!
//! Everything here is the process's own. Others reach it by signals only, so the cells
//! need no lock.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::rare::RareCell;
use crate::context;
use crate::exit_reason::ExitReason;
use crate::mailbox::Mailbox;
use crate::message::Address;
use crate::node::Inner;
use crate::pid::Pid;
use crate::table;

/// How many messages a process may take in one turn before others have theirs.
const TURN_BUDGET: u32 = 256;

/// A slot of the process table.
pub(crate) type SlotRef = table::SlotRef<dyn Body>;

/// A process, as the table holds it.
pub(crate) trait Body: Send {
    fn control(self: Pin<&mut Self>) -> &Control;
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()>;
    /// Drops the future, so that its destructors run while the process is still there.
    fn drop_future(self: Pin<&mut Self>);
}

pin_project! {
    pub(super) struct Process<F> {
        control: Control,
        #[pin]
        future: Option<F>,
    }
}

impl<F> Process<F> {
    pub(super) fn new(control: Control, future: F) -> Process<F> {
        Process { control, future: Some(future) }
    }
}

impl<F: Future + Send> Body for Process<F> {
    fn control(self: Pin<&mut Self>) -> &Control {
        self.project().control
    }

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        match this.future.as_pin_mut() {
            Some(future) => context::enter_process(this.control, || future.poll(context)).map(drop),
            None => Poll::Ready(()),
        }
    }

    fn drop_future(self: Pin<&mut Self>) {
        let mut this = self.project();
        context::enter_process(this.control, || this.future.set(None));
    }
}

/// The private state of a process.
pub(crate) struct Control {
    pub(super) pid: Pid,
    pub(super) slot: SlotRef,
    /// Who spawned it, if a process did.
    pub(super) parent: Option<Pid>,
    /// Where it was spawned.
    pub(super) site: &'static Location<'static>,
    pub(super) mailbox: RefCell<Mailbox>,
    /// What most processes never have; see there.
    pub(super) rare: RareCell,
    /// The reason of the first fatal signal: the process ends at its next suspension.
    pub(super) doom: RefCell<Option<ExitReason>>,
    pub(super) trap_exit: Cell<bool>,
    /// A receive is under way.
    pub(super) receiving: Cell<bool>,
    /// The process ends, and what its destructors do has no effect on others.
    pub(super) ending: Cell<bool>,
    /// What is left of the turn's budget.
    budget: Cell<u32>,
}

impl Control {
    pub(super) fn new(
        slot: SlotRef,
        pid: Pid,
        parent: Option<Pid>,
        site: &'static Location<'static>,
    ) -> Control {
        Control {
            pid,
            slot,
            parent,
            site,
            mailbox: RefCell::default(),
            rare: RareCell::new(),
            doom: RefCell::new(None),
            trap_exit: Cell::new(false),
            receiving: Cell::new(false),
            ending: Cell::new(false),
            budget: Cell::new(TURN_BUDGET),
        }
    }

    /// How signals to this process are addressed, but for those by an alias.
    pub(super) fn address(&self) -> Address {
        Address::pid(self.pid.local().generation)
    }

    /// A turn begins.
    pub(super) fn refill_budget(&self) {
        self.budget.set(TURN_BUDGET);
    }

    /// Takes one from the budget; false if there is none left.
    pub(super) fn spend(&self) -> bool {
        let left = self.budget.get();
        self.budget.set(left.saturating_sub(1));
        left > 0
    }

    /// It ends at its next suspension.
    pub(super) fn is_doomed(&self) -> bool {
        self.doom.borrow().is_some()
    }

    /// The first fatal signal decides the reason.
    pub(super) fn doom(&self, reason: ExitReason) {
        self.doom.borrow_mut().get_or_insert(reason);
    }
}

/// A process that runs, on its node: what the free functions act for.
#[derive(Clone, Copy)]
pub(crate) struct Running<'a> {
    pub(crate) control: &'a Control,
    pub(crate) node: &'a Inner,
}

impl Running<'_> {
    pub(crate) fn pid(self) -> Pid {
        self.control.pid
    }
}
