//! The control block of a process. One allocation holds it and the future, unless the future is
//! large.
//!
//! Everything here belongs to the process. Other processes reach it only by signals, so the cells
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
use crate::node_id::NodeId;
use crate::outcome::Outcome;
use crate::pid::Pid;
use crate::table;

/// Where a process was spawned.
pub(in crate::process) type Site = &'static Location<'static>;

/// A slot of the process table.
pub(crate) type SlotRef = table::SlotRef<dyn Body>;

/// A process, as the table holds it.
pub(crate) trait Body: Send {
    fn control(self: Pin<&mut Self>) -> &Control;
    fn control_mut(self: Pin<&mut Self>) -> &mut Control;
    /// Polls the future. Rust's panic hook ends backtraces at functions with this name, so that
    /// they don't include the runtime's own frames.
    fn __rust_begin_short_backtrace(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()>;
    /// Drops the future, so that its destructors run while the process is still there.
    fn drop_future(self: Pin<&mut Self>);
    /// Makes the process's control block, in its place. Called once, before anything else.
    ///
    /// Takes the node and not the pid. A pid would be passed in memory, and the processor stalls if
    /// it reads in one piece what was just written in smaller ones.
    fn begin(
        self: Pin<&mut Self>,
        slot: SlotRef,
        node: NodeId,
        parent: Option<Pid>,
        site: Site,
        size: u32,
    );
}

/// A future in its final place in memory, which is about to become a process.
pub(crate) struct NewProcess {
    body: Pin<Box<dyn Body>>,
    /// The size of all its allocations, in bytes.
    size: usize,
}

impl NewProcess {
    /// A future larger than this gets its own allocation, so that it is not moved a second time.
    const SIZE_MAX: usize = 16 << 10;

    /// Returns the function that moves a future of this type to the heap.
    ///
    /// In a build without optimizations, a function that takes a future by value has another copy
    /// of it in its stack frame for each call that it passes the future to. A call that is never
    /// made counts, too. So every public function that spawns calls this one first and passes the
    /// future to nothing else. For the same reason the two ways to place a future are separate
    /// functions.
    pub(crate) const fn of<F>() -> fn(F) -> NewProcess
    where
        F: IntoFuture<Output: Outcome>,
        F::IntoFuture: Send + 'static,
    {
        if size_of::<F::IntoFuture>() > Self::SIZE_MAX { Self::large } else { Self::small }
    }

    fn small<F>(future: F) -> NewProcess
    where
        F: IntoFuture<Output: Outcome>,
        F::IntoFuture: Send + 'static,
    {
        let body = Box::pin(Process { control: None, future: Some(future.into_future()) });
        NewProcess { body, size: size_of::<Process<F::IntoFuture>>() }
    }

    fn large<F>(future: F) -> NewProcess
    where
        F: IntoFuture<Output: Outcome>,
        F::IntoFuture: Send + 'static,
    {
        let body =
            Box::pin(Process { control: None, future: Some(Box::pin(future.into_future())) });
        let size = size_of::<Process<Pin<Box<F::IntoFuture>>>>() + size_of::<F::IntoFuture>();
        NewProcess { body, size }
    }

    /// Gives the process its control block.
    pub(in crate::process) fn begin(
        mut self,
        slot: SlotRef,
        node: NodeId,
        parent: Option<Pid>,
        site: Site,
    ) -> Pin<Box<dyn Body>> {
        // Only informational, so the size of a huge future may be capped.
        let size = u32::try_from(self.size).unwrap_or(u32::MAX);
        self.body.as_mut().begin(slot, node, parent, site, size);
        self.body
    }
}

pin_project! {
    struct Process<F> {
        // `None` until the process has a slot.
        control: Option<Control>,
        #[pin]
        future: Option<F>,
    }
}

/// The control block is optional at no cost in memory.
const _: () = assert!(size_of::<Option<Control>>() == size_of::<Control>());

const BEGUN: &str = "a process has begun before anybody sees it";

impl<F: Future<Output: Outcome> + Send> Body for Process<F> {
    fn control(self: Pin<&mut Self>) -> &Control {
        self.project().control.as_ref().expect(BEGUN)
    }

