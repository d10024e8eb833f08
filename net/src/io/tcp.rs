//! TCP on a poller: a stream that futures read and write, or that a handler drives.
//!
//! The futures belong to no runtime and know no time: a caller that must not wait for
//! ever puts his runtime's timeout around them. Names are not resolved here, either.
//! All futures are cancel-safe; of a dropped `write_all`, a part may have been written.
//!
//! Invariants:
//!
//! 1. A socket is in the poller for as long as its stream lives, and no longer.
//! 2. A stream is driven either by its futures or, after [`TcpStream::set_handler`], by
//!    its handler with `try_read` and `try_write`.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;

use mio::Interest;

use crate::io::poller::{Handler, Poller, Registration};
use crate::io::readiness::{Direction, Readiness};

/// A connection.
pub(crate) struct TcpStream {
    socket: mio::net::TcpStream,
    peer_addr: SocketAddr,
    poller: Poller,
    registration: Registration,
    /// The poller's handler, until `set_handler` gives it another.
    readiness: Arc<Readiness>,
}

impl TcpStream {
    /// Connects.
    pub(crate) async fn connect(poller: &Poller, addr: SocketAddr) -> io::Result<TcpStream> {
        let stream = TcpStream::register(poller, mio::net::TcpStream::connect(addr)?, addr)?;
        stream.readiness.io(Direction::Write, || stream.connected()).await?;
        // A port of our own range on which nobody listens can be given to the connecting
        // socket itself, which then is its own peer.
        if stream.socket.local_addr()? == addr {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        Ok(stream)
    }

    /// Whether the connect has come to its end; `WouldBlock` while it has not.
    fn connected(&self) -> io::Result<()> {
        if let Some(error) = self.socket.take_error()? {
            return Err(error);
        }
        match self.socket.peer_addr() {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                Err(io::ErrorKind::WouldBlock.into())
            }
            result => result.map(|_| ()),
        }
    }

    pub(crate) fn register(
        poller: &Poller,
        mut socket: mio::net::TcpStream,
        peer_addr: SocketAddr,
    ) -> io::Result<TcpStream> {
        let readiness = Arc::new(Readiness::default());
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registration = poller.register(&mut socket, interest, readiness.clone())?;
        Ok(TcpStream { socket, peer_addr, poller: poller.clone(), registration, readiness })
    }

    /// Reads what is there, waiting until there is something. 0 is the end of the stream.
    pub(crate) async fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.readiness.io(Direction::Read, || self.try_read(buf)).await
    }

    /// Writes all of `bytes`.
    pub(crate) async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.readiness.io(Direction::Write, || self.try_write(bytes)).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => bytes = &bytes[written..],
            }
        }
        Ok(())
    }

    /// Reads what is there, without waiting.
    pub(crate) fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        (&self.socket).read(buf)
    }

    /// Writes what there is room for, without waiting.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        (&self.socket).write(bytes)
    }

    /// From now on `handler` is called in the poller's own turn, in place of waking
    /// futures. What arrived before the swap is not reported again: the caller calls
    /// `handler.ready(true, true)` once by hand after it.
    ///
    /// The poller keeps the handler alive, also one that owns this stream, until
    /// [`release_handler`](TcpStream::release_handler) or the stream's end.
    pub(crate) fn set_handler(&self, handler: Arc<dyn Handler>) {
        self.poller.set_handler(self.registration, handler);
    }

    /// Has the poller let go of the handler. Neither a handler nor a future hears of this
    /// socket again.
    pub(crate) fn release_handler(&self) {
        self.poller.release(self.registration);
    }

    /// The address at the other end.
    pub(crate) fn peer_addr(&self) -> SocketAddr {
        self.peer_addr
    }

    /// The address at this end.
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Whether small writes go out at once, and do not wait for the answer to earlier ones.
    pub(crate) fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.socket.set_nodelay(nodelay)
    }

    /// Closes one direction or both. Who waits in it is woken.
    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.socket.shutdown(how)
    }
}

