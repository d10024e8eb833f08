//! TCP on a poller: [`Poller`] as a network, and its sockets. `tcp_listener` implements listening.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;

use fika_runtime::run_lookup;
use mio::Interest;
use socket2::SockRef;

use super::network::{HostIps, Listener, Network, Socket, SocketHandler};
use super::polled::Polled;
use super::poller::Poller;
use super::socket_options::SocketOptions;
use super::socket_owner;
use super::spare::descriptors_max;
use super::tcp_listener::TcpListener;
use crate::proto::epmd::is_local;

/// A connection over TCP.
pub(super) struct TcpSocket {
    socket: Polled<mio::net::TcpStream>,
    peer_addr: SocketAddr,
}

impl Network for Poller {
    fn connect(&self, addr: SocketAddr) -> io::Result<Box<dyn Socket>> {
        Ok(TcpSocket::register(self, mio::net::TcpStream::connect(addr)?, addr)?)
    }

    fn listen(&self, addr: SocketAddr, backlog: u32) -> io::Result<Box<dyn Listener>> {
        Ok(Box::new(TcpListener::bind(self, addr, backlog)?))
    }

    fn descriptors_max(&self) -> Option<usize> {
        descriptors_max()
    }

    fn host_ips<'a>(&'a self, host: &'a str) -> HostIps<'a> {
        let host = host.to_owned();
        Box::pin(async move {
            let found = run_lookup(move || {
                let addrs = (host.as_str(), 0).to_socket_addrs()?;
                let ips: Vec<IpAddr> = addrs.map(|addr| addr.ip()).collect();
                if ips.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(ips) }
            });
            let not_run = |reason| io::Error::other(format!("the look-up was not run: {reason}"));
            found.await.unwrap_or_else(|reason| Err(not_run(reason)))
        })
    }

    fn own_ips(&self) -> io::Result<Vec<IpAddr>> {
        let interfaces = if_addrs::get_if_addrs()?.into_iter();
        Ok(interfaces
            .filter(|it| !it.is_loopback() && !it.is_link_local())
            .map(|it| it.ip())
            .collect())
    }
}

impl TcpSocket {
    pub(super) fn register(
        poller: &Poller,
        socket: mio::net::TcpStream,
        peer_addr: SocketAddr,
    ) -> io::Result<Box<TcpSocket>> {
        if let Err(error) = socket.set_nodelay(true) {
            // The connection still works, only slower. If it has ended, reading will show it.
            tracing::debug!(%error, "small writes may wait for the answers to earlier ones");
        }
        let socket = Polled::new(poller, socket, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Box::new(TcpSocket { socket, peer_addr }))
    }
}

impl Socket for TcpSocket {
    fn connected(&self) -> io::Result<()> {
        if let Some(error) = self.socket.take_error()? {
            return Err(error);
        }
        match self.socket.peer_addr() {
            // The system may give the connecting socket a port of our own range on which no socket
            // listens. Then the socket is its own peer.
            Ok(peer) if self.socket.local_addr()? == peer => {
                Err(io::ErrorKind::ConnectionRefused.into())
            }
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                Err(io::ErrorKind::WouldBlock.into())
            }
            Err(error) => Err(error),
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
        self.socket.local_addr()
    }

    fn is_of_this_user(&self) -> bool {
        self.socket.local_addr().is_ok_and(|here| {
            is_local(self.peer_addr.ip(), here.ip())
                && socket_owner::is_this_user(self.peer_addr, here)
        })
    }

    fn set_options(&self, options: &SocketOptions) -> io::Result<()> {
        options.set_on(SockRef::from(&*self.socket))
    }

    fn options(&self) -> io::Result<SocketOptions> {
        SocketOptions::of(SockRef::from(&*self.socket))
    }

    fn set_handler(&self, handler: Arc<dyn SocketHandler>) {
        self.socket.set_handler(handler);
    }

    fn release_handler(&self) {
        self.socket.release_handler();
    }
}
