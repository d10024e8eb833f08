//! A network that can be stopped: while its valve is closed a node's sockets neither take nor
//! give bytes, as if the way to all its peers were full. Nothing is lost by that.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};

use fika::net::transport::{Handler, HostIps, Listener, Network, Poller, Socket};
use fika::node::NodeBuilder;

/// Which direction it stops.
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
    sockets: Mutex<Vec<Weak<Told>>>,
}

/// Who is told of a socket.
#[derive(Default)]
struct Told(Mutex<Option<Arc<dyn Handler>>>);

impl Valve {
    pub(crate) fn new(stops: Stops) -> Valve {
        let (closed, sockets) = (AtomicBool::new(false), Mutex::default());
        Valve(Arc::new(Shared { stops, closed, sockets }))
    }

    /// The node has this valve.
    pub(crate) fn on(&self, builder: NodeBuilder) -> NodeBuilder {
        let valve = self.clone();
        builder.network(move |poller| Ok(Valved { poller, valve }))
    }

    pub(crate) fn close(&self) {
        self.0.closed.store(true, Ordering::SeqCst);
    }

    pub(crate) fn open(&self) {
        self.0.closed.store(false, Ordering::SeqCst);
        let sockets: Vec<_> = self.0.sockets.lock().unwrap().iter().map(Weak::clone).collect();
        for told in sockets.iter().filter_map(Weak::upgrade) {
            let handler = told.0.lock().unwrap().clone();
            if let Some(handler) = handler {
                handler.ready(true, true);
            }
        }
    }

    fn stops(&self, what: Stops) -> bool {
        self.0.stops == what && self.0.closed.load(Ordering::SeqCst)
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

    fn set_handler(&self, handler: Arc<dyn Handler>) {
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
        if self.valve.stops(Stops::Reads) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.socket.try_read(buf)
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        if self.valve.stops(Stops::Writes) {
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

    fn set_handler(&self, handler: Arc<dyn Handler>) {
        *self.told.0.lock().unwrap() = Some(handler.clone());
        self.socket.set_handler(handler);
    }

    fn release_handler(&self) {
        *self.told.0.lock().unwrap() = None;
        self.socket.release_handler();
    }
}
