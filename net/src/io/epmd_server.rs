//! The port mapper itself. A node starts one if none answers, and the program `fika-epmd` is one.
//!
//! One process accepts connections, and one process serves each client, so a client that sends or
//! reads slowly delays no other. `proto/epmd` decides about requests and replies. This file has the
//! sockets, the time limits, and the number of clients.
//!
//! A client that has not registered is *waiting*. It has a few seconds for its request. The number
//! of waiting clients is limited, separately for those of this host and of other hosts. At the
//! limit, the next client replaces a random waiting one. So silent clients, however many, don't
//! keep others from looking up nodes or registering. Registered clients are never dropped.
//!
//! Invariants:
//!
//! 1. The lock is only held for a look or a change, never across an await.
//! 2. When a [`Client`] is dropped, its place and its registration are removed. So however its
//!    process ends, a name never outlives its connection.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use fika_runtime::{
    Down, ExitReason, LogRate, Pid, exit_process, monitor, report, self_node, sleep, spawn_service,
    timeout, yield_now,
};
use parking_lot::Mutex;
use slab::Slab;

use super::acceptor::{Acceptor, Acceptors};
use super::network::Network;
use super::source::source_of;
use super::stream::Stream;
use crate::proto::epmd::{ClientId, Registry, ServerConnection, Step, is_local};

/// The most clients at the same time, including registered nodes: more nodes than a host runs.
/// Small in tests, which can't have that many sockets.
const CLIENTS_MAX: usize = if cfg!(test) { 64 } else { 4096 };

/// The most waiting clients of one other host. A request only takes a moment.
const WAITING_PER_SOURCE_MAX: usize = 16;

/// The limits on the number of clients.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Caps {
    /// The waiting clients of this host, and as many of other hosts.
    waiting: usize,
    registered: usize,
}

impl Caps {
    /// Returns limits with which all clients together use at most half of the program's file
    /// descriptors, since a node has other connections.
    fn of(descriptors: Option<usize>) -> Caps {
        let all = descriptors.map_or(CLIENTS_MAX, |most| CLIENTS_MAX.min(most / 2));
        let waiting = (all / 8).clamp(WAITING_PER_SOURCE_MAX, 256);
        Caps { waiting, registered: all.saturating_sub(2 * waiting).max(1) }
    }
}

/// How many connections can wait to be accepted. All nodes of a host may start at the same time.
const BACKLOG: u32 = 1024;

/// Accepting pauses for this long after an error of the system, so that it does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The most bytes that one read takes: a whole ordinary request.
const READ_BYTES: usize = 512;

/// The configuration of a mapper.
#[derive(Clone, Debug)]
pub struct EpmdConfig {
    /// The port to listen on; 0 lets the system choose one.
    pub port: u16,
    /// The addresses to listen on.
    pub addrs: Vec<IpAddr>,
    /// Whether clients on this host may kill the mapper while nodes are registered, and unregister
    /// other nodes.
    pub relaxed: bool,
    /// How long a client may take to send its request, and to receive each piece of the reply.
    pub idle: Duration,
    /// A random number, from which creations count up.
    pub creation_seed: u32,
}

impl EpmdConfig {
    /// The default limit: enough for a request over any network. That of Erlang's daemon is 60 s.
    pub const IDLE: Duration = Duration::from_secs(5);
}

/// The error of an address on which the mapper can't listen.
#[derive(Debug, thiserror::Error)]
#[error("failed to bind on ipaddr {}: {error}", addr.ip())]
pub struct EpmdBindError {
    addr: SocketAddr,
    error: io::Error,
}

impl EpmdBindError {
    /// Returns whether there is a mapper already.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        self.error.kind() == io::ErrorKind::AddrInUse
    }

    /// Returns the address.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Returns the error of the operating system.
    #[must_use]
    pub fn error(&self) -> &io::Error {
        &self.error
    }
}

/// A mapper that listens.
pub struct EpmdServer {
    listeners: Acceptors,
    idle: Duration,
    caps: Caps,
    /// Limits the log lines about dropped clients.
    crowded: LogRate,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    registry: Registry,
    /// The open connections. The key is the client's number.
    clients: Slab<Place>,
    /// The number of registered clients.
    registered: usize,
    /// Whether a client has killed the mapper.
    killed: bool,
    /// The accepting process, while it waits.
    acceptor: Option<Waker>,
}

