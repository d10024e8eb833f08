//! A listening socket of any network, for futures.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::network::{Listener, Network};
use super::readiness::{Direction, Readiness};
use super::stream::Stream;

/// Takes in connections.
pub(crate) struct Acceptor {
    listener: Box<dyn Listener>,
    /// Its handler.
    readiness: Arc<Readiness>,
}

impl Acceptor {
    /// Listens on an address; with port 0, on one that the network chooses. About `backlog`
    /// connections wait to be accepted.
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

    /// The address on which it listens.
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.listener.local_addr()
    }

    /// The next connection. After an error the listener goes on: the caller waits a
    /// moment, so that it does not spin where the error stays, and calls again.
    pub(crate) async fn accept(&self) -> io::Result<Stream> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// The same for who waits for several things at once.
    pub(crate) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Stream>> {
        let accepted = self.readiness.poll_io(cx, Direction::Read, || self.listener.try_accept());
        accepted.map_ok(Stream::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::Poller;
    use crate::io::testing::block_on;

    #[test]
    fn accepts_one_after_the_other() {
        let poller = Poller::new().unwrap();
        let acceptor = Acceptor::listen(&poller, "127.0.0.1:0".parse().unwrap(), 8).unwrap();
        for _ in 0..3 {
            let client = std::net::TcpStream::connect(acceptor.local_addr()).unwrap();
            let server = block_on(&poller, acceptor.accept()).unwrap();
            assert_eq!(server.peer_addr(), client.local_addr().unwrap());
        }
    }
}
