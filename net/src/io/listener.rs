//! The listening side of TCP, which stays answerable when file descriptors run out.
//!
//! A connection that is waiting to be accepted when the OS process has no descriptor
//! left can be neither taken nor refused: it would stay at the head of the queue, and
//! with an edge-triggered poller nothing would ever report it again. So the listener
//! keeps a spare descriptor. It gives it up, takes the connection with it, closes the
//! connection, and gets itself a spare one again: the peer sees a close at once, and
//! the queue moves on.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use mio::Interest;
use parking_lot::Mutex;
use socket2::{Domain, Protocol, Socket, Type};

use crate::io::poller::{Poller, Registration};
use crate::io::readiness::{Direction, Readiness};
use crate::io::tcp::TcpStream;

/// How many connections one call closes unseen, or finds given up by their peers, before
/// it returns an error: a flood must not hold the worker.
const DISCARDED_MAX: usize = 64;

/// "Too many open files", in this OS process and in the whole system: the same numbers
/// on every Unix that mio runs on. Elsewhere they are not met, and no spare is needed.
const EMFILE: i32 = 24;
const ENFILE: i32 = 23;

/// A socket that listens.
pub(crate) struct TcpListener {
    socket: mio::net::TcpListener,
    local_addr: SocketAddr,
    poller: Poller,
    registration: Registration,
    readiness: Arc<Readiness>,
    spare: Mutex<Spare>,
}

/// The spare descriptor: an unconnected socket, because that needs no file system.
struct Spare {
    /// None while even for it there is no room.
    socket: Option<Socket>,
    /// Whether the shortage has been reported, which is done once for each.
    reported: bool,
}

impl TcpListener {
    /// Listens on an address; with port 0, on a port that the system chooses. At most
    /// `backlog` connections wait to be accepted.
    ///
    /// An IPv6 address stands for itself alone, and never for IPv4, too, whatever the
    /// system's default.
    pub(crate) fn bind(poller: &Poller, addr: SocketAddr, backlog: i32) -> io::Result<TcpListener> {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
        // On Unix it lets a node that starts again have its port while connections of its
        // earlier life linger. Elsewhere it would let two programs have the same port.
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        if addr.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&addr.into())?;
        socket.listen(backlog)?;
        let mut socket = mio::net::TcpListener::from_std(socket.into());
        let local_addr = socket.local_addr()?;
        let spare = Mutex::new(Spare { socket: Some(Spare::open()?), reported: false });
        let readiness = Arc::new(Readiness::default());
        let registration = poller.register(&mut socket, Interest::READABLE, readiness.clone())?;
        let poller = poller.clone();
        Ok(TcpListener { socket, local_addr, poller, registration, readiness, spare })
    }

    /// The address on which it listens.
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The next connection. After an error the listener goes on: the caller waits a
    /// moment, so that it does not spin where the error stays, and calls again.
    pub(crate) async fn accept(&self) -> io::Result<TcpStream> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// The same for who waits for several things at once.
    pub(crate) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<TcpStream>> {
        self.readiness.poll_io(cx, Direction::Read, || self.try_accept())
    }

    fn try_accept(&self) -> io::Result<TcpStream> {
        let mut latest = None;
        for _ in 0..DISCARDED_MAX {
            let error = match self.socket.accept() {
                Ok((socket, peer_addr)) => {
                    self.spare.lock().reported = false;
                    return TcpStream::register(&self.poller, socket, peer_addr);
                }
                Err(error) => error,
            };
            match error.raw_os_error() {
                Some(EMFILE | ENFILE) if cfg!(unix) => self.discard(&error)?,
                // The peer had gone before its turn came.
                _ if error.kind() == io::ErrorKind::ConnectionAborted => {}
                _ => return Err(error),
            }
            latest = Some(error);
        }
        Err(latest.expect("each turn of the loop that does not return has an error"))
    }

    /// Closes the connection that is next, with the help of the spare descriptor.
    fn discard(&self, error: &io::Error) -> io::Result<()> {
        let mut spare = self.spare.lock();
        if !spare.reported {
            spare.reported = true;
            let addr = self.local_addr;
            tracing::error!(%addr, %error, "connections are closed as soon as they come");
        }
        spare.socket = None;
        let discarded = self.socket.accept();
        let result = discarded.map(drop);
        spare.socket = Spare::open().ok();
        result
    }
}

