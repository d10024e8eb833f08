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

/// A slot of the process table.
pub(crate) type SlotRef = table::SlotRef<dyn Body>;

/// A process, as the table holds it.
pub(crate) trait Body: Send {
    fn control(self: Pin<&mut Self>) -> &Control;
    fn control_mut(self: Pin<&mut Self>) -> &mut Control;
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
    pub(super) fn new(mut control: Control, future: F) -> Process<F> {
        // For information only, so a giant's size may be cut.
        control.size = u32::try_from(size_of::<Process<F>>()).unwrap_or(u32::MAX);
        Process { control, future: Some(future) }
    }
}

impl<F: Future + Send> Body for Process<F> {
    fn control(self: Pin<&mut Self>) -> &Control {
        self.project().control
    }

    fn control_mut(self: Pin<&mut Self>) -> &mut Control {
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
    doom: Cell<Option<ExitReason>>,
    /// Where the receive that is under way began.
    pub(super) receiving: Cell<Option<&'static Location<'static>>>,
    pub(super) trap_exit: Cell<bool>,
    /// Something has come that may let the process go on: it is to be polled in this turn.
    pub(super) works: Cell<bool>,
    /// The process ends, and what its destructors do has no effect on others.
    pub(super) ending: Cell<bool>,
    /// The process has ended and is taken apart: what is polled now is polled by a destructor.
    pub(super) dropped: Cell<bool>,
    /// Tasks within the process's future wait for its signals; see `receive`.
    pub(super) has_tasks: Cell<bool>,
    /// Its mailbox has a limit, or has had one; see `bounded`.
    pub(super) bounded: Cell<bool>,
    /// A receive has taken a counted message, and has not put it back.
    pub(super) owes: Cell<bool>,
    /// The reductions of this turn; see `budget`.
    pub(super) used: Cell<u32>,
    /// The bytes of the whole allocation.
    pub(super) size: u32,
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
            doom: Cell::new(None),
            receiving: Cell::new(None),
            trap_exit: Cell::new(false),
            works: Cell::new(false),
            ending: Cell::new(false),
            dropped: Cell::new(false),
            has_tasks: Cell::new(false),
            bounded: Cell::new(false),
            owes: Cell::new(false),
            used: Cell::new(0),
            size: 0,
        }
    }

    /// How signals to this process are addressed, but for those by an alias.
    pub(super) fn address(&self) -> Address {
        Address::pid(self.pid.local().generation)
    }

    /// It ends at its next suspension.
    pub(super) fn is_doomed(&self) -> bool {
        self.slot.vitals.is_exiting()
    }

    /// The first fatal signal decides the reason.
    pub(super) fn doom(&self, reason: ExitReason) {
        if !self.is_doomed() {
            self.slot.vitals.set_exiting();
            self.doom.set(Some(reason));
            self.cut_turn();
        }
    }

    /// Takes the reason of the first fatal signal, once.
    pub(super) fn take_doom(&self) -> Option<ExitReason> {
        self.doom.take()
    }

    /// Whether the running process can't go on at a suspension point, since it ends or is
    /// suspended. If it ends, what other branches of its future do in the rest of the poll
    /// reaches nobody (PROC-7).
    pub(super) fn stops(&self) -> bool {
        let is_doomed = self.is_doomed();
        if is_doomed {
            self.ending.set(true);
        }
        // A destructor is not polled again: to stop there would be to wait for ever.
        (is_doomed || self.slot.vitals.is_suspended()) && !self.is_in_destructor()
    }

    /// Whether the code that runs is a destructor, on the way out of the process.
    pub(super) fn is_in_destructor(&self) -> bool {
        self.dropped.get() || std::thread::panicking()
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

    /// Whether the process has ended, and one of its destructors runs.
    pub(crate) fn is_dropped(self) -> bool {
        self.control.dropped.get()
    }
}
