//! The interface of crossbeam's parker.

use std::sync::Arc;
use std::time::Duration;

use super::{Condvar, Mutex, checker};

#[derive(Debug)]
pub(crate) struct Parker(Unparker);

#[derive(Clone, Debug, Default)]
pub(crate) struct Unparker(Arc<Token>);

#[derive(Debug, Default)]
struct Token {
    is_there: Mutex<bool>,
    came: Condvar,
}

impl Parker {
    pub(crate) fn new() -> Self {
        Parker(Unparker::default())
    }

    pub(crate) fn unparker(&self) -> &Unparker {
        &self.0
    }

    pub(crate) fn park(&self) {
        let Token { is_there, came } = &*self.0.0;
        let mut is_there = is_there.lock();
        while !std::mem::take(&mut *is_there) {
            came.wait(&mut is_there);
        }
    }

    /// A model has no time, so the timeout passes at once.
    pub(crate) fn park_timeout(&self, _timeout: Duration) {
        checker::thread::yield_now();
        *self.0.0.is_there.lock() = false;
    }
}

impl Unparker {
    pub(crate) fn unpark(&self) {
        *self.0.is_there.lock() = true;
        self.0.came.notify_one();
    }
}