    fn control_mut(self: Pin<&mut Self>) -> &mut Control {
        self.project().control.as_mut().expect(BEGUN)
    }

    fn __rust_begin_short_backtrace(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let control = this.control.as_ref().expect(BEGUN);
        match this.future.as_pin_mut() {
            Some(future) => {
                let ready = |value: F::Output| control.returned(value);
                context::enter_process(control, || future.poll(context).map(ready))
            }
            None => Poll::Ready(()),
        }
    }

    fn drop_future(self: Pin<&mut Self>) {
        let mut this = self.project();
        let control = this.control.as_ref().expect(BEGUN);
        context::enter_process(control, || this.future.set(None));
    }

    fn begin(
        self: Pin<&mut Self>,
        slot: SlotRef,
        node: NodeId,
        parent: Option<Pid>,
        site: Site,
        size: u32,
    ) {
        let new = || Control::new(slot, Pid::new(node, slot.id()), parent, site, size);
        self.project().control.get_or_insert_with(new);
    }
}

/// The private state of a process.
pub(crate) struct Control {
    pub(in crate::process) pid: Pid,
    pub(in crate::process) slot: SlotRef,
    /// The process that spawned it, if a process did.
    pub(in crate::process) parent: Option<Pid>,
    /// Where it was spawned.
    pub(in crate::process) site: Site,
    pub(in crate::process) mailbox: RefCell<Mailbox>,
    /// The parts that most processes never have.
    pub(super) rare: RareCell,
    /// The reason of the first fatal signal, or of an `exit`: the process ends at its next
    /// suspension point.
    doom: Cell<Option<ExitReason>>,
    /// The place in the program of the receive in progress.
    pub(in crate::process) receiving: Cell<Option<&'static Location<'static>>>,
    pub(in crate::process) trap_exit: Cell<bool>,
    /// The process ends by an error, which is reported.
    pub(in crate::process) crashes: Cell<bool>,
    /// The process has called `exit`; the reason is in `doom`.
    left: Cell<bool>,
    /// Something has arrived that may let the process continue, so it is polled in this turn.
    pub(in crate::process) works: Cell<bool>,
    /// The process ends, and its destructors have no effect on other processes (PROC-7).
    ending: Cell<bool>,
    /// The process has ended and is being dropped: any code of the process that runs now is a
    /// destructor.
    pub(in crate::process) dropped: Cell<bool>,
    /// Tasks inside the process's future wait for its signals; see `tasks`.
    pub(in crate::process) has_tasks: Cell<bool>,
    /// Its mailbox has a limit, or has had one; see `bounded`.
    pub(in crate::process) bounded: Cell<bool>,
    /// A receive has taken a counted message, and has not put it back.
    pub(in crate::process) owes: Cell<bool>,
    /// The reductions of this turn; see `budget`.
    pub(in crate::process) used: Cell<u32>,
    /// The size of the process's allocations, in bytes.
    pub(in crate::process) size: u32,
}

impl Control {
    #[inline]
    fn new(slot: SlotRef, pid: Pid, parent: Option<Pid>, site: Site, size: u32) -> Control {
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
            crashes: Cell::new(false),
            left: Cell::new(false),
            works: Cell::new(false),
            ending: Cell::new(false),
            dropped: Cell::new(false),
            has_tasks: Cell::new(false),
            bounded: Cell::new(false),
            owes: Cell::new(false),
            used: Cell::new(0),
            size,
        }
    }

    /// Returns the address of signals to this process, except signals by an alias.
    pub(in crate::process) fn address(&self) -> Address {
        Address::pid(self.pid.local().generation)
    }

    /// Returns whether a fatal signal was received: the process ends at its next suspension point.
    pub(in crate::process) fn is_doomed(&self) -> bool {
        self.slot.vitals.is_exiting()
    }

    /// Makes the process end with this reason, unless an earlier fatal signal has decided the
    /// reason.
    pub(in crate::process) fn doom(&self, reason: ExitReason) {
        if !self.is_doomed() {
            self.slot.vitals.set_exiting();
            self.doom.set(Some(reason));
            self.cut_turn();
        }
    }

