//! The seam to the network that carries bytes between nodes.
//!
//! The port mapper, handshakes and connections use sockets only through the traits here. `stream`
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
///
/// ```
/// use std::io;
/// use fika_net::HostIps;
///
/// /// Looks hosts up in a table instead of asking a name server.
/// fn host_ips(host: &str) -> HostIps<'_> {
///     Box::pin(async move {
///         match host {
///             "db" => Ok(vec!["10.0.0.7".parse().expect("an address")]),
///             _ => Err(io::ErrorKind::NotFound.into()),
///         }
///     })
/// }
/// ```
pub type HostIps<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// A network carries bytes between nodes: it makes sockets that connect and sockets that listen.
///
/// [`Poller`](crate::Poller) is the network over TCP. To use your own, pass it to
/// [`Distribution::new`](crate::Distribution::new), together with a
/// [`Driver`](fika_runtime::Driver) for the node, which calls the handlers.
///
/// # No call waits
///
/// No method of [`Socket`] or [`Listener`], and of this trait only the future of
/// [`host_ips`](Network::host_ips), waits for anything. If an operation can't be done now, the
/// method returns [`WouldBlock`](io::ErrorKind::WouldBlock). The [`SocketHandler`] is called when
/// the operation may be possible. After [`Interrupted`](io::ErrorKind::Interrupted), the caller
/// retries at once. Any other error is final for a socket. It is not final for a listener: the
/// caller accepts again after a pause.
///
/// # Readiness
///
/// Readiness is edge-triggered. Once a method has returned `WouldBlock`, the handler is called once
/// for the next change that could give another result: `readable` for
/// [`try_read`](Socket::try_read) and [`try_accept`](Listener::try_accept), `writable` for
/// [`try_write`](Socket::try_write) and [`connected`](Socket::connected). An end, an error and a
/// reset are reported as both. Spurious reports are allowed: with nothing to read, in both
/// directions instead of one, or repeated. A missing report would leave a connection hanging.
///
/// After a result other than `WouldBlock`, what was there already is not reported again: a caller
/// that stops reading before `WouldBlock` must remember that. Changes while a socket has no handler
/// are not reported. After setting a handler, try once.
///
/// # Who calls what, and on which thread
///
/// - The methods are called on any thread, on several at a time, and by handlers.
/// - Handlers are called from the node's [`Driver::park`](fika_runtime::Driver::park), without
///   holding a lock that a method here takes. They are never called from within a method of these
///   traits, nor from within a drop, since a caller may hold locks that its handler takes.
/// - One handler may be called on two threads at the same time.
/// - Sockets, listeners and handlers are dropped on any thread, and by handlers. The last drop of a
///   handler may drop sockets, and so call these methods. Therefore no lock is held when a handler
///   is dropped.
///
/// # What each end of a connection sees
///
/// | what happens | what the socket returns |
/// |---|---|
/// | no listener at the address | [`connect`](Network::connect) or [`connected`](Socket::connected): `ConnectionRefused` |
/// | the backlog is full | [`connected`](Socket::connected) stays `WouldBlock` until there is room, or forever: the caller sets a time limit. A refusal is allowed as well |
/// | no way to the host | `HostUnreachable`, `NetworkUnreachable` or `TimedOut`, or `WouldBlock` forever |
/// | the peer shuts down its writing, or drops its socket | `try_read`: all that was written, then `Ok(0)`, also when called again |
/// | this end shuts down its writing | `try_write`: `BrokenPipe`. Reading still works |
/// | this end shuts down its reading | `try_read`: the bytes that had arrived before, then `Ok(0)`; the handler is called |
/// | a write to a peer that has dropped its socket | at first accepted, and lost; then `ConnectionReset` or `BrokenPipe` |
/// | a reset: the peer dropped its socket with unread bytes, or its host has no such connection any more | `try_read`, `try_write`: `ConnectionReset`, once; then `Ok(0)` and `BrokenPipe`. Bytes in flight are lost in both directions |
/// | a partition, a frozen peer | no error: writes are accepted while there is room, then `WouldBlock` |
/// | the address is taken | [`listen`](Network::listen): `AddrInUse` |
/// | the host has no such address | [`listen`](Network::listen): `AddrNotAvailable` |
/// | the listener is dropped | connections that wait in it are reset; its address is free |
///
/// Bytes arrive in order, once, unchanged, and in pieces of any size.
pub trait Network: Send + Sync + 'static {
    /// Begins to connect to an address. [`Socket::connected`] tells when this is done. Until then
    /// nothing is read or written. Small writes on the connection must be sent at once
    /// (`TCP_NODELAY`).
    ///
    /// # Errors
    /// If it is already clear that connecting is not possible.
    fn connect(&self, addr: SocketAddr) -> io::Result<Box<dyn Socket>>;

    /// Listens on an address, or with port 0 on a free port. About `backlog` connections can wait
    /// to be accepted. Further ones are refused, or wait to connect.
    ///
    /// An unspecified address (`0.0.0.0`, `::`) stands for all of the host's addresses of its kind,
    /// and never for those of the other kind.
    ///
    /// # Errors
    /// `AddrInUse`, `AddrNotAvailable`, or whatever else prevents listening.
    fn listen(&self, addr: SocketAddr, backlog: u32) -> io::Result<Box<dyn Listener>>;

    /// Looks up the addresses of a host, at least one, in the order in which they should be tried.
    /// The future is polled in a process, and dropped when the time for connecting is over. The
    /// node does not call this for a host that is an IP address, nor to connect to a node of its
    /// own host.
    ///
    /// # Errors
    /// `NotFound` if there is no such host. Any other error if the look-up fails.
    fn host_ips<'a>(&'a self, host: &'a str) -> HostIps<'a>;

    /// Returns the addresses of this host's network interfaces, without loopback and link-local
    /// ones. A node that listens on all addresses registers at each of them. By default, returns
    /// none: the addresses are not known.
    ///
    /// # Errors
    /// If the operating system reports an error.
    fn own_ips(&self) -> io::Result<Vec<IpAddr>> {
        Ok(Vec::new())
    }

    /// Returns how many sockets and files the program may have open at the same time, if that is
    /// limited. The clients of the node's port mapper use at most half of these. By default,
    /// returns `None`.
    fn descriptors_max(&self) -> Option<usize> {
        None
    }
}

