//! The port mapper itself: a node starts one if none answers, and `fika-epmd` is one.
//!
//! One process accepts, and one serves each client, so that a client that sends or reads
//! slowly holds up nobody. What is asked and answered is decided in `proto/epmd`; here
//! are the sockets, the limits of time, and the number of clients.
//!
//! Invariants:
//!
//! 1. The lock is held for a look or a change, and never across an await.
//! 2. A client's place, and what it registered, goes when its [`Client`] is dropped:
//!    however its process ends, a name never outlives its connection.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use fika_runtime::{report, sleep, spawn_service, timeout, yield_now};
use parking_lot::Mutex;
use slab::Slab;

use super::acceptor::{Acceptor, Acceptors};
use super::network::Network;
use super::stream::Stream;
use crate::proto::epmd::{ClientId, Registry, ServerConnection, Step, is_local};

/// Clients at one time, registered nodes included: more nodes than a host runs. A client
/// over the limit is closed at once. Small in tests, which cannot have that many sockets.
const CLIENTS_MAX: usize = if cfg!(test) { 64 } else { 4096 };

/// Clients from other hosts at one time. They only look, which takes a moment each, and
/// must not be able to keep the nodes of this host from registering.
const STRANGERS_MAX: usize = 256;

/// How many connections wait to be accepted: a host's nodes may all start at once.
const BACKLOG: u32 = 1024;

/// After an error of the system, accepting pauses for this long instead of spinning.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What is read at one time: an ordinary request, whole.
const READ_BYTES: usize = 512;

/// How a mapper is set up.
#[derive(Clone, Debug)]
pub struct EpmdConfig {
    /// The port to listen on; 0 lets the system choose one.
    pub port: u16,
    /// The addresses to listen on.
    pub addrs: Vec<IpAddr>,
    /// Whether clients on this host may kill it while nodes are registered, and
    /// unregister other nodes.
    pub relaxed: bool,
    /// How long a client has for its request, and for taking in each piece of the reply.
    pub idle: Duration,
    /// A random number, from which creations go up.
    pub creation_seed: u32,
}

impl EpmdConfig {
    /// The real daemon's limit for a request.
    pub const IDLE: Duration = Duration::from_secs(60);
}

/// An address on which the mapper cannot listen.
#[derive(Debug, thiserror::Error)]
#[error("failed to bind on ipaddr {}: {error}", addr.ip())]
pub struct EpmdBindError {
    addr: SocketAddr,
    error: io::Error,
}

impl EpmdBindError {
    /// Whether there is a mapper already.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        self.error.kind() == io::ErrorKind::AddrInUse
    }

    /// The address.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What the system says.
    #[must_use]
    pub fn error(&self) -> &io::Error {
        &self.error
    }
}

/// A mapper that listens.
pub struct EpmdServer {
    listeners: Acceptors,
    idle: Duration,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    registry: Registry,
    /// The open connections. A key is the number of its client.
    clients: Slab<Arc<Stream>>,
    /// How many of them come from other hosts.
    strangers: usize,
    /// Whether a client has killed the mapper.
    killed: bool,
    /// The accepting process, while it waits.
    acceptor: Option<Waker>,
}

/// A client's place among the clients.
struct Client {
    id: ClientId,
    local: bool,
    stream: Arc<Stream>,
    connection: ServerConnection,
    shared: Arc<Mutex<Shared>>,
}

/// What the accepting process waits for.
enum Next {
    Killed,
    Client(io::Result<Stream>),
}