/// The shared state of a client.
struct Place {
    stream: Arc<Stream>,
    local: bool,
    /// The address that stands for the client's source.
    source: IpAddr,
    is_registered: bool,
    /// The client is being dropped, since there are too many. It can't register any more.
    is_dropped: bool,
    /// The process that serves the client. Set a moment after the place is made.
    pid: Option<Pid>,
}

/// A client's entry in `clients`.
struct Client {
    id: ClientId,
    caps: Caps,
    stream: Arc<Stream>,
    connection: ServerConnection,
    shared: Arc<Mutex<Shared>>,
}

/// The next event of the accepting process.
enum Next {
    Killed,
    Client(io::Result<Stream>),
}

impl EpmdServer {
    /// Listens once on each of the addresses. Skips a loopback address that the host does not have
    /// (for example without IPv6) if there are other addresses.
    ///
    /// # Errors
    /// If it can't listen on one of them, or if there is no address.
    pub fn bind(network: &dyn Network, config: &EpmdConfig) -> Result<EpmdServer, EpmdBindError> {
        let mut listeners: Vec<Acceptor> = Vec::new();
        let mut missing = None;
        for ip in distinct(&config.addrs) {
            let port = listeners.first().map_or(config.port, |first| first.local_addr().port());
            let addr = SocketAddr::new(ip, port);
            match Acceptor::listen(network, addr, BACKLOG) {
                Ok(listener) => listeners.push(listener),
                Err(error) => {
                    let error = EpmdBindError { addr, error };
                    if error.is_in_use() || !ip.is_loopback() {
                        return Err(error);
                    }
                    missing = Some(error);
                }
            }
        }
        EpmdServer::new(network, listeners, config).ok_or_else(|| {
            missing.unwrap_or_else(|| {
                let addr = SocketAddr::from(([0, 0, 0, 0], config.port));
                EpmdBindError { addr, error: io::ErrorKind::InvalidInput.into() }
            })
        })
    }

    /// Listens on the addresses that are free. Returns `None` if all are in use.
    ///
    /// # Errors
    /// If it can listen on no address, for another reason than that all are in use.
    pub(crate) fn bind_free(
        network: &dyn Network,
        config: &EpmdConfig,
    ) -> Result<Option<EpmdServer>, EpmdBindError> {
        let (mut listeners, mut failure) = (Vec::new(), None);
        for ip in &config.addrs {
            let addr = SocketAddr::new(*ip, config.port);
            match Acceptor::listen(network, addr, BACKLOG) {
                Ok(listener) => listeners.push(listener),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => failure = failure.or(Some(EpmdBindError { addr, error })),
            }
        }
        match (EpmdServer::new(network, listeners, config), failure) {
            (None, Some(failure)) => Err(failure),
            (server, _) => Ok(server),
        }
    }

    /// Returns `None` if there are no listeners.
    fn new(
        network: &dyn Network,
        listeners: Vec<Acceptor>,
        config: &EpmdConfig,
    ) -> Option<EpmdServer> {
        let port = listeners.first()?.local_addr().port();
        let shared = Shared {
            registry: Registry::new(port, config.relaxed, config.creation_seed),
            clients: Slab::new(),
            registered: 0,
            killed: false,
            acceptor: None,
        };
        let shared = Arc::new(Mutex::new(shared));
        let (listeners, idle, crowded) = (listeners.into(), config.idle, LogRate::default());
        let caps = Caps::of(network.descriptors_max());
        Some(EpmdServer { listeners, idle, caps, crowded, shared })
    }

