//! The seam to whatever carries bytes between nodes.
//!
//! The port mapper, handshakes and connections see sockets only through the traits here; `stream`
//! and `acceptor` wait for them, over any network. `tcp` implements the traits on the poller, and a
//! simulation implements them in memory.
//!
//! Addresses are those of TCP. Another kind of network gives them its own meaning.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use super::socket_options::SocketOptions;

/// The future that [`Network::host_ips`] returns.
pub type HostIps<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// What carries bytes between nodes: makes sockets that connect and sockets that listen.
///
/// [`Poller`](crate::Poller) is the one over TCP. An implementation of one's own is given to
/// [`Distribution::new`](crate::Distribution::new), together with a [`Driver`](fika_runtime::Driver) for the
/// node, which calls the handlers.
///
/// # No call waits
///
/// No method of [`Socket`] or [`Listener`], and of this trait only the future of
/// [`host_ips`](Network::host_ips), waits for anything. What can't be done now is
/// [`WouldBlock`](io::ErrorKind::WouldBlock), and a [`SocketHandler`] is told when it may be done.
/// [`Interrupted`](io::ErrorKind::Interrupted) is tried again at once. Any other error is
/// final for a socket; for a listener it is not, and accepting is tried again after a pause.
///
/// # Readiness
///
/// It is edge-triggered. Once a method has answered `WouldBlock`, the next change that could give
/// it another answer is told to the handler, once: `readable` for [`try_read`](Socket::try_read)
/// and [`try_accept`](Listener::try_accept), `writable` for [`try_write`](Socket::try_write) and
/// [`connected`](Socket::connected). An end, an error and a reset are reported as both. Spurious
/// reports are allowed: with nothing to read, in both directions instead of one, or again. A
/// missing report would leave a connection hanging.
///
/// After an answer other than `WouldBlock`, what was there already is not reported again: a caller
/// that stops reading before `WouldBlock` has to remember that. Changes while a socket has no
/// handler are not reported; after setting a handler, try once.
///
/// # Who calls what, and on which thread
///
/// - The methods are called on any thread, on several at a time, and by handlers.
/// - Handlers are called from the node's [`Driver::park`](fika_runtime::Driver::park), with
///   no lock held that a method here takes. They are never called from within a method of
///   these traits, nor from within a drop: a caller may hold locks that its handler takes.
/// - One handler may be called on two threads at the same time.
/// - Sockets, listeners and handlers are dropped on any thread, and by handlers. The last
///   drop of a handler may drop sockets, and with them come back here: a handler is let go of
///   with no lock held.
///
/// # What an end looks like
///
/// | what happens | what it looks like |
/// |---|---|
/// | nobody listens | [`connect`](Network::connect) or [`connected`](Socket::connected): `ConnectionRefused` |
/// | the backlog is full | [`connected`](Socket::connected) stays `WouldBlock` until there is room, or for ever: the caller has a limit of time. A refusal is allowed as well |
/// | no way to the host | `HostUnreachable`, `NetworkUnreachable` or `TimedOut`, or `WouldBlock` for ever |
/// | the peer shuts down its writing, or drops its socket | `try_read`: all that was written, then `Ok(0)`, also when called again |
/// | this end shuts down its writing | `try_write`: `BrokenPipe`. Reading goes on |
/// | this end shuts down its reading | `try_read`: `Ok(0)` after what had come already, and the handler is told |
/// | a write to a peer that has dropped its socket | at first taken, and lost; then `ConnectionReset` or `BrokenPipe` |
/// | a reset: the peer dropped its socket with unread bytes, or its host has no such connection any more | `try_read`, `try_write`: `ConnectionReset`, once; then `Ok(0)` and `BrokenPipe`. Bytes under way are lost in both directions |
/// | a partition, a frozen peer | nothing: writes are taken while there is room, then `WouldBlock` |
/// | the address is taken | [`listen`](Network::listen): `AddrInUse` |
/// | the host has no such address | [`listen`](Network::listen): `AddrNotAvailable` |
/// | the listener is dropped | connections that wait in it are reset; its address is free |
///
/// Bytes arrive in order, once, unchanged, and in pieces of any size.
pub trait Network: Send + Sync + 'static {
    /// Begins to connect to an address. [`Socket::connected`] says when that is done; until
    /// then nothing is read or written. Small writes on the connection are to go out at once
    /// (`TCP_NODELAY`).
    ///
    /// # Errors
    /// When it is clear at once that it can't be done.
    fn connect(&self, addr: SocketAddr) -> io::Result<Box<dyn Socket>>;

    /// Listens on an address; with port 0, on a port that is free. About `backlog`
    /// connections can wait to be accepted; more are refused, or wait to connect.
    ///
    /// An unspecified address (`0.0.0.0`, `::`) stands for all addresses of its kind that the
    /// host has, and never for those of the other kind.
    ///
    /// # Errors
    /// `AddrInUse` and `AddrNotAvailable`, and what else keeps it from listening.
    fn listen(&self, addr: SocketAddr, backlog: u32) -> io::Result<Box<dyn Listener>>;

    /// Looks up the addresses of a host, at least one, in the order in which they should be tried.
    /// The future is polled in a process, and dropped when the time for a connection is over. The
    /// node does not call this for a host that is an IP address, nor to connect to a node of its
    /// own host.
    ///
    /// # Errors
    /// `NotFound` if there is no such host; any other error if the look-up fails.
    fn host_ips<'a>(&'a self, host: &'a str) -> HostIps<'a>;

    /// Returns the addresses of this host's network interfaces, without loopback and link-local
    /// ones. A node that listens on all addresses registers at each of them. The default returns
    /// none: the addresses are not known.
    ///
    /// # Errors
    /// If the operating system reports an error.
    fn own_ips(&self) -> io::Result<Vec<IpAddr>> {
        Ok(Vec::new())
    }

    /// Returns how many sockets and files the program may have open at the same time, if that is
    /// limited. The clients of the node's port mapper take up at most half of these. The default
    /// returns `None`.
    fn descriptors_max(&self) -> Option<usize> {
        None
    }
}

