//! Tests what every network must do according to `Network`, with all implementations.

use std::io::{self, ErrorKind};
use std::net::{Shutdown, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fika_net::{Listener, Network, Poller, Socket, SocketHandler};
use fika_runtime::Driver;

/// A network, and the driver that calls its handlers.
struct World {
    /// The directory to remove at the end.
    directory: Option<PathBuf>,
    driver: Arc<dyn Driver>,
    network: Arc<dyn Network>,
}

fn tcp() -> World {
    let poller = Poller::new().unwrap();
    World { directory: None, driver: Arc::new(poller.clone()), network: Arc::new(poller) }
}

#[cfg(unix)]
fn unix() -> World {
    use std::sync::atomic::AtomicU32;

    static LAST: AtomicU32 = AtomicU32::new(0);
    let n = LAST.fetch_add(1, Ordering::Relaxed);
    let directory = std::env::temp_dir().join(format!("fika-{}-{n}", std::process::id()));
    let poller = Poller::new().unwrap();
    let network = fika_net::UnixSockets::new(&poller, &directory).unwrap();
    World { directory: Some(directory), driver: Arc::new(poller), network: Arc::new(network) }
}

fn worlds() -> Vec<World> {
    vec![
        tcp(),
        #[cfg(unix)]
        unix(),
    ]
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(directory) = &self.directory {
            let _ = std::fs::remove_dir_all(directory);
        }
    }
}

/// Records the reports to a handler.
#[derive(Default)]
struct Events {
    readable: AtomicBool,
    writable: AtomicBool,
}

impl SocketHandler for Events {
    fn ready(&self, readable: bool, writable: bool) {
        self.readable.fetch_or(readable, Ordering::SeqCst);
        self.writable.fetch_or(writable, Ordering::SeqCst);
    }
}

/// One end of a connection.
struct End {
    socket: Box<dyn Socket>,
    events: Arc<Events>,
}

impl End {
    fn new(socket: Box<dyn Socket>) -> End {
        let events = Arc::new(Events::default());
        socket.set_handler(events.clone());
        End { socket, events }
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.try_write(bytes)
    }
}

impl World {
    fn listen(&self) -> (Box<dyn Listener>, Arc<Events>) {
        let listener = self.network.listen("127.0.0.1:0".parse().unwrap(), 16).unwrap();
        let events = Arc::new(Events::default());
        listener.set_handler(events.clone());
        (listener, events)
    }

