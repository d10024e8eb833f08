//! Listening sockets of any network, for futures.

#[cfg(test)]
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::network::{Listener, Network};
use super::readiness::{Direction, Readiness};
use super::stream::Stream;

/// Accepts connections.
pub(crate) struct Acceptor {
    listener: Box<dyn Listener>,
    /// The listener's handler.
    readiness: Arc<Readiness>,
}

impl Acceptor {
    /// Listens on an address, or with port 0 on a port that the network chooses. About `backlog`
    /// connections can wait to be accepted.
    pub(crate) fn listen(
        network: &dyn Network,
        addr: SocketAddr,
        backlog: u32,
    ) -> io::Result<Acceptor> {
        let listener = network.listen(addr, backlog)?;
        let readiness = Arc::new(Readiness::default());
        listener.set_handler(readiness.clone());
        Ok(Acceptor { listener, readiness })
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.listener.local_addr()
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Stream>> {
        let accepted = self.readiness.poll_io(cx, Direction::Read, || self.listener.try_accept());
        accepted.map_ok(Stream::new)
    }
}

/// Accepts the connections of one or more listeners.
pub(crate) struct Acceptors {
    listeners: Vec<Acceptor>,
    /// The listener that was tried last. Listeners take turns, so a flood at one does not starve
    /// the others.
    turn: usize,
}

impl From<Vec<Acceptor>> for Acceptors {
    fn from(listeners: Vec<Acceptor>) -> Acceptors {
        Acceptors { listeners, turn: 0 }
    }
}

impl Acceptors {
    /// Returns the address of the first listener.
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.listeners[0].local_addr()
    }

    #[cfg(test)]
    pub(crate) async fn accept(&mut self) -> io::Result<Stream> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// Polls for the next connection. The listeners continue after an error. The caller waits a
    /// moment before it polls again, so that it does not spin if the error persists.
    pub(crate) fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Stream>> {
        for _ in 0..self.listeners.len() {
            self.turn = (self.turn + 1) % self.listeners.len();
            if let Poll::Ready(result) = self.listeners[self.turn].poll_accept(cx) {
                return Poll::Ready(result);
            }
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::Poller;
    use crate::io::testing::block_on;

    #[test]
    fn accepts_connections_one_at_a_time() {
        let poller = Poller::new().unwrap();
        let any = "127.0.0.1:0".parse().unwrap();
        let listeners = [(); 3].map(|()| Acceptor::listen(&poller, any, 8).unwrap());
        let addrs = listeners.each_ref().map(Acceptor::local_addr);
        let mut acceptors = Acceptors::from(Vec::from(listeners));
        for addr in [0, 0, 2, 1, 1].map(|n| addrs[n]) {
            let client = std::net::TcpStream::connect(addr).unwrap();
            let server = block_on(&poller, acceptors.accept()).unwrap();
            assert_eq!(server.peer_addr(), client.local_addr().unwrap());
        }
    }

    /// A flood at one listener leaves every other turn to the second listener.
    #[test]
    fn listeners_take_turns() {
        let poller = Poller::new().unwrap();
        let any = "127.0.0.1:0".parse().unwrap();
        let listeners = [(); 2].map(|()| Acceptor::listen(&poller, any, 8).unwrap());
        let [crowded, quiet] = listeners.each_ref().map(Acceptor::local_addr);
        let mut acceptors = Acceptors::from(Vec::from(listeners));
        let connect = |addr| std::net::TcpStream::connect(addr).unwrap();
        let _crowd = [(); 5].map(|()| connect(crowded));
        let client = connect(quiet);
        let peers = [(); 2].map(|()| block_on(&poller, acceptors.accept()).unwrap().peer_addr());
        assert!(peers.contains(&client.local_addr().unwrap()), "{peers:?}");
    }
}