/// One end of a connection, which is made or under way. The drop closes it, in both
/// directions; [`Network`] says what that looks like at the other end.
pub trait Socket: Send + Sync + 'static {
    /// Whether the connection is made. Always so at a socket that was accepted.
    ///
    /// # Errors
    /// `WouldBlock` while it is under way; why it can't be made.
    fn connected(&self) -> io::Result<()>;

    /// Reads what is there into `buf`, which is not empty, and says how much it was; 0 is the
    /// end.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is there; what has broken the connection.
    fn try_read(&self, buf: &mut [u8]) -> io::Result<usize>;

    /// Takes as many of `bytes`, which are some, as there is room for, from the first on, and
    /// says how many: at least one.
    ///
    /// # Errors
    /// `WouldBlock` when there is no room; what has broken the connection.
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize>;

    /// As [`try_read`](Self::try_read), into the first of these first, of which one at least is
    /// not empty. One that is not implemented reads into that one only.
    ///
    /// # Errors
    /// As [`try_read`](Self::try_read).
    fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let first = bufs.iter_mut().find(|buf| !buf.is_empty());
        first.map_or(Ok(0), |buf| self.try_read(buf))
    }

    /// As [`try_write`](Self::try_write), of all of these in their order, of which one at least
    /// is not empty. One that is not implemented takes of the first one only.
    ///
    /// # Errors
    /// As [`try_write`](Self::try_write).
    fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let first = bufs.iter().find(|buf| !buf.is_empty());
        first.map_or(Ok(0), |buf| self.try_write(buf))
    }

    /// Ends one direction or both. What was written before it still arrives.
    ///
    /// # Errors
    /// `NotConnected` when the connection has ended. Nothing is left to be done then.
    fn shutdown(&self, how: Shutdown) -> io::Result<()>;

    /// The address at the other end: where it was connected to, or from. Its IP address is
    /// what limits connections that have proved nothing.
    fn peer_addr(&self) -> SocketAddr;

    /// The address at this end.
    ///
    /// # Errors
    /// When the connection has ended so that it is not known any more.
    fn local_addr(&self) -> io::Result<SocketAddr>;

    /// Returns a value that the two ends of an encrypted connection share and that no other
    /// connection has, such as TLS' exporter (RFC 9266); `None` if the connection is not encrypted.
    /// The proofs of the handshake cover the value, so an attacker who has one encrypted connection
    /// with each end and relays between them is detected. It is called after the first bytes have
    /// been read. Both ends must return the same.
    fn channel_binding(&self) -> Option<[u8; 32]> {
        None
    }

    /// Returns whether the program at the other end is known to run on this host, as the user of
    /// this program or as root; false if that is not known.
    ///
    /// This is called only after many wrong proofs from this host, and may be slow.
    fn is_of_this_user(&self) -> bool {
        false
    }

    /// Sets the options of the socket that the network supports.
    ///
    /// # Errors
    /// `Unsupported` if not implemented; what the operating system says.
    fn set_options(&self, options: &SocketOptions) -> io::Result<()> {
        let _ = options;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Returns the options of the socket.
    ///
    /// # Errors
    /// `Unsupported` if not implemented; what the operating system says.
    fn options(&self) -> io::Result<SocketOptions> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Sets the handler, in place of the previous one, which is dropped. A call of the previous one
    /// may still be running. A socket has no handler at first.
    ///
    /// The network keeps the handler alive, also one that owns this socket.
    fn set_handler(&self, handler: Arc<dyn SocketHandler>);

    /// Removes the handler for good: it is not called any more, and no other can be set. The drop
    /// does the same.
    fn release_handler(&self);
}

/// A socket that listens until it is dropped.
pub trait Listener: Send + Sync + 'static {
    /// Returns the address on which it listens, with its actual port.
    fn local_addr(&self) -> SocketAddr;

    /// Accepts the connection that has waited longest.
    ///
    /// # Errors
    /// `WouldBlock` if none waits. After any other error the listener goes on.
    fn try_accept(&self) -> io::Result<Box<dyn Socket>>;

    /// Sets the handler, as [`Socket::set_handler`] does. The handler does not own the listener.
    fn set_handler(&self, handler: Arc<dyn SocketHandler>);
}

/// A handler is called when a socket becomes ready.
pub trait SocketHandler: Send + Sync + 'static {
    /// Called when something has changed. An error or a hang-up counts as both, so that the next
    /// try returns the error.
    ///
    /// It runs on the worker that is parked, before that worker does anything else. It should
    /// return soon, and must neither block nor park.
    fn ready(&self, readable: bool, writable: bool);

    /// Called in place of [`ready`](SocketHandler::ready) by a network that knows more: the peer has
    /// neither ended nor reset the connection, and a [`try_read`](Socket::try_read) that returns
    /// less than it has room for has read everything. Whatever comes after that is reported again,
    /// also an end.
    fn ready_and_open(&self, readable: bool, writable: bool) {
        self.ready(readable, writable);
    }
}
