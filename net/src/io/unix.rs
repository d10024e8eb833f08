//! A network of Unix sockets in one directory, for nodes of one host that must not be reachable for
//! other hosts and other users.
//!
//! Each TCP address is the name of a file in the directory, like `127.0.0.1:4369`. A listener holds
//! a lock on the file `127.0.0.1:4369.lock` beside it. The lock ends with its holder, however the
//! holder ends, so it distinguishes a socket in use from a stale one. The holder of the lock
//! removes a stale socket, and listens. The lock files stay: removing one could take it from a
//! program that has just opened it.
//!
//! The directory protects against other users. It must belong to this user or to root, and other
//! users must not be able to write to it, since they could replace a socket or put a link in its
//! place. Only the owner can access the sockets and locks in it (mode 0600).

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mio::Interest;
use rustix::fs::OFlags;

use super::network::{HostIps, Listener, Network, Socket, SocketHandler};
use super::polled::Polled;
use super::poller::Poller;
use super::spare::{Spare, descriptors_max};

/// The ports to choose from if any port will do.
const PORTS: std::ops::RangeInclusive<u16> = 49_152..=65_535;

/// The address of a connecting node. It is this host, and all such addresses are equal.
const HERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A network of Unix sockets in one directory (OTP has an example of it, `uds_dist`). All nodes and
/// the port mapper are in the directory, so only nodes with the same directory find each other.
/// Every host name stands for this host.
///
/// Besides the cookie, the directory protects the nodes: it must belong to this user or to root,
/// and other users must not be able to write to it. Only the owner can access the sockets (mode
/// 0600).
///
/// ```
/// use fika_net::{Poller, UnixSockets};
///
/// let directory = std::env::temp_dir().join("fika-nodes-of-an-example");
/// let network = UnixSockets::new(&Poller::new()?, directory)?;
/// # let _ = network;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct UnixSockets {
    poller: Poller,
    directory: Arc<Path>,
}

impl UnixSockets {
    /// Makes a network of the sockets in `directory`. A missing directory is made, with access for
    /// this user only. Its path must be short: together with a file's name, it must fit into the
    /// address of a Unix socket, which has some 100 bytes.
    ///
    /// # Errors
    /// If the directory can't be made, is not a directory, belongs to another user than this one or
    /// root, or is writable by its group or by others.
    pub fn new(poller: &Poller, directory: impl Into<PathBuf>) -> io::Result<UnixSockets> {
        let directory = directory.into();
        DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
        check_directory(&directory)?;
        Ok(UnixSockets { poller: poller.clone(), directory: directory.into() })
    }

    fn file(&self, addr: SocketAddr) -> PathBuf {
        self.directory.join(addr.to_string())
    }

    fn bind(&self, addr: SocketAddr, backlog: u32) -> io::Result<UnixListener> {
        let file = self.file(addr);
        let lock = open_lock(&self.directory.join(format!("{addr}.lock")))?;
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
        // Set before the socket listens, so no other user can have connected.
        fs::set_permissions(&file, Permissions::from_mode(0o600))?;
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
        // The peer may listen on all addresses.
        let socket = match mio::net::UnixStream::connect(self.file(addr)) {
            Err(error) if is_refusal(&error) => {
                mio::net::UnixStream::connect(self.file(SocketAddr::new(all, addr.port())))
            }
            result => result,
        };
        match socket {
            Ok(socket) => Ok(UnixSocket::register(&self.poller, socket, addr, HERE)?),
            // If the queue is full, the connection is refused.
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

    fn descriptors_max(&self) -> Option<usize> {
        descriptors_max()
    }

    fn host_ips<'a>(&'a self, _: &'a str) -> HostIps<'a> {
        Box::pin(async { Ok(vec![HERE.ip()]) })
    }
}

/// Refuses a directory in which another user could replace a socket.
fn check_directory(directory: &Path) -> io::Result<()> {
    let found = fs::metadata(directory)?;
    let us = rustix::process::geteuid().as_raw();
    let mode = found.mode() & 0o7777;
    let why = if found.uid() != us && found.uid() != 0 {
        format!("belongs to user {}, and this program runs as user {us}", found.uid())
    } else if mode & 0o022 != 0 {
        format!("can be written to by other users (mode {mode:04o}): run `chmod go-w` on it")
    } else {
        return Ok(());
    };
    let text = format!("the socket directory {} {why}", directory.display());
    Err(io::Error::new(ErrorKind::PermissionDenied, text))
}

/// Opens a lock file, or makes one that only this user can access. Does not follow a link or
/// truncate a file, so it can't destroy a file that is there for another purpose.
fn open_lock(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600).custom_flags(flags);
    let refused = |why: &str| {
        let text = format!("the lock file {} {why}: remove it", path.display());
        io::Error::new(ErrorKind::PermissionDenied, text)
    };
    let file = options.open(path).map_err(|error| match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => refused("is a link"),
        Ok(found) if !found.is_file() => refused("is not a regular file"),
        _ => error,
    })?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(refused("is not a regular file"));
    }
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(refused("belongs to another user"));
    }
    Ok(file)
}