impl Drop for TcpListener {
    fn drop(&mut self) {
        self.poller.deregister(&mut self.socket, self.registration);
    }
}

impl Spare {
    fn open() -> io::Result<Socket> {
        Socket::new(Domain::IPV4, Type::STREAM, None)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;
    use std::process::Command;

    use super::*;
    use crate::io::testing::block_on;

    fn listen(poller: &Poller) -> TcpListener {
        TcpListener::bind(poller, "127.0.0.1:0".parse().unwrap(), 8).unwrap()
    }

    #[test]
    fn accepts_one_after_the_other() {
        let poller = Poller::new().unwrap();
        let listener = listen(&poller);
        for _ in 0..3 {
            let client = std::net::TcpStream::connect(listener.local_addr()).unwrap();
            let server = block_on(&poller, listener.accept()).unwrap();
            assert_eq!(server.peer_addr(), client.local_addr().unwrap());
        }
    }

    /// IPv4 and IPv6 listen on the same port, side by side.
    #[test]
    fn an_ipv6_address_stands_for_itself() {
        let poller = Poller::new().unwrap();
        let Ok(six) = TcpListener::bind(&poller, "[::]:0".parse().unwrap(), 8) else {
            return println!("skipped: there is no IPv6 here");
        };
        let four = SocketAddr::from(([0, 0, 0, 0], six.local_addr().port()));
        TcpListener::bind(&poller, four, 8).unwrap();
    }

    #[test]
    fn a_port_that_is_taken() {
        let poller = Poller::new().unwrap();
        let listener = listen(&poller);
        let error = TcpListener::bind(&poller, listener.local_addr(), 8).err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }

    /// Runs itself again in an OS process that may have few descriptors only.
    #[test]
    #[cfg(unix)]
    fn without_descriptors_connections_are_closed_and_later_ones_served() {
        const INNER: &str = "FIKA_TEST_FEW_DESCRIPTORS";
        if std::env::var_os(INNER).is_some() {
            return run_out_of_descriptors();
        }
        let name = "without_descriptors_connections_are_closed_and_later_ones_served";
        let output = Command::new("sh")
            .args(["-c", r#"ulimit -n 64 && exec "$0" "$1" --test-threads=1"#])
            .arg(std::env::current_exe().unwrap())
            .arg(name)
            .env(INNER, "1")
            .output()
            .unwrap();
        let output = String::from_utf8_lossy(&output.stdout);
        assert!(output.contains("1 passed"), "{output}");
    }

    fn run_out_of_descriptors() {
        let poller = Poller::new().unwrap();
        let listener = listen(&poller);
        let mut early = [(); 3].map(|()| {
            let client = std::net::TcpStream::connect(listener.local_addr()).unwrap();
            client.set_nonblocking(false).unwrap();
            client
        });
        let mut files = Vec::new();
        while let Ok(file) = File::open("/dev/null") {
            files.push(file);
        }
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(listener.poll_accept(&mut cx).is_pending(), "all of them have been closed");
        for client in &mut early {
            assert_eq!(client.read(&mut [0]).unwrap(), 0);
        }
        assert!(listener.spare.lock().socket.is_some(), "there is a spare one again");
        assert!(listener.spare.lock().reported);

        files.clear();
        let _client = std::net::TcpStream::connect(listener.local_addr()).unwrap();
        block_on(&poller, listener.accept()).unwrap();
        assert!(!listener.spare.lock().reported, "the next shortage is reported again");
    }
}
