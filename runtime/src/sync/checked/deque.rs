//! The interface of crossbeam's deques, implemented with a lock. A model checks our use of them,
//! not the deques.
//!
//! `is_empty` takes no lock, so that a model gets no ordering from it that the real deques do not
//! give.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crossbeam_deque::Steal;

use super::{AtomicUsize, Mutex, MutexGuard};

#[derive(Debug)]
struct Shared<T> {
    tasks: Mutex<VecDeque<T>>,
    len: AtomicUsize,
}

impl<T> Shared<T> {
    fn new() -> Self {
        Shared { tasks: Mutex::new(VecDeque::new()), len: AtomicUsize::new(0) }
    }

    fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn with<R>(&self, work: impl FnOnce(&mut MutexGuard<'_, VecDeque<T>>) -> R) -> R {
        let mut tasks = self.tasks.lock();
        let result = work(&mut tasks);
        self.len.store(tasks.len(), Ordering::Release);
        result
    }

    fn push(&self, task: T) {
        self.with(|tasks| tasks.push_back(task));
    }

    fn pop(&self) -> Option<T> {
        if self.is_empty() { None } else { self.with(|tasks| tasks.pop_front()) }
    }

    /// Takes half of the entries, but no more than `limit`.
    fn take(&self, limit: usize) -> VecDeque<T> {
        if self.is_empty() {
            return VecDeque::new();
        }
        self.with(|tasks| {
            let count = tasks.len().div_ceil(2).min(limit);
            tasks.drain(..count).collect()
        })
    }

    /// Takes an entry, and moves half of the others to another queue.
    fn steal_batch_and_pop(&self, to: &Deque<T>) -> Steal<T> {
        let mut taken = self.take(usize::MAX);
        let Some(task) = taken.pop_front() else { return Steal::Empty };
        taken.into_iter().for_each(|task| to.push(task));
        Steal::Success(task)
    }
}

#[derive(Debug)]
pub(crate) struct Deque<T>(Arc<Shared<T>>);

impl<T> Deque<T> {
    pub(crate) fn new_fifo() -> Self {
        Deque(Arc::new(Shared::new()))
    }

    pub(crate) fn stealer(&self) -> Stealer<T> {
        Stealer(self.0.clone())
    }

    pub(crate) fn push(&self, task: T) {
        self.0.push(task);
    }

    pub(crate) fn pop(&self) -> Option<T> {
        self.0.pop()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

#[derive(Debug)]
pub(crate) struct Stealer<T>(Arc<Shared<T>>);

impl<T> Stealer<T> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn steal_batch_and_pop(&self, to: &Deque<T>) -> Steal<T> {
        self.0.steal_batch_and_pop(to)
    }

    pub(crate) fn steal_batch_with_limit(&self, to: &Deque<T>, limit: usize) -> Steal<()> {
        let taken = self.0.take(limit);
        if taken.is_empty() {
            return Steal::Empty;
        }
        taken.into_iter().for_each(|task| to.push(task));
        Steal::Success(())
    }
}

#[derive(Debug)]
pub(crate) struct Injector<T>(Shared<T>);

impl<T> Default for Injector<T> {
    fn default() -> Self {
        Injector::new()
    }
}

impl<T> Injector<T> {
    pub(crate) fn new() -> Self {
        Injector(Shared::new())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn push(&self, task: T) {
        self.0.push(task);
    }

    pub(crate) fn steal(&self) -> Steal<T> {
        self.0.pop().map_or(Steal::Empty, Steal::Success)
    }

    pub(crate) fn steal_batch_and_pop(&self, to: &Deque<T>) -> Steal<T> {
        self.0.steal_batch_and_pop(to)
    }
}
