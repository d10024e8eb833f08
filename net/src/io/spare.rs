//! Accepts connections even when file descriptors run out.
//!
//! If the OS process has no descriptor left, a connection that waits to be accepted can be neither
//! accepted nor refused. It would stay at the head of the queue, and an edge-triggered poller would
//! never report it again. So a listener keeps a spare descriptor. It gives up the spare, accepts
//! the connection with it, closes the connection, and opens a new spare. The peer sees a close at
//! once, and the queue moves on.

use fika_runtime::report;
use std::io;
use std::net::SocketAddr;

use parking_lot::Mutex;
use socket2::{Domain, Socket, Type};

/// How many connections one call closes, or finds given up by their peers, before it returns an
/// error. A flood must not hold the worker.
const DISCARDED_MAX: usize = 64;

/// "Too many open files", in this OS process and in the whole system. The numbers are equal on
/// every Unix that mio runs on. On other systems they don't occur, and no spare is needed.
const EMFILE: i32 = 24;
const ENFILE: i32 = 23;

/// A listener's spare descriptor.
pub(super) struct Spare(Mutex<State>);

struct State {
    /// An unconnected socket, since it needs no file system. `None` if there was no descriptor for
    /// it.
    socket: Option<Socket>,
    /// Whether the current shortage has been reported. Each is reported once.
    reported: bool,
}

impl Spare {
    pub(super) fn new() -> io::Result<Spare> {
        Ok(Spare(Mutex::new(State { socket: Some(open()?), reported: false })))
    }

    /// Accepts a connection on `addr` with this function.
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
                // The peer closed the connection before it was accepted.
                _ if error.kind() == io::ErrorKind::ConnectionAborted => {}
                _ => return Err(error),
            }
            latest = Some(error);
        }
        Err(latest.expect("each turn of the loop that does not return has an error"))
    }

    /// Closes the next connection, with the help of the spare descriptor.
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
            report!(error, %addr, %error, "no file descriptor is left: closing new connections");
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

/// Returns how many descriptors the program may have.
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
        // No such file, connection reset, and an error that is not from the system.
        for code in [2, 104] {
            assert!(!is_exhausted(&io::Error::from_raw_os_error(code)), "{code}");
        }
        assert!(!is_exhausted(&io::Error::other("another")));
    }
}
