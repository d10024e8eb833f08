//! The listening side of TCP.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;

use mio::Interest;
use socket2::{Domain, Protocol, SockRef, Type};

use super::network::{Listener, Socket, SocketHandler};
use super::polled::Polled;
use super::poller::Poller;
use super::spare::Spare;
use super::tcp::TcpSocket;

/// A socket that listens.
pub(super) struct TcpListener {
    socket: Polled<mio::net::TcpListener>,
    local_addr: SocketAddr,
    spare: Spare,
}

impl TcpListener {
    /// Listens on an address, or with port 0 on a port that the system chooses. At most `backlog`
    /// connections wait to be accepted.
    ///
    /// An IPv6 address never includes IPv4, whatever the system's default is.
    pub(super) fn bind(poller: &Poller, addr: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
        let domain = Domain::for_address(addr);
        let socket = socket2::Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        // On Unix, this lets a restarted node have its port while connections of its earlier life
        // linger. Elsewhere, it would let two programs have the same port.
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        if addr.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&addr.into())?;
        socket.listen(backlog.try_into().unwrap_or(i32::MAX))?;
        let socket = mio::net::TcpListener::from_std(socket.into());
        let local_addr = socket.local_addr()?;
        let socket = Polled::new(poller, socket, Interest::READABLE)?;
        Ok(TcpListener { socket, local_addr, spare: Spare::new()? })
    }
}

impl Listener for TcpListener {
    fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    fn try_accept(&self) -> io::Result<Box<dyn Socket>> {
        let (socket, peer_addr) = self.spare.accept(self.local_addr, || self.socket.accept())?;
        Ok(TcpSocket::register(self.socket.poller(), socket, peer_addr)?)
    }

    fn set_handler(&self, handler: Arc<dyn SocketHandler>) {
        self.socket.set_handler(handler);
    }
}

/// Shuts down the socket, since closing it does not always free the port: a program that another
/// thread is starting has a copy of all descriptors until it begins to run.
impl Drop for TcpListener {
    fn drop(&mut self) {
        // If a listener can't be shut down, there is no such copy.
        let _ = SockRef::from(&*self.socket).shutdown(Shutdown::Both);
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;
    use std::process::Command;

    use super::*;
    use crate::io::testing::while_programs_start;

    fn listen(poller: &Poller) -> TcpListener {
        TcpListener::bind(poller, "127.0.0.1:0".parse().unwrap(), 8).unwrap()
    }

    /// Returns whether no connection waits. On loopback, a connection waits as soon as it is made.
    fn is_empty(listener: &TcpListener) -> bool {
        listener.try_accept().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// IPv4 and IPv6 listen on the same port, independently.
    #[test]
    fn an_ipv6_listener_does_not_take_ipv4() {
        let poller = Poller::new().unwrap();
        let Ok(six) = TcpListener::bind(&poller, "[::]:0".parse().unwrap(), 8) else {
            return println!("skipped: there is no IPv6 here");
        };
        let four = SocketAddr::from(([0, 0, 0, 0], six.local_addr().port()));
        TcpListener::bind(&poller, four, 8).unwrap();
    }

    #[test]
    fn a_port_in_use_is_an_error() {
        let poller = Poller::new().unwrap();
        let listener = listen(&poller);
        let error = TcpListener::bind(&poller, listener.local_addr(), 8).err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }

    /// A port is free at once when its listener ends, even while programs are started, which have a
    /// copy of the socket for a moment.
    #[test]
    #[cfg(unix)]
    fn a_port_is_free_again_at_once() {
        let poller = Poller::new().unwrap();
        let addr = listen(&poller).local_addr();
        let failed = while_programs_start(2000, || TcpListener::bind(&poller, addr, 8));
        assert!(failed.is_none(), "{failed:?}");
    }

    /// Runs itself again in an OS process with few descriptors.
    #[test]
    #[cfg(unix)]
    fn without_descriptors_connections_are_closed_until_some_are_free() {
        const INNER: &str = "FIKA_TEST_FEW_DESCRIPTORS";
        if std::env::var_os(INNER).is_some() {
            return run_out_of_descriptors();
        }
        let name = "without_descriptors_connections_are_closed_until_some_are_free";
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
        assert!(is_empty(&listener), "all of them have been closed");
        for client in &mut early {
            assert_eq!(client.read(&mut [0]).unwrap(), 0);
        }
        assert!(listener.spare.is_there(), "there is a spare one again");
        assert!(listener.spare.is_reported());

        files.clear();
        let _client = std::net::TcpStream::connect(listener.local_addr()).unwrap();
        listener.try_accept().unwrap();
        assert!(!listener.spare.is_reported(), "the next shortage is reported again");
    }
}