    /// Returns the port on which it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.listeners.local_addr().port()
    }

    /// Serves, until a client kills it.
    ///
    /// # Panics
    /// Outside of a process.
    pub async fn run(mut self) {
        loop {
            match poll_fn(|cx| self.poll_next(cx)).await {
                Next::Killed => break,
                Next::Client(Ok(stream)) => self.admit(stream).await,
                Next::Client(Err(error)) => {
                    report!(warn, %error, "the port mapper could not accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
            // While connections keep arriving, this is the only point at which other processes run.
            yield_now().await;
        }
        for (_, client) in &self.shared.lock().clients {
            // If it is no longer connected, nothing is left to do.
            let _ = client.stream.shutdown(Shutdown::Both);
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        {
            let mut shared = self.shared.lock();
            if shared.killed {
                return Poll::Ready(Next::Killed);
            }
            shared.acceptor = Some(cx.waker().clone());
        }
        self.listeners.poll_accept(cx).map(Next::Client)
    }

    /// Adds the client, and spawns a process that serves it.
    async fn admit(&self, stream: Stream) {
        let Ok(own) = stream.local_addr() else { return };
        let from = stream.peer_addr().ip();
        let (local, source) = (is_local(from, own.ip()), source_of(from));
        self.make_room(local, source).await;
        let stream = Arc::new(stream);
        let place = Place {
            stream: stream.clone(),
            local,
            source,
            is_registered: false,
            is_dropped: false,
            pid: None,
        };
        let id = ClientId(self.shared.lock().clients.insert(place));
        let connection = ServerConnection::new(id, local);
        let shared = self.shared.clone();
        let client = Client { id, caps: self.caps, stream, connection, shared };
        // If there is no room for a process, the client is dropped.
        match spawn_service(client.serve(self.idle)) {
            None => {
                tracing::debug!("the port mapper has no room for a process that serves a client")
            }
            // The process may have ended already. No other code reuses the place meanwhile.
            pid => {
                if let Some(place) = self.shared.lock().clients.get_mut(id.0) {
                    place.pid = pid;
                }
            }
        }
    }

    /// At a limit, drops a random waiting client, and waits until its process has ended and its
    /// descriptor is free.
    async fn make_room(&self, local: bool, source: IpAddr) {
        let node = self_node();
        let random = node.env().random() as usize;
        let victim = self.shared.lock().choose(self.caps, local, source, random);
        let Some(victim) = victim else { return };
        self.crowded.line(node.env().now(), |left_out| {
            report!(warn, from = %source, left_out, "the port mapper has too many clients: dropping one that has not registered");
        });
        let ended = monitor(victim);
        exit_process(victim, ExitReason::Kill);
        fika_macros::receive! { Down { monitor, .. } if monitor == ended => {} }
    }
}

impl Shared {
    /// Chooses a random waiting client that must be dropped before another one is accepted.
    fn choose(&mut self, caps: Caps, local: bool, source: IpAddr, random: usize) -> Option<Pid> {
        let waiting = self.clients.iter_mut().map(|(_, place)| place);
        let waiting = waiting.filter(|place| place.local == local && !place.is_registered);
        let mut waiting: Vec<&mut Place> = waiting.collect();
        let is_same = |place: &&mut Place| !local && place.source == source;
        if waiting.iter().filter(|place| is_same(place)).count() >= WAITING_PER_SOURCE_MAX {
            waiting.retain(|place| is_same(place));
        } else if waiting.len() < caps.waiting {
            return None;
        }
        let chosen = random % waiting.len();
        waiting[chosen].is_dropped = true;
        waiting[chosen].pid
    }
}

/// Returns the addresses without those that another one includes.
fn distinct(addrs: &[IpAddr]) -> Vec<IpAddr> {
    let all = |ip: &IpAddr| {
        addrs.iter().any(|other| other.is_unspecified() && other.is_ipv4() == ip.is_ipv4())
    };
    let mut distinct = Vec::new();
    for ip in addrs {
        if !distinct.contains(ip) && (ip.is_unspecified() || !all(ip)) {
            distinct.push(*ip);
        }
    }
    distinct
}

impl Client {
    async fn serve(mut self, idle: Duration) {
        let Ok(step) = timeout(idle, self.request()).await else { return };
        match step {
            Step::NeedMore | Step::Close => {}
            Step::Reply(bytes) | Step::Stopped(_, bytes) => {
                self.send(&bytes, idle).await;
            }
            Step::List(mut listing) => loop {
                let piece = listing.piece(&self.shared.lock().registry);
                let Some(piece) = piece else { break };
                if !self.send(&piece, idle).await {
                    break;
                }
            },
            Step::Registered(bytes) => {
                if self.send(&bytes, idle).await {
                    self.end().await;
                }
            }
            Step::Refused(bytes) => {
                if self.send(&bytes, idle).await {
                    // The connection is closed now, whether the client closes in time or not.
                    let _ = timeout(idle, self.end()).await;
                }
            }
            Step::Killed(bytes) => {
                self.send(&bytes, idle).await;
                self.kill();
            }
        }
    }

    /// Reads until the request is answered. Returns `NeedMore` if the client closes before that.
    async fn request(&mut self) -> Step {
        let mut buf = [0; READ_BYTES];
        loop {
            let Ok(read @ 1..) = self.stream.read(&mut buf).await else { return Step::NeedMore };
            match self.feed(&buf[..read]) {
                Step::NeedMore => {}
                step => return step,
            }
        }
    }

    fn feed(&mut self, bytes: &[u8]) -> Step {
        let mut shared = self.shared.lock();
        let step = self.connection.feed(bytes, &mut shared.registry);
        if let Step::Stopped(client, _) = &step
            && let Some(place) = shared.clients.get(client.0)
        {
            // If it is no longer connected, nothing is left to do.
            let _ = place.stream.shutdown(Shutdown::Both);
        }
        if let Step::Registered(_) = &step {
            if shared.registered >= self.caps.registered || shared.clients[self.id.0].is_dropped {
                self.connection.closed(&mut shared.registry);
                return Step::Close;
            }
            shared.registered += 1;
            shared.clients[self.id.0].is_registered = true;
        }
        step
    }

    /// Sends bytes. Returns false if the client does not receive them in time.
    async fn send(&self, bytes: &[u8], idle: Duration) -> bool {
        matches!(timeout(idle, self.stream.write_all(bytes)).await, Ok(Ok(())))
    }

    /// Waits until the client closes or sends anything, which has the same effect.
    async fn end(&self) {
        let _ = self.stream.read(&mut [0]).await;
    }

    fn kill(&self) {
        let acceptor = {
            let mut shared = self.shared.lock();
            shared.killed = true;
            shared.acceptor.take()
        };
        if let Some(acceptor) = acceptor {
            acceptor.wake();
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let mut shared = self.shared.lock();
        self.connection.closed(&mut shared.registry);
        let place = shared.clients.remove(self.id.0);
        shared.registered -= usize::from(place.is_registered);
        // The sockets have locks of their own, so this lock is released first.
        drop(shared);
        drop(place);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream as Peer;

    use fika_runtime::Node;
    use socket2::{Domain, Socket, Type};

    use super::*;
    use crate::io::Poller;
    use crate::proto::epmd::{NodeInfo, PublishedType, Request};

    /// A mapper on its own node.
    struct Mapper {
        node: Node,
        addr: SocketAddr,
        shared: Arc<Mutex<Shared>>,
    }

    impl Mapper {
        fn start(relaxed: bool, idle: Duration) -> Mapper {
            Mapper::with_caps(relaxed, idle, Caps::of(None))
        }

        fn with_caps(relaxed: bool, idle: Duration, caps: Caps) -> Mapper {
            let poller = Poller::new().unwrap();
            let node = Node::builder().workers(2).driver(Arc::new(poller.clone())).build();
            let config = EpmdConfig {
                port: 0,
                addrs: vec![IpAddr::from([127, 0, 0, 1]), "::1".parse().unwrap()],
                relaxed,
                idle,
                creation_seed: 100,
            };
            let mut server = EpmdServer::bind(&poller, &config).unwrap();
            server.caps = caps;
            let addr = SocketAddr::from(([127, 0, 0, 1], server.port()));
            let (node, shared) = (node.unwrap(), server.shared.clone());
            node.spawn(server.run());
            Mapper { node, addr, shared }
        }

        fn connect(&self) -> Peer {
            Peer::connect(self.addr).unwrap()
        }

        fn ask(&self, request: &Request<'_>) -> Peer {
            let mut peer = self.connect();
            peer.write_all(&request.encode()).unwrap();
            peer
        }

        fn reply(&self, request: &Request<'_>) -> Vec<u8> {
            let mut reply = Vec::new();
            self.ask(request).read_to_end(&mut reply).unwrap();
            reply
        }

        /// Registers, and returns the connection together with the creation.
        fn register(&self, name: &str) -> (Peer, u8) {
            let mut peer = self.ask(&Request::Register(info(name)));
            let mut reply = [0; 6];
            peer.read_exact(&mut reply).unwrap();
            assert_eq!(reply[..5], *b"v\0\0\0\0");
            (peer, reply[5])
        }

        fn names(&self) -> String {
            let reply = self.reply(&Request::Names);
            assert_eq!(reply[..4], u32::from(self.addr.port()).to_be_bytes());
            String::from_utf8(reply[4..].to_vec()).unwrap()
        }

        /// Looks up the names until they are as expected. There is no other sign of what another
        /// process has done.
        fn wait_for_names(&self, names: &str) {
            while self.names() != names {
                std::thread::yield_now();
            }
        }

        fn wait_for_clients(&self, clients: usize) {
            while self.shared.lock().clients.len() != clients {
                std::thread::yield_now();
            }
        }
    }

    impl Drop for Mapper {
        fn drop(&mut self) {
            assert!(self.node.stop(), "all processes end");
        }
    }

    const LONG: Duration = Duration::from_secs(600);
    /// Long enough for a client that acts at once, on a machine with other work.
    const SHORT: Duration = Duration::from_millis(300);

    fn info(name: &str) -> NodeInfo {
        NodeInfo::new(name, 7, PublishedType::NORMAL).unwrap()
    }

    fn is_closed(peer: &mut Peer) -> bool {
        !matches!(peer.read(&mut [0]), Ok(1..))
    }

    /// EPMD-4, EPMD-5: a registration lasts as long as its connection, and its name can't be
    /// registered again.
    #[test]
    fn register_names() {
        let mapper = Mapper::start(false, LONG);
        let (a, first) = mapper.register("a");
        let (b, second) = mapper.register("b");
        assert_eq!(second, first + 1);
        let mut again = mapper.ask(&Request::Register(info("a")));
        let mut reply = [0; 6];
        again.read_exact(&mut reply).unwrap();
        assert_eq!(reply, *b"v\x01\0\0\0\x63");
        assert_eq!(mapper.names(), "name b at port 7\nname a at port 7\n");
        drop(b);
        mapper.wait_for_names("name a at port 7\n");
        drop(a);
        mapper.wait_for_names("");
    }

    /// EPMD-4: a byte on the connection of a registration ends it.
    #[test]
    fn a_byte_of_a_registered_client_ends_its_registration() {
        let mapper = Mapper::start(false, LONG);
        let (mut a, _) = mapper.register("a");
        a.write_all(b"x").unwrap();
        assert!(is_closed(&mut a));
        mapper.wait_for_names("");
    }

    /// EPMD-2, EPMD-14: no bytes, one byte, part of a request, and a refused registration. A
    /// registered node has no time limit.
    #[test]
    fn the_idle_limit() {
        let mapper = Mapper::start(false, SHORT);
        let (_registered, _) = mapper.register("a");
        for part in [&b""[..], b"\0", b"\0\x05zab"] {
            let mut peer = mapper.connect();
            peer.write_all(part).unwrap();
            assert!(is_closed(&mut peer), "{part:?}");
        }
        let mut refused = mapper.ask(&Request::Register(info("a")));
        refused.read_exact(&mut [0; 6]).unwrap();
        assert!(is_closed(&mut refused));
        assert_eq!(mapper.names(), "name a at port 7\n");
    }

    const NODES: usize = 5000;

    /// A mapper with a list of names that is larger than the system's buffers.
    fn crowded(idle: Duration) -> Mapper {
        let mapper = Mapper::start(false, idle);
        // Registered directly, since so many connections are not possible. The list is just as
        // long.
        for n in 0..NODES {
            let name = format!("{}{n}", "𝄞".repeat(250));
            let request = Request::Register(info(&name)).encode();
            let (id, mut shared) = (ClientId(1_000_000 + n), mapper.shared.lock());
            let step = ServerConnection::new(id, true).feed(&request, &mut shared.registry);
            assert!(matches!(step, Step::Registered(_)));
        }
        mapper
    }

    /// Clients that ask for the names, and do not read the reply.
    fn slow_clients(mapper: &Mapper) -> Vec<Peer> {
        let client = || {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.set_recv_buffer_size(4096).unwrap();
            socket.connect(&mapper.addr.into()).unwrap();
            let mut peer = Peer::from(socket);
            peer.write_all(&Request::Names.encode()).unwrap();
            peer
        };
        (0..10).map(|_| client()).collect()
    }

    /// EPMD-8: a client that does not read a long list delays no other client.
    #[test]
    fn stupid_names_req() {
        let mapper = crowded(LONG);
        let slow = slow_clients(&mapper);
        assert_eq!(mapper.names().lines().count(), NODES);
        assert_eq!(mapper.reply(&Request::Lookup("a")), b"w\x01");
        drop(slow);
        mapper.wait_for_clients(0);
    }

    /// A client that does not read a long list in time is closed.
    #[test]
    fn a_client_that_does_not_read() {
        let mapper = crowded(SHORT);
        let mut slow = slow_clients(&mapper);
        // Clients are accepted in their order.
        assert!(is_closed(&mut mapper.connect()));
        mapper.wait_for_clients(0);
        let mut part = Vec::new();
        // The stream ends, with a reset or without.
        let _ = slow[0].read_to_end(&mut part);
        assert!(part.len() < NODES * "𝄞".len() * 250, "{} bytes", part.len());
    }

    /// EPMD-10, EPMD-11: relaxed mode.
    #[test]
    fn stop_and_kill() {
        let mapper = Mapper::start(true, LONG);
        let (mut a, _) = mapper.register("a");
        let (mut b, _) = mapper.register("b");
        assert_eq!(mapper.reply(&Request::Stop(b"a")), b"STOPPED");
        assert!(is_closed(&mut a));
        assert_eq!(mapper.names(), "name b at port 7\n");
        // The mapper is waiting for connections again when the request comes.
        let (mut killer, mut reply) = (mapper.connect(), Vec::new());
        mapper.wait_for_clients(2);
        assert_eq!(mapper.names(), "name b at port 7\n");
        killer.write_all(&Request::Kill.encode()).unwrap();
        killer.read_to_end(&mut reply).unwrap();
        assert_eq!(reply, b"OK");
        assert!(is_closed(&mut b));
        while Peer::connect(mapper.addr).is_ok() {}
    }

    /// EPMD-10: a mapper that is not killed continues.
    #[test]
    fn no_live_killing() {
        let mapper = Mapper::start(false, LONG);
        let (_a, _) = mapper.register("a");
        assert_eq!(mapper.reply(&Request::Kill), b"NO");
        assert_eq!(mapper.reply(&Request::Stop(b"a")), b"");
        assert_eq!(mapper.names(), "name a at port 7\n");
    }

    /// EPMD-12: a client on another host can neither register nor kill. Such a client is imitated
    /// by a connection from an outer address of this host to its loopback address.
    #[test]
    fn no_nonlocal_register_and_kill() {
        let probe = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
        // Nothing is sent. This only determines the sender's address.
        if probe.connect("192.0.2.1:9").is_err() {
            return println!("skipped: this host has no outer address");
        }
        let outer = SocketAddr::new(probe.local_addr().unwrap().ip(), 0);
        let mapper = Mapper::start(true, LONG);
        let (_a, _) = mapper.register("a");
        let reply = |request: Request<'_>| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.bind(&outer.into()).unwrap();
            socket.connect(&mapper.addr.into()).unwrap();
            let (mut peer, mut reply) = (Peer::from(socket), Vec::new());
            // A client whose connection is closed before its request was read sees a reset.
            let _ = peer.write_all(&request.encode());
            let _ = peer.read_to_end(&mut reply);
            reply
        };
        for request in
            [Request::Register(info("b")), Request::Dump, Request::Kill, Request::Stop(b"a")]
        {
            assert_eq!(reply(request), b"");
        }
        assert_eq!(reply(Request::Lookup("a"))[..2], *b"w\0");
        mapper.wait_for_clients(1);
        // Silent clients of another host get only their share, and no local client is dropped for
        // them.
        let mut local = mapper.connect();
        let silent = || {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.bind(&outer.into()).unwrap();
            socket.connect(&mapper.addr.into()).unwrap();
            Peer::from(socket)
        };
        let silent: Vec<Peer> = (0..3 * WAITING_PER_SOURCE_MAX).map(|_| silent()).collect();
        assert_eq!(reply(Request::Lookup("a"))[..2], *b"w\0", "it still answers");
        mapper.wait_for_clients(2 + WAITING_PER_SOURCE_MAX - 1);
        local.write_all(&Request::Names.encode()).unwrap();
        let mut names = Vec::new();
        local.read_to_end(&mut names).unwrap();
        assert_eq!(names[4..], *b"name a at port 7\n");
        drop(silent);
    }

    /// Silent clients of this host keep no other from looking up or registering, and no registered
    /// client is dropped.
    #[test]
    fn silent_clients() {
        let mapper = Mapper::start(false, LONG);
        let (_a, _) = mapper.register("a");
        let caps = Caps::of(None);
        let peers: Vec<Peer> = (0..3 * caps.waiting).map(|_| mapper.connect()).collect();
        let (_b, _) = mapper.register("b");
        for _ in 0..10 {
            assert_eq!(mapper.names(), "name b at port 7\nname a at port 7\n");
        }
        assert!(mapper.shared.lock().clients.len() <= 2 + caps.waiting);
        drop(peers);
        mapper.wait_for_clients(2);
    }

    /// Only clients of other hosts are limited by their address: those of this host have one.
    #[test]
    fn silent_clients_of_this_host_have_one_limit() {
        let waiting = 2 * WAITING_PER_SOURCE_MAX;
        let caps = Caps { waiting: waiting + 1, ..Caps::of(None) };
        let mapper = Mapper::with_caps(false, LONG, caps);
        let mut peers: Vec<Peer> = (0..waiting).map(|_| mapper.connect()).collect();
        // Clients are accepted in their order.
        assert_eq!(mapper.names(), "");
        for peer in &mut peers {
            peer.write_all(&Request::Lookup("a").encode()).unwrap();
            let mut reply = Vec::new();
            peer.read_to_end(&mut reply).unwrap();
            assert_eq!(reply, b"w\x01", "nobody was dropped");
        }
    }

    /// The number of registered clients has its own limit. At the limit, more are refused, and
    /// other requests are served.
    #[test]
    fn too_many_registered() {
        let mapper = Mapper::start(false, LONG);
        let most = Caps::of(None).registered;
        let held: Vec<_> = (0..most).map(|n| mapper.register(&format!("n{n}"))).collect();
        assert_eq!(mapper.reply(&Request::Register(info("more"))), b"");
        assert_eq!(mapper.reply(&Request::Lookup("n0"))[..2], *b"w\0");
        assert_eq!(mapper.reply(&Request::Lookup("more")), b"w\x01");
        drop(held);
        mapper.wait_for_names("");
        drop(mapper.register("more"));
    }

    #[test]
    fn the_limits_follow_the_descriptor_limit() {
        let cases =
            [(None, (16, 32)), (Some(1024), (16, 32)), (Some(100), (16, 18)), (Some(0), (16, 1))];
        for (descriptors, (waiting, registered)) in cases {
            assert_eq!(Caps::of(descriptors), Caps { waiting, registered }, "{descriptors:?}");
        }
    }

    #[test]
    fn addresses_covered_by_a_wildcard_are_left_out() {
        let cases = [
            ("127.0.0.1 ::1", "127.0.0.1 ::1"),
            ("127.0.0.1 ::1 127.0.0.1", "127.0.0.1 ::1"),
            ("127.0.0.1 ::1 0.0.0.0", "::1 0.0.0.0"),
            ("127.0.0.1 ::1 10.0.0.1 :: 0.0.0.0 ::", ":: 0.0.0.0"),
        ];
        let addrs = |text: &str| text.split(' ').map(|ip| ip.parse().unwrap()).collect::<Vec<_>>();
        for (given, expected) in cases {
            assert_eq!(distinct(&addrs(given)), addrs(expected), "{given}");
        }
    }
}
