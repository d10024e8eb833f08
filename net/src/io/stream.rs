//! A connection over any network, used by futures or by a handler.
//!
//! The futures need no particular runtime and have no time limit: a caller that must not wait
//! forever sets its runtime's timeout. Names are not resolved here either. All futures are
//! cancel-safe. If a `write_all` is dropped, a part may have been written.
//!
//! Invariant: a stream is used either by its futures or, after [`Stream::set_handler`], by its
//! handler with `try_read` and `try_write`.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;

use bytes::BytesMut;

use super::network::{Network, Socket, SocketHandler};
use super::readiness::{Direction, Readiness};
use super::socket_options::SocketOptions;

/// A connection.
pub(crate) struct Stream {
    socket: Box<dyn Socket>,
    /// The socket's handler, until `set_handler` sets another.
    readiness: Arc<Readiness>,
}

impl Stream {
    pub(crate) async fn connect(network: &dyn Network, addr: SocketAddr) -> io::Result<Stream> {
        let stream = Stream::new(network.connect(addr)?);
        stream.readiness.io(Direction::Write, || stream.socket.connected()).await?;
        Ok(stream)
    }

    pub(super) fn new(socket: Box<dyn Socket>) -> Stream {
        let readiness = Arc::new(Readiness::default());
        socket.set_handler(readiness.clone());
        Stream { socket, readiness }
    }

    /// Reads the available bytes, and waits until there are some. 0 means the end of the stream.
    pub(crate) async fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.readiness.io(Direction::Read, || self.try_read(buf)).await
    }

    /// Reads up to a KiB to the end of `received`, and waits until there are bytes. 0 means the end
    /// of the stream. Holds no buffer while it waits.
    pub(crate) async fn read_to(&self, received: &mut BytesMut) -> io::Result<usize> {
        let read = || {
            let mut buffer = [0; 1 << 10];
            let read = self.try_read(&mut buffer)?;
            received.extend_from_slice(&buffer[..read]);
            Ok(read)
        };
        self.readiness.io(Direction::Read, read).await
    }

    pub(crate) async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.readiness.io(Direction::Write, || self.try_write(bytes)).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => bytes = &bytes[written..],
            }
        }
        Ok(())
    }

    /// Returns whether the program at the other end is known to run as this user or as root.
    pub(crate) fn is_of_this_user(&self) -> bool {
        self.socket.is_of_this_user()
    }

    /// Reads the available bytes, without waiting.
    pub(crate) fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.socket.try_read(buf)
    }

    /// Writes as much as there is room for, without waiting.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.try_write(bytes)
    }

    /// Reads the available bytes into several buffers, without waiting.
    pub(crate) fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.socket.try_read_vectored(bufs)
    }

    /// Writes as much of several buffers as there is room for, without waiting.
    pub(crate) fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.socket.try_write_vectored(bufs)
    }

    /// From now on, calls `handler` in the driver's own turn instead of waking futures. Bytes that
    /// arrived before are not reported again, so the caller then calls `handler.ready(true, true)`
    /// once.
    ///
    /// The network keeps the handler alive, even if the handler owns this stream, until
    /// [`release_handler`](Stream::release_handler) or the stream's end.
    pub(crate) fn set_handler(&self, handler: Arc<dyn SocketHandler>) {
        self.socket.set_handler(handler);
    }

    /// Removes the handler. No handler or future is notified about this socket again.
    pub(crate) fn release_handler(&self) {
        self.socket.release_handler();
    }

    pub(crate) fn set_options(&self, options: &SocketOptions) -> io::Result<()> {
        self.socket.set_options(options)
    }

    pub(crate) fn options(&self) -> io::Result<SocketOptions> {
        self.socket.options()
    }

    /// Returns the address at the other end.
    pub(crate) fn peer_addr(&self) -> SocketAddr {
        self.socket.peer_addr()
    }

    /// Returns the address at this end.
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Returns the channel binding; see [`Socket::channel_binding`].
    pub(crate) fn channel_binding(&self) -> Option<[u8; 32]> {
        self.socket.channel_binding()
    }

    /// Closes one direction or both, and wakes the tasks that wait in it.
    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.socket.shutdown(how)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use fika_runtime::Driver;
    use parking_lot::Mutex;

    use super::*;
    use crate::io::testing::{Tasks, block_on, block_on_beside};
    use crate::io::{Acceptor, Acceptors, Poller};

    fn pair(poller: &Poller) -> (Stream, Stream) {
        block_on(poller, async {
            let any = "127.0.0.1:0".parse().unwrap();
            let listener = Acceptor::listen(poller, any, 8).unwrap();
            let client = Stream::connect(poller, listener.local_addr()).await.unwrap();
            let server = Acceptors::from(vec![listener]).accept().await.unwrap();
            assert_eq!(client.local_addr().unwrap(), server.peer_addr());
            (client, server)
        })
    }

    /// Writes far more than the buffers of both sockets hold.
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
    fn connecting_without_a_listener_fails() {
        let poller = Poller::new().unwrap();
        let any = "127.0.0.1:0".parse().unwrap();
        let addr = Acceptor::listen(&poller, any, 1).unwrap().local_addr();
        let error = block_on(&poller, Stream::connect(&poller, addr)).err().unwrap();
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

    /// A handler that owns its stream, and reads in the poller's turn.
    struct Direct {
        stream: Stream,
        received: Mutex<Vec<u8>>,
        ends: AtomicUsize,
    }

    impl SocketHandler for Direct {
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
    fn a_handler_gets_events_from_before_and_after_the_swap() {
        let poller = Poller::new().unwrap();
        let (client, server) = pair(&poller);
        block_on(&poller, client.write_all(b"early bird")).unwrap();
        // This event goes to the handler for futures.
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
        assert_eq!(Arc::strong_count(&direct), 1, "the poller has dropped it");
    }
}