impl Drop for TcpStream {
    fn drop(&mut self) {
        self.poller.deregister(&mut self.socket, self.registration);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use fika_runtime::Driver;
    use parking_lot::Mutex;

    use super::*;
    use crate::io::TcpListener;
    use crate::io::testing::{Tasks, block_on, block_on_beside};

    fn pair(poller: &Poller) -> (TcpStream, TcpStream) {
        block_on(poller, async {
            let any = "127.0.0.1:0".parse().unwrap();
            let listener = TcpListener::bind(poller, any, 8).unwrap();
            let client = TcpStream::connect(poller, listener.local_addr()).await.unwrap();
            let server = listener.accept().await.unwrap();
            assert_eq!(client.local_addr().unwrap(), server.peer_addr());
            (client, server)
        })
    }

    /// Far more than the buffers of both sockets hold.
    #[test]
    fn a_long_write_waits_for_its_reader() {
        const BYTES: usize = 32 << 20;
        let poller = Poller::new().unwrap();
        let (client, server) = pair(&poller);
        let tasks = Tasks::default();
        tasks.spawn(async move {
            client.write_all(&vec![7; BYTES]).await.unwrap();
        });
        let read = block_on_beside(&poller, &tasks, async {
            let (mut buf, mut total) = ([0; 65_536], 0);
            loop {
                match server.read(&mut buf).await.unwrap() {
                    0 => return total,
                    read => total += read,
                }
            }
        });
        assert_eq!(read, BYTES);
    }

    #[test]
    fn nobody_listens() {
        let poller = Poller::new().unwrap();
        let any = "127.0.0.1:0".parse().unwrap();
        let addr = TcpListener::bind(&poller, any, 1).unwrap().local_addr();
        let error = block_on(&poller, TcpStream::connect(&poller, addr)).err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn shutdown_wakes_the_reader_at_both_ends() {
        let poller = Poller::new().unwrap();
        let (client, server) = pair(&poller);
        let (client, tasks) = (Arc::new(client), Tasks::default());
        let closer = client.clone();
        tasks.spawn(async move {
            closer.shutdown(Shutdown::Both).unwrap();
        });
        block_on_beside(&poller, &tasks, async {
            assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
            assert_eq!(server.read(&mut [0]).await.unwrap(), 0);
        });
    }

    #[test]
    fn a_dropped_stream_leaves_the_poller() {
        let poller = Poller::new().unwrap();
        let (client, server) = pair(&poller);
        let readiness = server.readiness.clone();
        drop(server);
        assert_eq!(Arc::strong_count(&readiness), 1);
        assert_eq!(block_on(&poller, client.read(&mut [0])).unwrap(), 0);
    }

    /// What direct mode is made for: the handler owns the stream, and reads in the
    /// poller's turn.
    struct Direct {
        stream: TcpStream,
        received: Mutex<Vec<u8>>,
        ends: AtomicUsize,
    }

    impl Handler for Direct {
        fn ready(&self, _: bool, _: bool) {
            let mut buf = [0; 4];
            loop {
                match self.stream.try_read(&mut buf) {
                    Ok(0) => {
                        self.ends.fetch_add(1, Ordering::SeqCst);
                        return self.stream.release_handler();
                    }
                    Ok(read) => self.received.lock().extend(&buf[..read]),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }

    #[test]
    fn a_handler_sees_what_came_before_the_swap_and_after_it() {
        let poller = Poller::new().unwrap();
        let (client, server) = pair(&poller);
        block_on(&poller, client.write_all(b"early bird")).unwrap();
        // Its event goes to the futures' handler.
        block_on(&poller, server.read(&mut [0; 6])).unwrap();
        let (received, ends) = (Mutex::default(), AtomicUsize::new(0));
        let direct = Arc::new(Direct { stream: server, received, ends });
        direct.stream.set_handler(direct.clone());
        direct.ready(true, true);
        assert_eq!(*direct.received.lock(), b"bird");

        assert_eq!(client.try_write(b" late").unwrap(), 5);
        while direct.received.lock().len() < 9 {
            poller.park(None);
        }
        assert_eq!(*direct.received.lock(), b"bird late");

        drop(client);
        while direct.ends.load(Ordering::SeqCst) == 0 {
            poller.park(None);
        }
        assert_eq!(Arc::strong_count(&direct), 1, "the poller has let go of it");
    }
}
