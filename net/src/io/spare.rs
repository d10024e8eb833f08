//! Accepting that goes on when file descriptors run out.
//!
//! A connection that is waiting to be accepted when the OS process has no descriptor
//! left can be neither taken nor refused: it would stay at the head of the queue, and
//! with an edge-triggered poller nothing would ever report it again. So a listener
//! keeps a spare descriptor. It gives it up, takes the connection with it, closes the
//! connection, and gets itself a spare one again: the peer sees a close at once, and
//! the queue moves on.

use fika_runtime::report;
use std::io;
use std::net::SocketAddr;

use parking_lot::Mutex;
use socket2::{Domain, Socket, Type};

/// How many connections one call closes unseen, or finds given up by their peers, before
/// it returns an error: a flood must not hold the worker.
const DISCARDED_MAX: usize = 64;

/// "Too many open files", in this OS process and in the whole system: the same numbers
/// on every Unix that mio runs on. Elsewhere they are not met, and no spare is needed.
const EMFILE: i32 = 24;
const ENFILE: i32 = 23;

/// A listener's spare descriptor.
pub(super) struct Spare(Mutex<State>);

struct State {
    /// An unconnected socket, because that needs no file system. None while even for it there
    /// is no room.
    socket: Option<Socket>,
    /// Whether the shortage has been reported, which is done once for each.
    reported: bool,
}

impl Spare {
    pub(super) fn new() -> io::Result<Spare> {
        Ok(Spare(Mutex::new(State { socket: Some(open()?), reported: false })))
    }

    /// Accepts on `addr`, by this function.
    pub(super) fn accept<T>(
        &self,
        addr: SocketAddr,
        accept: impl Fn() -> io::Result<T>,
    ) -> io::Result<T> {
        let mut latest = None;
        for _ in 0..DISCARDED_MAX {
            let error = match accept() {
                Ok(accepted) => {
                    let mut state = self.0.lock();
                    state.reported = false;
                    // Another thread may have taken the descriptor in the last shortage.
                    if state.socket.is_none() {
                        state.socket = open().ok();
                    }
                    return Ok(accepted);
                }
                Err(error) => error,
            };
            match error.raw_os_error() {
                Some(EMFILE | ENFILE) if cfg!(unix) => self.discard(addr, &error, &accept)?,
                // The peer had gone before its turn came.
                _ if error.kind() == io::ErrorKind::ConnectionAborted => {}
                _ => return Err(error),
            }
            latest = Some(error);
        }
        Err(latest.expect("each turn of the loop that does not return has an error"))
    }

    /// Closes the connection that is next, with the help of the spare descriptor.
    fn discard<T>(
        &self,
        addr: SocketAddr,
        error: &io::Error,
        accept: impl Fn() -> io::Result<T>,
    ) -> io::Result<()> {
        let mut state = self.0.lock();
        let is_first = !std::mem::replace(&mut state.reported, true);
        state.socket = None;
        let discarded = accept();
        let result = discarded.map(drop);
        state.socket = open().ok();
        drop(state);
        if is_first {
            report!(error, %addr, %error, "connections are closed as soon as they come");
        }
        result
    }

    #[cfg(test)]
    pub(super) fn is_there(&self) -> bool {
        self.0.lock().socket.is_some()
    }

    #[cfg(test)]
    pub(super) fn is_reported(&self) -> bool {
        self.0.lock().reported
    }
}

/// Returns whether an operation failed because the system had no descriptor or no memory left. Such
/// an error says nothing about the peer.
pub(crate) fn is_exhausted(error: &io::Error) -> bool {
    const ENOBUFS: i32 = if cfg!(target_os = "linux") { 105 } else { 55 };
    const ENOMEM: i32 = 12;
    cfg!(unix) && matches!(error.raw_os_error(), Some(EMFILE | ENFILE | ENOBUFS | ENOMEM))
}

/// How many descriptors the program may have.
pub(super) fn descriptors_max() -> Option<usize> {
    #[cfg(unix)]
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    #[cfg(not(unix))]
    let limit: Option<u64> = None;
    limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

fn open() -> io::Result<Socket> {
    Socket::new(Domain::IPV4, Type::STREAM, None)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn errors_of_an_exhausted_system() {
        for code in [EMFILE, ENFILE, 12] {
            assert!(is_exhausted(&io::Error::from_raw_os_error(code)), "{code}");
        }
        // No such file, connection reset; and an error that is not the system's.
        for code in [2, 104] {
            assert!(!is_exhausted(&io::Error::from_raw_os_error(code)), "{code}");
        }
        assert!(!is_exhausted(&io::Error::other("another")));
    }
}
