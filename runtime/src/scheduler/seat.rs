//! What other threads see of a worker.

use std::num::NonZeroU32;

use crossbeam_utils::CachePadded;

use super::host_thread::HostThread;
use super::parker::Parker;
use super::{Driver, Origin, TaskId};
use crate::sync::{AtomicU8, AtomicU32, AtomicU64, Ordering, Stealer};

/// The worker does its work.
const ACTIVE: u8 = 0;
/// The monitor found it stuck in a task.
const STUCK: u8 = 1;
/// The worker is stuck, and a thread was requested to replace it.
const ASKED: u8 = 2;
/// Another worker has replaced it.
const REPLACED: u8 = 3;

/// A task or none, as the spare value of a `TaskId` lets it be one word.
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
    /// The task that was woken last. The worker's own; only a stuck one is robbed of it.
    last_woken: CachePadded<TaskCell>,
    /// The task that runs now.
    running: TaskCell,
    /// Where that task was made.
    origin: Origin,
    /// Counts the tasks that were begun.
    runs: AtomicU64,
    /// The number of a run that the monitor has seen for too long.
    overdue: AtomicU64,
    state: AtomicU8,
    parker: Parker,
    thread: HostThread,
}

impl Seat {
    /// Makes a seat for the calling thread.
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

    /// The worker remembers the task that was woken last; returns the one that it remembered.
    pub(super) fn set_last_woken(&self, task: TaskId) -> Option<TaskId> {
        if self.last_woken.load().is_none() {
            // Only the worker puts one in, so nobody is in between.
            self.last_woken.store(Some(task));
            return None;
        }
        self.last_woken.swap(Some(task))
    }

    /// Takes the task that was woken last: the worker does, or a robber of a stuck one.
    pub(super) fn take_last_woken(&self) -> Option<TaskId> {
        self.last_woken.load()?;
        self.last_woken.swap(None)
    }

    /// Whether there is something to steal.
    pub(super) fn has_work(&self) -> bool {
        !self.stealer.is_empty() || (self.is_stuck() && self.has_last_woken())
    }

    pub(super) fn has_last_woken(&self) -> bool {
        self.last_woken.load().is_some()
    }

    /// The worker begins a task.
    pub(super) fn begin(&self, task: TaskId) {
        self.runs.store(self.runs.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        self.running.store(Some(task));
    }

    /// The worker has come back from its task. True if it was replaced meanwhile.
    #[must_use]
    pub(super) fn end(&self) -> bool {
        self.running.store(None);
        self.state.load(Ordering::Relaxed) != ACTIVE
            && self.state.swap(ACTIVE, Ordering::AcqRel) == REPLACED
    }

    /// The task that runs now, and the number of its run.
    pub(super) fn running(&self) -> Option<(u64, TaskId)> {
        let run = self.runs.load(Ordering::Relaxed);
        self.running.load().map(|task| (run, task))
    }

    /// Whether the task that runs now was told to come to an end.
    pub(super) fn is_overdue(&self) -> bool {
        self.overdue.load(Ordering::Relaxed) == self.runs.load(Ordering::Relaxed)
    }

    /// Tells the task of this run to come to an end, if it is still running.
    pub(super) fn mark_overdue(&self, run: u64) {
        self.overdue.store(run, Ordering::Relaxed);
    }

    /// Whether this task runs here now.
    pub(super) fn runs(&self, task: TaskId) -> bool {
        self.running.load() == Some(task)
    }

    pub(super) fn is_stuck(&self) -> bool {
        self.state.load(Ordering::Acquire) != ACTIVE
    }

    /// The monitor found it stuck.
    pub(super) fn mark_stuck(&self) {
        self.state.store(STUCK, Ordering::Release);
    }

    /// Marks a stuck worker as about to be replaced. Returns false if a replacement was already
    /// requested, or the worker has come back.
    #[must_use]
    pub(super) fn ask_replacement(&self) -> bool {
        self.change(STUCK, ASKED)
    }

    /// Withdraws the request for a replacement, since no thread could be started.
    pub(super) fn unask_replacement(&self) {
        self.change(ASKED, STUCK);
    }

    /// Replaces the worker by the calling thread. Returns false if the worker has come back. A
    /// worker ends when it comes back only after this call: if it ended earlier, a worker whose
    /// replacement could not be started would be lost.
    #[must_use]
    pub(super) fn replace(&self) -> bool {
        self.change(ASKED, REPLACED)
    }

    fn change(&self, from: u8, to: u8) -> bool {
        self.state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}
