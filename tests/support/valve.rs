//! A network that can be stopped: while its valve is closed, a node's sockets neither accept nor
//! return bytes, as if the paths to all its peers were full. No bytes are lost.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};

use fika::net::transport::{HostIps, Listener, Network, Poller, Socket, SocketHandler};
use fika::node::NodeBuilder;

/// The directions that the valve stops.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stops {
    Reads,
    Writes,
}

/// The valve of one node. A clone is the same valve.
#[derive(Clone)]
pub(crate) struct Valve(Arc<Shared>);

struct Shared {
    stops: Stops,
    closed: AtomicBool,
    /// The valve is closed only to peers at these addresses.
    closed_to: Mutex<BTreeSet<IpAddr>>,
    sockets: Mutex<Vec<Weak<Told>>>,
}

/// The handler of a socket.
#[derive(Default)]
struct Told(Mutex<Option<Arc<dyn SocketHandler>>>);

impl Valve {
    pub(crate) fn new(stops: Stops) -> Valve {
        Valve(Arc::new(Shared {
            stops,
            closed: AtomicBool::new(false),
            closed_to: Mutex::default(),
            sockets: Mutex::default(),
        }))
    }

    /// Gives the valve to a node.
    pub(crate) fn on(&self, builder: NodeBuilder) -> NodeBuilder {
        let valve = self.clone();
        builder.network(move |poller| Ok(Valved { poller, valve }))
    }

    pub(crate) fn close(&self) {
        self.0.closed.store(true, Ordering::SeqCst);
    }

    /// Closes the valve for the connections with the peers at this address.
    pub(crate) fn close_to(&self, peer: impl Into<IpAddr>) {
        self.0.closed_to.lock().unwrap().insert(peer.into());
    }

    /// Opens the valve after [`close_to`](Valve::close_to).
    pub(crate) fn open_to(&self, peer: impl Into<IpAddr>) {
        self.0.closed_to.lock().unwrap().remove(&peer.into());
        self.tell_all();
    }

    pub(crate) fn open(&self) {
        self.0.closed.store(false, Ordering::SeqCst);
        self.tell_all();
    }

    fn tell_all(&self) {
        let sockets: Vec<_> = self.0.sockets.lock().unwrap().iter().map(Weak::clone).collect();
        for told in sockets.iter().filter_map(Weak::upgrade) {
            let handler = told.0.lock().unwrap().clone();
            if let Some(handler) = handler {
                handler.ready(true, true);
            }
        }
    }

    fn stops(&self, what: Stops, peer: SocketAddr) -> bool {
        self.0.stops == what
            && (self.0.closed.load(Ordering::SeqCst)
                || self.0.closed_to.lock().unwrap().contains(&peer.ip()))
    }
}

struct Valved {
    poller: Poller,
    valve: Valve,
}

impl Network for Valved {
    fn connect(&self, addr: SocketAddr) -> io::Result<Box<dyn Socket>> {
        Ok(ValvedSocket::boxed(self.poller.connect(addr)?, &self.valve))
    }

    fn listen(&self, addr: SocketAddr, backlog: u32) -> io::Result<Box<dyn Listener>> {
        let listener = self.poller.listen(addr, backlog)?;
        Ok(Box::new(ValvedListener { listener, valve: self.valve.clone() }))
    }

    fn host_ips<'a>(&'a self, host: &'a str) -> HostIps<'a> {
        self.poller.host_ips(host)
    }
}

struct ValvedListener {
    listener: Box<dyn Listener>,
    valve: Valve,
}

impl Listener for ValvedListener {
    fn local_addr(&self) -> SocketAddr {
        self.listener.local_addr()
    }

    fn try_accept(&self) -> io::Result<Box<dyn Socket>> {
        Ok(ValvedSocket::boxed(self.listener.try_accept()?, &self.valve))
    }

    fn set_handler(&self, handler: Arc<dyn SocketHandler>) {
        self.listener.set_handler(handler);
    }
}

struct ValvedSocket {
    socket: Box<dyn Socket>,
    valve: Valve,
    told: Arc<Told>,
}

impl ValvedSocket {
    fn boxed(socket: Box<dyn Socket>, valve: &Valve) -> Box<dyn Socket> {
        let told = Arc::<Told>::default();
        valve.0.sockets.lock().unwrap().push(Arc::downgrade(&told));
        Box::new(ValvedSocket { socket, valve: valve.clone(), told })
    }
}

impl Socket for ValvedSocket {
    fn connected(&self) -> io::Result<()> {
        self.socket.connected()
    }

    fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        if self.valve.stops(Stops::Reads, self.socket.peer_addr()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.socket.try_read(buf)
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        if self.valve.stops(Stops::Writes, self.socket.peer_addr()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.socket.try_write(bytes)
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.socket.shutdown(how)
    }

    fn peer_addr(&self) -> SocketAddr {
        self.socket.peer_addr()
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn set_handler(&self, handler: Arc<dyn SocketHandler>) {
        *self.told.0.lock().unwrap() = Some(handler.clone());
        self.socket.set_handler(handler);
    }

    fn release_handler(&self) {
        *self.told.0.lock().unwrap() = None;
        self.socket.release_handler();
    }
}
