//! What threads share: atomics, cells, locks, queues that can be stolen from, parkers and
//! thread-locals. One of three sets, all with one interface:
//!
//! - [`real`]: std's, parking_lot's and crossbeam's; what programs run with.
//! - [`checked`] with `--cfg loom`: loom's, which tries each order of what threads do, and each
//!   value that an ordering lets a load see. For one part at a time.
//! - [`checked`] with `--cfg shuttle`: shuttle's, which tries many orders by chance. For a whole
//!   node.
//!
//! What is not from here, such as `Arc`, statistics that nothing depends on, and the pool of
//! blocking calls, is not modelled. A lock that is not from here must not be held while
//! something from here is used: the threads of a model are one thread of the system.

#[cfg(any(loom, shuttle))]
mod checked;
#[cfg(all(test, loom))]
mod model;
#[cfg(not(any(loom, shuttle)))]
mod real;

#[cfg(any(loom, shuttle))]
pub(crate) use checked::*;
#[cfg(not(any(loom, shuttle)))]
pub(crate) use real::*;

#[cfg(all(test, loom))]
pub(crate) use model::{model, model_with_preemptions};

pub(crate) use std::sync::atomic::Ordering;

/// std's cell behind loom's interface, which is told of each access.
#[cfg(not(loom))]
#[derive(Debug)]
pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

#[cfg(not(loom))]
impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        UnsafeCell(std::cell::UnsafeCell::new(value))
    }

    pub(crate) fn with_mut<R>(&self, access: impl FnOnce(*mut T) -> R) -> R {
        access(self.0.get())
    }
}
