//! Socket events that a node has not handled yet, because it is paused or busy with its processes.
//!
//! Events of the same socket are merged, as with `epoll`.

use std::sync::Arc;

use crate::network::Tell;

#[derive(Default)]
pub(crate) struct Missed(Vec<Tell>);

impl Missed {
    pub(crate) fn add(&mut self, tell: Tell) {
        match self.0.iter_mut().find(|other| Arc::ptr_eq(&other.handler, &tell.handler)) {
            Some(other) => {
                other.readable |= tell.readable;
                other.writable |= tell.writable;
            }
            None => self.0.push(tell),
        }
    }

    pub(crate) fn tells(self) -> impl Iterator<Item = Tell> {
        self.0.into_iter()
    }
}