impl EpmdServer {
    /// Listens on all the addresses, once on each. A loopback address that the host does
    /// not have (it may run without IPv6) is left out when there are others.
    ///
    /// # Errors
    /// When it cannot listen on one of them, or there is none.
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
        EpmdServer::new(listeners, config).ok_or_else(|| {
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
        match (EpmdServer::new(listeners, config), failure) {
            (None, Some(failure)) => Err(failure),
            (server, _) => Ok(server),
        }
    }

    /// `None` if there are no listeners.
    fn new(listeners: Vec<Acceptor>, config: &EpmdConfig) -> Option<EpmdServer> {
        let port = listeners.first()?.local_addr().port();
        let shared = Shared {
            registry: Registry::new(port, config.relaxed, config.creation_seed),
            clients: Slab::new(),
            strangers: 0,
            killed: false,
            acceptor: None,
        };
        let shared = Arc::new(Mutex::new(shared));
        Some(EpmdServer { listeners: listeners.into(), idle: config.idle, shared })
    }

    /// The port on which it listens.
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
                Next::Client(Ok(stream)) => self.admit(stream),
                Next::Client(Err(error)) => {
                    report!(warn, %error, "the port mapper could not accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
            // While connections pour in, there is no other point at which others run.
            yield_now().await;
        }
        for (_, client) in &self.shared.lock().clients {
            // One that is no longer connected is what is wanted.
            let _ = client.shutdown(Shutdown::Both);
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

    /// Gives the client a place, and a process that serves it; or closes it.
    fn admit(&self, stream: Stream) {
        let Ok(own) = stream.local_addr() else { return };
        let local = is_local(stream.peer_addr().ip(), own.ip());
        let mut shared = self.shared.lock();
        if shared.clients.len() >= CLIENTS_MAX || (!local && shared.strangers >= STRANGERS_MAX) {
            drop(shared);
            tracing::debug!(peer = %stream.peer_addr(), "the port mapper has too many clients");
            return;
        }
        let stream = Arc::new(stream);
        let id = ClientId(shared.clients.insert(stream.clone()));
        shared.strangers += usize::from(!local);
        drop(shared);
        let connection = ServerConnection::new(id, local);
        let client = Client { id, local, stream, connection, shared: self.shared.clone() };
        // If there is no room for a process, the client is dropped.
        if spawn_service(client.serve(self.idle)).is_none() {
            tracing::debug!("the port mapper has no room for a process that serves a client");
        }
    }
}

/// The addresses without those that another one stands for.
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
                    // Whether the client closes in time or not: it is closed now.
                    let _ = timeout(idle, self.end()).await;
                }
            }
            Step::Killed(bytes) => {
                self.send(&bytes, idle).await;
                self.kill();
            }
        }
    }

    /// Reads until the request is answered; `NeedMore` if the client goes before that.
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
            && let Some(stream) = shared.clients.get(client.0)
        {
            // One that is no longer connected is what is wanted.
            let _ = stream.shutdown(Shutdown::Both);
        }
        step
    }

    /// False when the client does not take it in.
    async fn send(&self, bytes: &[u8], idle: Duration) -> bool {
        matches!(timeout(idle, self.stream.write_all(bytes)).await, Ok(Ok(())))
    }

    /// Waits for the client to close, or to say anything, which has the same effect.
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
        shared.strangers -= usize::from(!self.local);
        let stream = shared.clients.remove(self.id.0);
        // The sockets have locks of their own: one at a time.
        drop(shared);
        drop(stream);
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

    /// A mapper on a node of its own.
    struct Mapper {
        node: Node,
        addr: SocketAddr,
        shared: Arc<Mutex<Shared>>,
    }

    impl Mapper {
        fn start(relaxed: bool, idle: Duration) -> Mapper {
            let poller = Poller::new().unwrap();
            let node = Node::builder().workers(2).driver(Arc::new(poller.clone())).build();
            let config = EpmdConfig {
                port: 0,
                addrs: vec![IpAddr::from([127, 0, 0, 1]), "::1".parse().unwrap()],
                relaxed,
                idle,
                creation_seed: 100,
            };
            let server = EpmdServer::bind(&poller, &config).unwrap();
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

        /// Asks again until the answer is this: what another process does in its own time
        /// has no other sign.
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
    const SHORT: Duration = Duration::from_millis(20);

    fn info(name: &str) -> NodeInfo {
        NodeInfo::new(name, 7, PublishedType::NORMAL).unwrap()
    }

    fn is_closed(peer: &mut Peer) -> bool {
        !matches!(peer.read(&mut [0]), Ok(1..))
    }

    /// EPMD-4, EPMD-5.
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
    fn a_registered_client_that_talks() {
        let mapper = Mapper::start(false, LONG);
        let (mut a, _) = mapper.register("a");
        a.write_all(b"x").unwrap();
        assert!(is_closed(&mut a));
        mapper.wait_for_names("");
    }

    /// EPMD-2, EPMD-14: no data, one byte, part of a packet, a registration that was
    /// refused. A registered node has no limit.
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

    /// EPMD-8: whoever does not read a list that is larger than the system's buffers
    /// holds up nobody, and is closed in the end.
    #[test]
    fn stupid_names_req() {
        const NODES: usize = 5000;
        let mapper = Mapper::start(false, SHORT);
        // Connections would be many; what a list costs is the same.
        for n in 0..NODES {
            let name = format!("{}{n}", "𝄞".repeat(250));
            let request = Request::Register(info(&name)).encode();
            let (id, mut shared) = (ClientId(1_000_000 + n), mapper.shared.lock());
            let step = ServerConnection::new(id, true).feed(&request, &mut shared.registry);
            assert!(matches!(step, Step::Registered(_)));
        }
        let mut slow: Vec<Peer> = (0..10)
            .map(|_| {
                let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
                socket.set_recv_buffer_size(4096).unwrap();
                socket.connect(&mapper.addr.into()).unwrap();
                let mut peer = Peer::from(socket);
                peer.write_all(&Request::Names.encode()).unwrap();
                peer
            })
            .collect();
        let whole = mapper.names();
        assert_eq!(whole.lines().count(), NODES);
        assert_eq!(mapper.reply(&Request::Lookup("a")), b"w\x01");
        mapper.wait_for_clients(0);
        let mut part = Vec::new();
        // It ends, with a reset or without.
        let _ = slow[0].read_to_end(&mut part);
        assert!(part.len() < whole.len());
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
        // The mapper waits for connections again when the request comes.
        let (mut killer, mut reply) = (mapper.connect(), Vec::new());
        mapper.wait_for_clients(2);
        assert_eq!(mapper.names(), "name b at port 7\n");
        killer.write_all(&Request::Kill.encode()).unwrap();
        killer.read_to_end(&mut reply).unwrap();
        assert_eq!(reply, b"OK");
        assert!(is_closed(&mut b));
        while Peer::connect(mapper.addr).is_ok() {}
    }

    /// EPMD-10: a mapper that is not killed goes on.
    #[test]
    fn no_live_killing() {
        let mapper = Mapper::start(false, LONG);
        let (_a, _) = mapper.register("a");
        assert_eq!(mapper.reply(&Request::Kill), b"NO");
        assert_eq!(mapper.reply(&Request::Stop(b"a")), b"");
        assert_eq!(mapper.names(), "name a at port 7\n");
    }

    /// EPMD-12. A connection from an outer address of this host to its loopback address
    /// looks like one from another host.
    #[test]
    fn no_nonlocal_register_and_kill() {
        let probe = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
        // Nothing is sent: this asks only which address would be the sender's.
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
            // A client that is closed before its request was read sees a reset.
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
        assert_eq!(mapper.shared.lock().strangers, 0, "their places are given back");
        mapper.shared.lock().strangers = STRANGERS_MAX;
        assert_eq!(reply(Request::Lookup("a")), b"", "too many strangers");
        assert_eq!(mapper.names(), "name a at port 7\n", "who is local has a place still");
    }

    #[test]
    fn a_place_is_given_back() {
        let mapper = Mapper::start(false, LONG);
        let peers: Vec<_> = (0..CLIENTS_MAX).map(|_| mapper.connect()).collect();
        mapper.wait_for_clients(CLIENTS_MAX);
        assert!(is_closed(&mut mapper.connect()), "there is no place");
        drop(peers);
        mapper.wait_for_clients(0);
        assert_eq!(mapper.names(), "");
    }

    #[test]
    fn addresses_that_stand_for_others() {
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
