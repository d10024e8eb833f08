//! The part of a worker that other threads see.

use std::num::NonZeroU32;

use crossbeam_utils::CachePadded;

use super::host_thread::HostThread;
use super::parker::Parker;
use super::{Driver, Origin, TaskId};
use crate::sync::{AtomicU8, AtomicU32, AtomicU64, Ordering, Stealer};

/// The worker works.
const ACTIVE: u8 = 0;
/// The monitor found the worker stuck in a task.
const STUCK: u8 = 1;
/// The worker is stuck, and a thread was requested to replace it.
const ASKED: u8 = 2;
/// Another worker has replaced this one.
const REPLACED: u8 = 3;

/// A task or none. The niche of `TaskId` lets it be one word.
struct TaskCell(AtomicU32);

impl TaskCell {
    fn none() -> TaskCell {
        TaskCell(AtomicU32::new(0))
    }

    fn load(&self) -> Option<TaskId> {
        NonZeroU32::new(self.0.load(Ordering::Acquire)).map(TaskId)
    }

    fn store(&self, task: Option<TaskId>) {
        self.0.store(Self::word(task), Ordering::Release);
    }

    fn swap(&self, task: Option<TaskId>) -> Option<TaskId> {
        NonZeroU32::new(self.0.swap(Self::word(task), Ordering::AcqRel)).map(TaskId)
    }

    fn word(task: Option<TaskId>) -> u32 {
        task.map_or(0, |TaskId(number)| number.get())
    }
}

pub(super) struct Seat {
    pub(super) stealer: Stealer<TaskId>,
    /// The task that was woken last. It belongs to the worker; others only take it from a stuck
    /// one.
    last_woken: CachePadded<TaskCell>,
    /// The running task.
    running: TaskCell,
    /// Where the running task was spawned.
    origin: Origin,
    /// The number of tasks that were begun.
    runs: AtomicU64,
    /// The number of a run that has lasted too long.
    overdue: AtomicU64,
    state: AtomicU8,
    parker: Parker,
    thread: HostThread,
}

impl Seat {
    pub(super) fn new(stealer: Stealer<TaskId>) -> Seat {
        Seat {
            stealer,
            last_woken: CachePadded::new(TaskCell::none()),
            running: TaskCell::none(),
            origin: Origin::default(),
            runs: AtomicU64::new(0),
            overdue: AtomicU64::new(0),
            state: AtomicU8::new(ACTIVE),
            parker: Parker::default(),
            thread: HostThread::current(),
        }
    }

    pub(super) fn thread(&self) -> &HostThread {
        &self.thread
    }

    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }

    pub(super) fn parker(&self) -> &Parker {
        &self.parker
    }

    pub(super) fn unpark(&self, driver: &dyn Driver) {
        self.parker.unpark(driver);
    }

    /// Remembers the task that was woken last. Returns the task that was remembered before.
    pub(super) fn set_last_woken(&self, task: TaskId) -> Option<TaskId> {
        if self.last_woken.load().is_none() {
            // Only the worker stores a task, so none can come in between.
            self.last_woken.store(Some(task));
            return None;
        }
        self.last_woken.swap(Some(task))
    }

    /// Takes the task that was woken last. Called by the worker, or by a thief if the worker is
    /// stuck.
    pub(super) fn take_last_woken(&self) -> Option<TaskId> {
        self.last_woken.load()?;
        self.last_woken.swap(None)
    }

    /// Returns whether there is a task to steal.
    pub(super) fn has_work(&self) -> bool {
        !self.stealer.is_empty() || (self.is_stuck() && self.has_last_woken())
    }

    pub(super) fn has_last_woken(&self) -> bool {
        self.last_woken.load().is_some()
    }

    /// Records that the worker begins a task.
    pub(super) fn begin(&self, task: TaskId) {
        self.runs.store(self.runs.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        self.running.store(Some(task));
    }

    /// Records that the worker has finished its task. Returns whether it was replaced meanwhile.
    #[must_use]
    pub(super) fn end(&self) -> bool {
        self.running.store(None);
        self.state.load(Ordering::Relaxed) != ACTIVE
            && self.state.swap(ACTIVE, Ordering::AcqRel) == REPLACED
    }

    /// Returns the running task, and the number of its run.
    pub(super) fn running(&self) -> Option<(u64, TaskId)> {
        let run = self.runs.load(Ordering::Relaxed);
        self.running.load().map(|task| (run, task))
    }

    /// Returns whether the running task was told to yield.
    pub(super) fn is_overdue(&self) -> bool {
        self.overdue.load(Ordering::Relaxed) == self.runs.load(Ordering::Relaxed)
    }

    /// Tells the task of this run to yield, if it is still running.
    pub(super) fn mark_overdue(&self, run: u64) {
        self.overdue.store(run, Ordering::Relaxed);
    }

    pub(super) fn runs(&self, task: TaskId) -> bool {
        self.running.load() == Some(task)
    }

    pub(super) fn is_stuck(&self) -> bool {
        self.state.load(Ordering::Acquire) != ACTIVE
    }

    /// Records that the monitor found the worker stuck.
    pub(super) fn mark_stuck(&self) {
        self.state.store(STUCK, Ordering::Release);
    }

    /// Marks a stuck worker as about to be replaced. Returns false if a replacement was already
    /// requested, or if the worker has come back.
    #[must_use]
    pub(super) fn ask_replacement(&self) -> bool {
        self.change(STUCK, ASKED)
    }

    /// Withdraws the request for a replacement, since no thread could be started.
    pub(super) fn unask_replacement(&self) {
        self.change(ASKED, STUCK);
    }

    /// Replaces the worker by the calling thread. Returns false if the worker has come back. Only
    /// after this call does a worker that comes back end: if it ended earlier and its replacement
    /// could not be started, a worker would be lost.
    #[must_use]
    pub(super) fn replace(&self) -> bool {
        self.change(ASKED, REPLACED)
    }

    fn change(&self, from: u8, to: u8) -> bool {
        self.state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}
