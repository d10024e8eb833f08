//! A socket of the operating system that is in the poller for its whole life.

use std::io;
use std::ops::Deref;
#[cfg(unix)]
use std::os::fd::{AsFd, AsRawFd as _};
use std::sync::Arc;
#[cfg(unix)]
use std::time::Duration;

use mio::Interest;
use mio::event::Source;
#[cfg(unix)]
use mio::unix::SourceFd;
#[cfg(unix)]
use rustix::event::{PollFd, PollFlags, poll};

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

#[cfg(unix)]
impl<S: Source + AsFd> Polled<S> {
    /// Sets whether the poller reports that there is something to read.
    pub(super) fn report_reads(&self, on: bool) -> io::Result<()> {
        let writable = Interest::WRITABLE;
        let interest = if on { Interest::READABLE | writable } else { writable };
        let fd = self.socket.as_fd().as_raw_fd();
        self.poller.change_interest(&mut SourceFd(&fd), self.registration, interest)
    }

    /// Waits without the poller until there is something to read, or until the time is over.
    pub(super) fn wait_to_read(&self, time: Duration) -> io::Result<bool> {
        let time = time.try_into().map_err(io::Error::other)?;
        let mut sources = [PollFd::new(&self.socket, PollFlags::IN)];
        Ok(poll(&mut sources, Some(&time))? > 0)
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
