//! A socket of the operating system that is in the poller for its whole life.

use std::io;
use std::ops::Deref;
use std::sync::Arc;

use mio::Interest;
use mio::event::Source;

use super::network::SocketHandler;
use super::poller::{Poller, Registration};

pub(super) struct Polled<S: Source> {
    socket: S,
    poller: Poller,
    registration: Registration,
}

impl<S: Source> Polled<S> {
    pub(super) fn new(poller: &Poller, mut socket: S, interest: Interest) -> io::Result<Polled<S>> {
        let registration = poller.register(&mut socket, interest)?;
        Ok(Polled { socket, poller: poller.clone(), registration })
    }

    pub(super) fn poller(&self) -> &Poller {
        &self.poller
    }

    pub(super) fn set_handler(&self, handler: Arc<dyn SocketHandler>) {
        self.poller.set_handler(self.registration, handler);
    }

    pub(super) fn release_handler(&self) {
        self.poller.release(self.registration);
    }
}

impl<S: Source> Deref for Polled<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.socket
    }
}

impl<S: Source> Drop for Polled<S> {
    fn drop(&mut self) {
        self.poller.deregister(&mut self.socket, self.registration);
    }
}