/// One end of a connection that is established or being made. Dropping it closes it in both
/// directions; [`Network`] says what the other end sees.
///
/// A panic in a read or a write closes a connection between nodes, and is reported.
///
/// ```
/// use std::io::{self, IoSlice, IoSliceMut};
/// use std::net::{Shutdown, SocketAddr};
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
/// use fika_net::{Socket, SocketHandler, SocketOptions};
///
/// /// Counts the bytes that are read and written, and leaves the rest to another socket.
/// struct Counted {
///     socket: Box<dyn Socket>,
///     bytes: Arc<AtomicUsize>,
/// }
///
/// impl Counted {
///     fn count(&self, bytes: usize) -> usize {
///         self.bytes.fetch_add(bytes, Relaxed);
///         bytes
///     }
/// }
///
/// impl Socket for Counted {
///     fn connected(&self) -> io::Result<()> {
///         self.socket.connected()
///     }
///     fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
///         self.socket.try_read(buf).map(|bytes| self.count(bytes))
///     }
///     fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
///         self.socket.try_write(bytes).map(|bytes| self.count(bytes))
///     }
///     fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
///         self.socket.try_read_vectored(bufs).map(|bytes| self.count(bytes))
///     }
///     fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
///         self.socket.try_write_vectored(bufs).map(|bytes| self.count(bytes))
///     }
///     fn shutdown(&self, how: Shutdown) -> io::Result<()> {
///         self.socket.shutdown(how)
///     }
///     fn peer_addr(&self) -> SocketAddr {
///         self.socket.peer_addr()
///     }
///     fn local_addr(&self) -> io::Result<SocketAddr> {
///         self.socket.local_addr()
///     }
///     fn channel_binding(&self) -> Option<[u8; 32]> {
///         self.socket.channel_binding()
///     }
///     fn is_of_this_user(&self) -> bool {
///         self.socket.is_of_this_user()
///     }
///     fn set_options(&self, options: &SocketOptions) -> io::Result<()> {
///         self.socket.set_options(options)
///     }
///     fn options(&self) -> io::Result<SocketOptions> {
///         self.socket.options()
///     }
///     fn set_handler(&self, handler: Arc<dyn SocketHandler>) {
///         self.socket.set_handler(handler);
///     }
///     fn release_handler(&self) {
///         self.socket.release_handler();
///     }
/// }
/// ```
pub trait Socket: Send + Sync + 'static {
    /// Returns `Ok` if the connection is established. An accepted socket always is.
    ///
    /// # Errors
    /// `WouldBlock` while the connection is being made. Otherwise the reason why it can't be made.
    fn connected(&self) -> io::Result<()>;

    /// Reads the available bytes into `buf`, which is not empty. Returns their number. 0 means the
    /// end.
    ///
    /// # Errors
    /// `WouldBlock` if no bytes are available. Otherwise what has broken the connection.
    fn try_read(&self, buf: &mut [u8]) -> io::Result<usize>;

    /// Writes as many of `bytes`, which are not empty, as there is room for, beginning with the
    /// first. Returns their number, which is at least one.
    ///
    /// # Errors
    /// `WouldBlock` if there is no room. Otherwise what has broken the connection.
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Reads as [`try_read`](Self::try_read) does, into several buffers in order, of which at least
    /// one is not empty. The default implementation reads into the first non-empty one.
    ///
    /// # Errors
    /// Fails as [`try_read`](Self::try_read) does.
    fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let first = bufs.iter_mut().find(|buf| !buf.is_empty());
        first.map_or(Ok(0), |buf| self.try_read(buf))
    }

    /// Writes as [`try_write`](Self::try_write) does, from several buffers in order, of which at
    /// least one is not empty. The default implementation writes from the first non-empty one.
    ///
    /// # Errors
    /// Fails as [`try_write`](Self::try_write) does.
    fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let first = bufs.iter().find(|buf| !buf.is_empty());
        first.map_or(Ok(0), |buf| self.try_write(buf))
    }

    /// Ends one direction or both. Bytes that were written before still arrive.
    ///
    /// # Errors
    /// `NotConnected` if the connection has ended. Nothing is left to be done then.
    fn shutdown(&self, how: Shutdown) -> io::Result<()>;

    /// Returns the address at the other end. Its IP address is used to limit connections that have
    /// proved nothing.
    fn peer_addr(&self) -> SocketAddr;

    /// Returns the address at this end.
    ///
    /// # Errors
    /// If the connection has ended so that the address is not known any more.
    fn local_addr(&self) -> io::Result<SocketAddr>;

    /// Returns a value that the two ends of an encrypted connection share and that no other
    /// connection has, such as TLS' exporter (RFC 9266). `None` if the connection is not encrypted.
    /// The proofs of the handshake cover the value, so an attacker who has one encrypted connection
    /// with each end and relays between them is detected. Called after the first bytes have been
    /// read. Both ends must return equal values.
    fn channel_binding(&self) -> Option<[u8; 32]> {
        None
    }

    /// Returns whether the program at the other end is known to run on this host, as the user of
    /// this program or as root. False if that is not known.
    ///
    /// This is only called after many wrong proofs from this host, and may be slow.
    fn is_of_this_user(&self) -> bool {
        false
    }

    /// Sets the options of the socket that the network supports.
    ///
    /// # Errors
    /// `Unsupported` if not implemented, or an error of the operating system.
    fn set_options(&self, options: &SocketOptions) -> io::Result<()> {
        let _ = options;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Returns the options of the socket.
    ///
    /// # Errors
    /// `Unsupported` if not implemented, or an error of the operating system.
    fn options(&self) -> io::Result<SocketOptions> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Sets the handler, in place of the previous one, which is dropped. A call of the previous one
    /// may still be running. A socket has no handler at first.
    ///
    /// The network keeps the handler alive, also one that owns this socket.
    fn set_handler(&self, handler: Arc<dyn SocketHandler>);

    /// Removes the handler for good: it is not called any more, and no other can be set. Dropping
    /// the socket does so too.
    fn release_handler(&self);
}