    /// Retries until the result is not `WouldBlock`. The handler must be called before each retry.
    fn until<T>(
        &self,
        events: &AtomicBool,
        mut attempt: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        loop {
            match attempt() {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    while !events.swap(false, Ordering::SeqCst) {
                        self.driver.park(None);
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn connect(&self, addr: SocketAddr) -> io::Result<End> {
        let end = End::new(self.network.connect(addr)?);
        self.until(&end.events.writable, || end.socket.connected())?;
        Ok(end)
    }

    fn accept(&self, listener: &dyn Listener, events: &Events) -> End {
        let end = End::new(self.until(&events.readable, || listener.try_accept()).unwrap());
        end.socket.connected().unwrap();
        end
    }

    fn pair(&self) -> (End, End) {
        let (listener, events) = self.listen();
        let client = self.connect(listener.local_addr()).unwrap();
        (client, self.accept(&*listener, &events))
    }

    fn read(&self, end: &End) -> io::Result<Vec<u8>> {
        let mut buf = [0; 4096];
        let read = self.until(&end.events.readable, || end.socket.try_read(&mut buf))?;
        Ok(buf[..read].to_vec())
    }

    /// Reads everything that has arrived, to the end.
    fn read_all(&self, end: &End) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            match self.read(end)? {
                part if part.is_empty() => return Ok(all),
                part => all.extend(part),
            }
        }
    }

    /// Writes until a write fails, some time after the peer has gone.
    fn write_until_refused(&self, end: &End) -> ErrorKind {
        loop {
            if let Err(error) = self.until(&end.events.writable, || end.try_write(&[0; 64])) {
                return error.kind();
            }
        }
    }
}

#[test]
fn bytes_flow_in_both_directions() {
    for world in worlds() {
        let (listener, events) = world.listen();
        let client = world.connect(listener.local_addr()).unwrap();
        let server = world.accept(&*listener, &events);
        assert_eq!(client.socket.peer_addr(), listener.local_addr());
        assert_eq!(server.socket.local_addr().unwrap(), listener.local_addr());
        assert_eq!(client.socket.local_addr().unwrap(), server.socket.peer_addr());
        for (from, to) in [(&client, &server), (&server, &client)] {
            assert_eq!(from.try_write(b"hello").unwrap(), 5);
            assert_eq!(world.read(to).unwrap(), b"hello");
        }
    }
}

#[test]
fn connecting_without_a_listener_fails() {
    for world in worlds() {
        let addr = world.listen().0.local_addr();
        assert_eq!(world.connect(addr).err().unwrap().kind(), ErrorKind::ConnectionRefused);
    }
}

#[test]
fn an_address_is_in_use_while_a_listener_exists() {
    for world in worlds() {
        let (listener, _told) = world.listen();
        let addr = listener.local_addr();
        let error = world.network.listen(addr, 16).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        // The first listener continues, and its address is free after it.
        world.connect(addr).unwrap();
        drop(listener);
        world.network.listen(addr, 16).unwrap();
    }
}

/// One event may stand for several connections.
#[test]
fn several_connections_wait_to_be_accepted() {
    for world in worlds() {
        let (listener, events) = world.listen();
        let clients = [(); 8].map(|()| world.connect(listener.local_addr()).unwrap());
        let servers = [(); 8].map(|()| world.accept(&*listener, &events));
        let error = listener.try_accept().err().unwrap();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        for (n, client) in clients.iter().enumerate() {
            client.try_write(&[n as u8]).unwrap();
        }
        for (n, server) in servers.iter().enumerate() {
            assert_eq!(world.read(server).unwrap(), [n as u8], "the oldest comes first");
        }
    }
}

#[test]
fn a_dropped_socket_ends_after_its_written_bytes() {
    for world in worlds() {
        let (client, server) = world.pair();
        client.try_write(b"last words").unwrap();
        drop(client);
        assert_eq!(world.read_all(&server).unwrap(), b"last words");
        assert_eq!(world.read(&server).unwrap(), b"", "it stays so");
        let kind = world.write_until_refused(&server);
        assert!(matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{kind}");
    }
}

#[test]
fn shutdown_can_end_one_direction() {
    for world in worlds() {
        let (client, server) = world.pair();
        client.try_write(b"request").unwrap();
        client.socket.shutdown(Shutdown::Write).unwrap();
        assert_eq!(client.try_write(b"more").unwrap_err().kind(), ErrorKind::BrokenPipe);
        assert_eq!(world.read_all(&server).unwrap(), b"request");
        server.try_write(b"answer").unwrap();
        assert_eq!(world.read(&client).unwrap(), b"answer");
    }
}

#[test]
fn shutdown_of_both_directions_ends_reading_at_both_ends() {
    for world in worlds() {
        let (client, server) = world.pair();
        client.socket.try_read(&mut [0]).unwrap_err();
        client.socket.shutdown(Shutdown::Both).unwrap();
        assert_eq!(world.read(&client).unwrap(), b"");
        assert_eq!(world.read(&server).unwrap(), b"");
    }
}

#[test]
fn dropping_unread_bytes_resets_the_connection() {
    for world in worlds() {
        let (client, server) = world.pair();
        client.try_write(b"never read").unwrap();
        server.try_write(b"lost").unwrap();
        // One byte has been read, so all have arrived.
        while server.socket.try_read(&mut [0]).is_err() {
            world.driver.park(None);
        }
        drop(server);
        while client.socket.try_read(&mut [0; 16]).is_ok_and(|read| read > 0) {}
        let kind = world.write_until_refused(&client);
        assert!(matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{kind}");
        assert_eq!(world.read_all(&client).unwrap_or_default(), b"");
    }
}

/// A writer that had no room is notified when the peer has read.
#[test]
fn a_writer_is_notified_when_a_slow_reader_makes_room() {
    const BYTES: usize = 8 << 20;
    for world in worlds() {
        let (client, server) = world.pair();
        let (mut written, mut read) = (0, 0);
        let mut buf = vec![0; 1 << 20];
        while written < BYTES {
            let rest = &vec![7; BYTES - written];
            match client.try_write(rest) {
                Ok(more) => {
                    assert!(more > 0);
                    written += more;
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    client.events.writable.store(false, Ordering::SeqCst);
                    // Reads everything that has arrived until there is room again.
                    while !client.events.writable.load(Ordering::SeqCst) {
                        match server.socket.try_read(&mut buf) {
                            Ok(more) => read += more,
                            Err(_) => world.driver.park(None),
                        }
                    }
                }
            }
        }
        drop(client);
        read += world.read_all(&server).unwrap().len();
        assert_eq!(read, BYTES);
    }
}

#[test]
fn dropping_a_listener_ends_waiting_connections() {
    for world in worlds() {
        let (listener, _told) = world.listen();
        let client = world.connect(listener.local_addr()).unwrap();
        drop(listener);
        let read = world.read(&client);
        assert!(read.as_ref().map_or(true, Vec::is_empty), "{read:?}");
    }
}

#[test]
fn replaced_and_released_handlers_are_dropped() {
    for world in worlds() {
        let (client, server) = world.pair();
        client.try_write(b"early").unwrap();
        assert_eq!(world.read(&server).unwrap(), b"early");
        let second = Arc::new(Events::default());
        server.socket.set_handler(second.clone());
        assert_eq!(Arc::strong_count(&server.events), 1, "it was dropped");
        client.try_write(b"late").unwrap();
        let mut buf = [0; 16];
        let read = world.until(&second.readable, || server.socket.try_read(&mut buf)).unwrap();
        assert_eq!(&buf[..read], b"late");
        server.socket.release_handler();
        assert_eq!(Arc::strong_count(&second), 1, "the last handler was dropped, too");
        server.socket.set_handler(second.clone());
        assert_eq!(Arc::strong_count(&second), 1, "for good");
        drop((client, server));
    }
}

/// The handler may own the socket, and dropping one end may drop the other.
#[test]
fn releasing_a_handler_that_owns_its_socket_drops_both() {
    struct Owner(Box<dyn Socket>, End);
    impl SocketHandler for Owner {
        fn ready(&self, _: bool, _: bool) {}
    }
    for world in worlds() {
        let (client, server) = world.pair();
        let owner = Arc::new(Owner(server.socket, client));
        let gone = Arc::downgrade(&owner);
        owner.0.set_handler(owner.clone());
        owner.1.try_write(b"x").unwrap();
        owner.0.release_handler();
        drop(owner);
        assert!(gone.upgrade().is_none());
    }
}

/// A killed listener leaves its socket behind.
#[test]
#[cfg(unix)]
fn a_stale_socket_file_is_replaced() {
    let world = unix();
    let addr: SocketAddr = "127.0.0.1:4001".parse().unwrap();
    let file = world.directory.as_ref().unwrap().join(addr.to_string());
    drop(std::os::unix::net::UnixListener::bind(&file).unwrap());
    assert!(file.exists());
    assert_eq!(world.connect(addr).err().unwrap().kind(), ErrorKind::ConnectionRefused);
    let listener = world.network.listen(addr, 16).unwrap();
    world.connect(addr).unwrap();
    drop(listener);
    assert!(!file.exists());
}

/// A listener on all addresses is reachable on each of them.
#[test]
fn an_unspecified_address() {
    for world in worlds() {
        let listener = world.network.listen("0.0.0.0:0".parse().unwrap(), 16).unwrap();
        let port = listener.local_addr().port();
        world.connect(SocketAddr::from(([127, 0, 0, 1], port))).unwrap();
    }
}
