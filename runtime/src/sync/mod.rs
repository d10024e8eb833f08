//! The primitives that threads share: atomics, cells, locks, queues that can be stolen from,
//! parkers and thread-locals. There are three sets with the same interface:
//!
//! - [`real`]: those of std, parking_lot and crossbeam. Programs run with these.
//! - [`checked`] with `--cfg loom`: those of loom, which tries every order of the threads' steps,
//!   and every value that an ordering lets a load see. For one part at a time.
//! - [`checked`] with `--cfg shuttle`: those of shuttle, which tries many random orders. For a
//!   whole node.
//!
//! Other shared objects are not modelled: `Arc`, statistics that nothing depends on, and the pool
//! of blocking calls. Code that holds a lock from elsewhere must not use this module, since all
//! threads of a model are one thread of the system.

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

/// std's cell with loom's interface, which learns of each access.
#[cfg(not(loom))]
#[derive(Debug)]
pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

#[cfg(not(loom))]
impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        UnsafeCell(std::cell::UnsafeCell::new(value))
    }

    pub(crate) fn with<R>(&self, access: impl FnOnce(*const T) -> R) -> R {
        access(self.0.get())
    }

    pub(crate) fn with_mut<R>(&self, access: impl FnOnce(*mut T) -> R) -> R {
        access(self.0.get())
    }
}