    /// Makes the process end at its next suspension point by an error, unless it already ends.
    pub(in crate::process) fn crash(&self, reason: ExitReason) {
        if !self.is_doomed() {
            self.crashes.set(true);
            self.doom(reason);
        }
    }

    /// Makes the process end with this reason, as `exit` does. A fatal signal that takes effect
    /// while its destructors run replaces the reason.
    pub(in crate::process) fn leave(&self, reason: ExitReason) {
        if !self.is_doomed() && !self.left.replace(true) {
            self.doom.set(Some(reason));
            self.cut_turn();
        }
    }

    /// Takes an `exit` back whose unwinding was caught, unless it has taken effect.
    pub(in crate::process) fn stay(&self) {
        if !self.is_doomed() && self.left.replace(false) {
            self.doom.set(None);
        }
    }

    /// Returns whether the process ends now, because of a fatal signal or an `exit`, even if the
    /// process has caught the unwinding.
    #[inline]
    pub(crate) fn ends(&self) -> bool {
        if self.left.get() && !self.is_doomed() {
            self.slot.vitals.set_exiting();
        }
        self.is_doomed()
    }

    /// Handles the value that the future returned. Calls code of the program.
    fn returned(&self, value: impl Outcome) {
        if self.ends() {
            return drop(value);
        }
        match value.into_result() {
            Ok(value) => {
                drop(value);
                self.doom(ExitReason::Normal);
            }
            Err(reason) if reason.is_orderly() => self.doom(reason),
            Err(reason) => self.crash(reason),
        }
    }

    /// Handles the panic of a destructor of a process that has ended. The panic becomes the reason
    /// if the process had no other error.
    #[cold]
    pub(in crate::process) fn destructor_panicked(&self, panic: ExitReason) {
        let reason = match self.doom.take() {
            Some(reason) if !reason.is_orderly() => reason,
            _ => {
                self.crashes.set(true);
                panic
            }
        };
        self.doom.set(Some(reason));
    }

    /// Takes the reason of the end out, once.
    pub(in crate::process) fn take_doom(&self) -> Option<ExitReason> {
        self.doom.take()
    }

    /// Returns the reason of the end, if it is decided and was not taken.
    pub(in crate::process) fn reason(&self) -> Option<ExitReason> {
        let reason = self.doom.take();
        self.doom.set(reason.clone());
        reason
    }

    /// Returns whether the running process must stop at a suspension point, since it is ending or
    /// suspended. If it ends, other branches of its future may run in the rest of the poll, but
    /// have no effect on other processes (PROC-7).
    #[inline]
    pub(in crate::process) fn stops(&self) -> bool {
        (self.ends() || self.slot.vitals.is_suspended()) && self.stops_now()
    }

    #[cold]
    fn stops_now(&self) -> bool {
        if self.is_doomed() {
            self.ending.set(true);
        }
        // A destructor is not polled again, so stopping there would wait forever.
        !self.is_in_destructor()
    }

    /// Returns whether the process ends, and so has no effect on other processes any more (PROC-7).
    /// Functions that act for the running process use [`Running::unless_ending`].
    #[inline]
    pub(in crate::process) fn is_ending(&self) -> bool {
        self.ending.get()
    }

    /// Records that the process ends: from now on, it has no effect on other processes.
    pub(in crate::process) fn set_ending(&self) {
        self.ending.set(true);
    }

    /// Returns whether the running code is a destructor of a process that ends.
    pub(in crate::process) fn is_in_destructor(&self) -> bool {
        self.dropped.get() || std::thread::panicking()
    }
}

/// A process that runs, with its node. The free functions act for it.
#[derive(Clone, Copy)]
pub(crate) struct Running<'a> {
    pub(crate) control: &'a Control,
    pub(crate) node: &'a Inner,
}

impl<'a> Running<'a> {
    pub(crate) fn pid(self) -> Pid {
        self.control.pid
    }

    /// Guards everything that has an effect on other processes. `None` if the process ends: its
    /// destructors still run, but have no such effect (PROC-7).
    #[inline]
    pub(crate) fn unless_ending(self) -> Option<Running<'a>> {
        (!self.control.is_ending()).then_some(self)
    }
}