/// Returns whether the error means that no socket listens: there is no file, or a stale one.
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

    /// Other users can't open a socket in the directory.
    fn is_of_this_user(&self) -> bool {
        true
    }

    fn set_handler(&self, handler: Arc<dyn SocketHandler>) {
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

    fn set_handler(&self, handler: Arc<dyn SocketHandler>) {
        self.socket.set_handler(handler);
    }
}

impl Drop for UnixListener {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.file) {
            // The next listener at this address removes it.
            tracing::debug!(%error, file = %self.file.display(), "a socket is left behind");
        }
        // Closing the file is not enough: a program that is being started has a copy of it until it
        // runs.
        if let Err(error) = self.lock.unlock() {
            tracing::debug!(%error, file = %self.file.display(), "the lock of a socket is kept");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::testing::while_programs_start;

    const ADDR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4000);

    /// A directory that is removed at the end of its test.
    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str) -> Directory {
            let name = format!("fika-unix-{}-{name}", std::process::id());
            Directory(std::env::temp_dir().join(name))
        }

        fn with_mode(name: &str, mode: u32) -> Directory {
            let directory = Directory::new(name);
            fs::create_dir(&directory.0).unwrap();
            fs::set_permissions(&directory.0, Permissions::from_mode(mode)).unwrap();
            directory
        }

        fn network(&self) -> io::Result<UnixSockets> {
            UnixSockets::new(&Poller::new().unwrap(), &self.0)
        }

        fn mode(&self, file: &str) -> u32 {
            fs::symlink_metadata(self.0.join(file)).unwrap().mode() & 0o777
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// A listener that ends frees its port at once, even while programs are started, which have a
    /// copy of the lock for a moment.
    #[test]
    fn a_port_is_free_again_at_once() {
        let directory = Directory::new("again");
        let network = directory.network().unwrap();
        let failed = while_programs_start(2000, || network.listen(ADDR, 8));
        assert!(failed.is_none(), "{failed:?}");
    }

    #[test]
    fn a_directory_that_others_may_write_to_is_refused() {
        for mode in [0o777, 0o770, 0o702, 0o1777] {
            let directory = Directory::with_mode(&format!("{mode:o}"), mode);
            let error = directory.network().err().expect("others may write to it");
            assert_eq!(error.kind(), ErrorKind::PermissionDenied);
            assert!(error.to_string().contains(&format!("mode {mode:04o}")), "{error}");
        }
        for mode in [0o700, 0o750, 0o755] {
            let directory = Directory::with_mode(&format!("{mode:o}"), mode);
            assert!(directory.network().is_ok(), "{mode:o}");
        }
    }

    #[test]
    fn a_directory_of_another_user_is_refused() {
        if !rustix::process::geteuid().is_root() {
            return eprintln!("skipped: only root can give a directory away");
        }
        let directory = Directory::with_mode("owner", 0o700);
        std::os::unix::fs::chown(&directory.0, Some(65_534), None).unwrap();
        let error = directory.network().err().expect("it belongs to another user");
        assert!(error.to_string().contains("belongs to user 65534"), "{error}");
    }

    #[test]
    fn only_the_owner_can_open_sockets_and_locks() {
        let directory = Directory::with_mode("modes", 0o755);
        let _listener = directory.network().unwrap().listen(ADDR, 8).unwrap();
        assert_eq!(directory.mode(&ADDR.to_string()), 0o600);
        assert_eq!(directory.mode(&format!("{ADDR}.lock")), 0o600);
    }

    /// Only where no socket listens, a node that listens on all addresses is tried, and "refused" is
    /// the answer. Other errors are returned as they are.
    #[test]
    fn an_error_that_is_no_refusal() {
        let directory = Directory::with_mode("loop", 0o700);
        let network = directory.network().unwrap();
        let refused = |addr| network.connect(addr).err().map(|error| error.kind());
        assert_eq!(refused(ADDR), Some(ErrorKind::ConnectionRefused));
        let all = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), ADDR.port());
        let _listener = network.listen(all, 8).unwrap();
        assert_eq!(refused(ADDR), None);
        let file = directory.0.join(ADDR.to_string());
        std::os::unix::fs::symlink(&file, &file).unwrap();
        let error = network.connect(ADDR).err().expect("a link to itself leads nowhere");
        assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::LOOP.raw_os_error()), "{error}");
    }

    /// A link in place of a lock, or a file that exists already, is not truncated.
    #[test]
    fn a_file_in_place_of_a_lock_is_not_changed() {
        let directory = Directory::with_mode("links", 0o700);
        let network = directory.network().unwrap();
        let (lock, other) =
            (directory.0.join(format!("{ADDR}.lock")), directory.0.join("precious"));
        fs::write(&other, "content").unwrap();
        std::os::unix::fs::symlink(&other, &lock).unwrap();
        let error = network.listen(ADDR, 8).err().expect("it is a link");
        assert!(error.to_string().contains("is a link"), "{error}");
        assert_eq!(fs::read_to_string(&other).unwrap(), "content");

        fs::remove_file(&lock).unwrap();
        fs::create_dir(&lock).unwrap();
        assert!(network.listen(ADDR, 8).is_err(), "it is a directory");

        fs::remove_dir(&lock).unwrap();
        fs::write(&lock, "content").unwrap();
        drop(network.listen(ADDR, 8).unwrap());
        assert_eq!(fs::read_to_string(&lock).unwrap(), "content");
    }
}