/// A socket that listens until it is dropped.
///
/// ```
/// use std::io;
/// use std::net::SocketAddr;
/// use std::sync::Arc;
/// use fika_net::{Listener, Socket, SocketHandler};
///
/// /// Accepts connections from this host only.
/// struct Local(Box<dyn Listener>);
///
/// impl Listener for Local {
///     fn local_addr(&self) -> SocketAddr {
///         self.0.local_addr()
///     }
///
///     fn try_accept(&self) -> io::Result<Box<dyn Socket>> {
///         loop {
///             let socket = self.0.try_accept()?;
///             if socket.peer_addr().ip().is_loopback() {
///                 return Ok(socket);
///             }
///             // Dropping the socket closes the connection.
///         }
///     }
///
///     fn set_handler(&self, handler: Arc<dyn SocketHandler>) {
///         self.0.set_handler(handler);
///     }
/// }
/// ```
pub trait Listener: Send + Sync + 'static {
    /// Returns the address on which it listens, with its actual port.
    fn local_addr(&self) -> SocketAddr;

    /// Accepts the connection that has waited longest.
    ///
    /// # Errors
    /// `WouldBlock` if none waits. After any other error the listener continues.
    fn try_accept(&self) -> io::Result<Box<dyn Socket>>;

    /// Sets the handler, as [`Socket::set_handler`] does. The handler does not own the listener.
    fn set_handler(&self, handler: Arc<dyn SocketHandler>);
}

/// A handler is called when a socket becomes ready.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
/// use fika_net::SocketHandler;
///
/// /// Counts the events of a socket, and passes them on.
/// struct Counted {
///     to: Arc<dyn SocketHandler>,
///     events: AtomicU64,
/// }
///
/// impl SocketHandler for Counted {
///     fn ready(&self, readable: bool, writable: bool) {
///         self.events.fetch_add(1, Relaxed);
///         self.to.ready(readable, writable);
///     }
///
///     fn ready_and_open(&self, readable: bool, writable: bool) {
///         self.events.fetch_add(1, Relaxed);
///         self.to.ready_and_open(readable, writable);
///     }
/// }
/// ```
pub trait SocketHandler: Send + Sync + 'static {
    /// Called when something has changed. An error or a hang-up counts as both, so that the next
    /// try returns the error.
    ///
    /// It runs on the worker that is parked, before that worker does anything else. It should
    /// return soon, and must neither block nor park.
    fn ready(&self, readable: bool, writable: bool);

    /// Called in place of [`ready`](SocketHandler::ready) by a network that knows more: the peer has
    /// neither ended nor reset the connection, and a [`try_read`](Socket::try_read) that returns
    /// less than it has room for has read everything. Anything that comes after that is reported
    /// again, including an end.
    fn ready_and_open(&self, readable: bool, writable: bool) {
        self.ready(readable, writable);
    }
}
