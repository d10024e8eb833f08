//! Unix sockets in one directory, as a network: for nodes of one host that no other host, and
//! no other user, is to reach.
//!
//! An address of TCP is the name of a file there, like `127.0.0.1:4369`. Who listens holds a
//! lock beside it, `127.0.0.1:4369.lock`, for as long as he does. The lock ends with its
//! holder, however that ends, and so tells a socket that is used from one that was left
//! behind. Whoever has got it removes what was left behind, and listens. The locks' files
//! stay: to remove one could take it from under somebody who has just opened it.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mio::Interest;

use super::network::{Handler, HostIps, Listener, Network, Socket};
use super::polled::Polled;
use super::poller::Poller;
use super::spare::Spare;

/// The ports that are chosen for whoever wants any.
const PORTS: std::ops::RangeInclusive<u16> = 49_152..=65_535;

/// The address of whoever connects: it is this host, and there is nobody to be told from.
const HERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A network of Unix sockets in one directory (OTP has an example of it, `uds_dist`). All
/// nodes and the port mapper are in the directory, and so only those find each other that
/// have the same one. Every host's name stands for this host.
///
/// What protects the nodes, besides the cookie, is who may write to the directory.
#[derive(Clone)]
pub struct UnixSockets {
    poller: Poller,
    directory: Arc<Path>,
}

impl UnixSockets {
    /// The network in this directory, which is made for its owner alone if it is not there. Its
    /// path is short: with a file's name it has room in the address of a Unix socket, which
    /// is some 100 bytes.
    ///
    /// # Errors
    /// When the directory is not there and can't be made.
    pub fn new(poller: &Poller, directory: impl Into<PathBuf>) -> io::Result<UnixSockets> {
        let directory = directory.into();
        DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
        Ok(UnixSockets { poller: poller.clone(), directory: directory.into() })
    }

    fn file(&self, addr: SocketAddr) -> PathBuf {
        self.directory.join(addr.to_string())
    }

    fn bind(&self, addr: SocketAddr, backlog: u32) -> io::Result<UnixListener> {
        let file = self.file(addr);
        let lock = File::create(self.directory.join(format!("{addr}.lock")))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(ErrorKind::AddrInUse.into()),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        match fs::remove_file(&file) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.bind(&socket2::SockAddr::unix(&file)?)?;
        socket.listen(backlog.try_into().unwrap_or(i32::MAX))?;
        let socket = mio::net::UnixListener::from_std(socket.into());
        let socket = Polled::new(&self.poller, socket, Interest::READABLE)?;
        Ok(UnixListener { socket, local_addr: addr, spare: Spare::new()?, file, lock })
    }
}

impl Network for UnixSockets {
    fn connect(&self, addr: SocketAddr) -> io::Result<Box<dyn Socket>> {
        let all: IpAddr = match addr {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        // It may listen on all addresses.
        let socket = match mio::net::UnixStream::connect(self.file(addr)) {
            Err(error) if is_refusal(&error) => {
                mio::net::UnixStream::connect(self.file(SocketAddr::new(all, addr.port())))
            }
            result => result,
        };
        match socket {
            Ok(socket) => Ok(UnixSocket::register(&self.poller, socket, addr, HERE)?),
            // Who can't wait in a full queue is refused.
            Err(error) if is_refusal(&error) || error.kind() == ErrorKind::WouldBlock => {
                Err(ErrorKind::ConnectionRefused.into())
            }
            Err(error) => Err(error),
        }
    }

    fn listen(&self, addr: SocketAddr, backlog: u32) -> io::Result<Box<dyn Listener>> {
        if addr.port() != 0 {
            return Ok(Box::new(self.bind(addr, backlog)?));
        }
        for port in PORTS {
            match self.bind(SocketAddr::new(addr.ip(), port), backlog) {
                Err(error) if error.kind() == ErrorKind::AddrInUse => {}
                result => return Ok(Box::new(result?)),
            }
        }
        Err(ErrorKind::AddrInUse.into())
    }

    fn host_ips<'a>(&'a self, _: &'a str) -> HostIps<'a> {
        Box::pin(async { Ok(vec![HERE.ip()]) })
    }
}

/// Nobody listens: there is no file, or one that was left behind.
fn is_refusal(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused)
}

/// A connection.
struct UnixSocket {
    socket: Polled<mio::net::UnixStream>,
    peer_addr: SocketAddr,
    local_addr: SocketAddr,
}

impl UnixSocket {
    fn register(
        poller: &Poller,
        socket: mio::net::UnixStream,
        peer_addr: SocketAddr,
        local_addr: SocketAddr,
    ) -> io::Result<Box<UnixSocket>> {
        let socket = Polled::new(poller, socket, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Box::new(UnixSocket { socket, peer_addr, local_addr }))
    }
}

impl Socket for UnixSocket {
    fn connected(&self) -> io::Result<()> {
        if let Some(error) = self.socket.take_error()? {
            return Err(error);
        }
        match self.socket.peer_addr() {
            Err(error) if error.kind() == ErrorKind::NotConnected => {
                Err(ErrorKind::WouldBlock.into())
            }
            result => result.map(|_| ()),
        }
    }

    fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self.socket).read(buf)
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        (&*self.socket).write(bytes)
    }

    fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        (&*self.socket).read_vectored(bufs)
    }

    fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self.socket).write_vectored(bufs)
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.socket.shutdown(how)
    }

    fn peer_addr(&self) -> SocketAddr {
        self.peer_addr
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local_addr)
    }

    fn set_handler(&self, handler: Arc<dyn Handler>) {
        self.socket.set_handler(handler);
    }

    fn release_handler(&self) {
        self.socket.release_handler();
    }
}

/// A socket that listens.
struct UnixListener {
    socket: Polled<mio::net::UnixListener>,
    local_addr: SocketAddr,
    spare: Spare,
    /// The socket's file, which is removed while the lock is held.
    file: PathBuf,
    lock: File,
}

impl Listener for UnixListener {
    fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    fn try_accept(&self) -> io::Result<Box<dyn Socket>> {
        let (socket, _) = self.spare.accept(self.local_addr, || self.socket.accept())?;
        Ok(UnixSocket::register(self.socket.poller(), socket, HERE, self.local_addr)?)
    }

    fn set_handler(&self, handler: Arc<dyn Handler>) {
        self.socket.set_handler(handler);
    }
}

impl Drop for UnixListener {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.file) {
            // The next one to listen here does it.
            tracing::debug!(%error, file = %self.file.display(), "a socket is left behind");
        }
        // Not by its close alone: a program that is being started has a copy of it until it runs.
        if let Err(error) = self.lock.unlock() {
            tracing::debug!(%error, file = %self.file.display(), "the lock of a socket is kept");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::testing::while_programs_start;

    /// Whoever stops to listen has the port again at once, though programs are started meanwhile,
    /// which have a copy of the lock for a moment.
    #[test]
    fn a_port_is_free_again_at_once() {
        let directory = std::env::temp_dir().join(format!("fika-unix-{}", std::process::id()));
        let network = UnixSockets::new(&Poller::new().unwrap(), &directory).unwrap();
        let addr = "127.0.0.1:4000".parse().unwrap();
        let failed = while_programs_start(2000, || network.listen(addr, 8));
        fs::remove_dir_all(&directory).unwrap();
        assert!(failed.is_none(), "{failed:?}");
    }
}
