//! A transport of the tests, around another one. Every byte goes through it, including the
//! bytes of the port mapper.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fika::net::transport::{HostIps, Listener, Network, Socket, SocketHandler};

/// The effect of the transport on the bytes.
#[derive(Clone)]
pub(crate) enum Way {
    /// Accepts and returns few bytes at a time, and changes each on its way.
    Scrambled,
    /// Changes nothing, until it is given a reason to break.
    Breaking(Arc<Mutex<Option<String>>>),
    /// Changes nothing, but panics when it is asked for a connection once this is true.
    Deaf(Arc<AtomicBool>),
    /// Changes nothing, but panics in the named method once this is true.
    Panicking(&'static str, Arc<AtomicBool>),
    /// Changes nothing, but accepts no bytes once this is true, and does not report it.
    Mute(Arc<AtomicBool>),
    /// Changes nothing, but delays a thread that has written the last frame of a handshake. The
    /// number counts these delays: every other one is long.
    Dawdling(Arc<AtomicUsize>),
    /// Changes nothing, but can't write the last frame of a handshake while this is true.
    NoProof(Arc<AtomicBool>),
}

impl Way {
    fn may_panic(&self, method: &str) {
        if let Way::Panicking(panics, now) = self {
            assert!(*panics != method || !now.load(Ordering::SeqCst), "{method} of a transport");
        }
    }
}

/// The other transport, one of its listeners, or one of its sockets.
pub(crate) struct Wrapped<T>(pub(crate) T, pub(crate) Way);

/// More than enough time for the peer to answer, to close, and to connect again.
pub(crate) const DAWDLES: [Duration; 2] = [Duration::from_millis(150), Duration::from_millis(30)];

/// The kind of a handshake's last frame.
const PROOF_R: u8 = 0xf4;

/// Returns whether these bytes are the last frame of a handshake.
fn is_last_frame(bytes: &[u8]) -> bool {
    matches!(bytes, [0, 33, PROOF_R, ..])
}

const KEY: u8 = 0x5a;

/// So few bytes that a frame's head comes in pieces.
const READ_BYTES: usize = 3;
const WRITE_BYTES: usize = 1000;

impl<N: Network> Network for Wrapped<N> {
    fn connect(&self, addr: SocketAddr) -> io::Result<Box<dyn Socket>> {
        Ok(Box::new(Wrapped(self.0.connect(addr)?, self.1.clone())))
    }

    fn listen(&self, addr: SocketAddr, backlog: u32) -> io::Result<Box<dyn Listener>> {
        Ok(Box::new(Wrapped(self.0.listen(addr, backlog)?, self.1.clone())))
    }

    fn host_ips<'a>(&'a self, host: &'a str) -> HostIps<'a> {
        self.0.host_ips(host)
    }
}

impl Listener for Wrapped<Box<dyn Listener>> {
    fn local_addr(&self) -> SocketAddr {
        self.0.local_addr()
    }

    fn try_accept(&self) -> io::Result<Box<dyn Socket>> {
        if let Way::Deaf(is_deaf) = &self.1 {
            assert!(!is_deaf.load(Ordering::SeqCst), "the transport accepts no more connections");
        }
        Ok(Box::new(Wrapped(self.0.try_accept()?, self.1.clone())))
    }

    fn set_handler(&self, handler: Arc<dyn SocketHandler>) {
        self.0.set_handler(handler);
    }
}

impl Socket for Wrapped<Box<dyn Socket>> {
    fn connected(&self) -> io::Result<()> {
        self.0.connected()
    }

    fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.1.may_panic("try_read");
        match &self.1 {
            Way::Scrambled => {
                let most = buf.len().min(READ_BYTES);
                let read = self.0.try_read(&mut buf[..most])?;
                buf[..read].iter_mut().for_each(|byte| *byte ^= KEY);
                Ok(read)
            }
            Way::Breaking(reason) => match &*reason.lock().expect("nobody panics with it") {
                Some(reason) => Err(io::Error::other(reason.clone())),
                None => self.0.try_read(buf),
            },
            _ => self.0.try_read(buf),
        }
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.1.may_panic("try_write");
        match &self.1 {
            Way::Scrambled => {
                let most = bytes.len().min(WRITE_BYTES);
                let scrambled: Vec<u8> = bytes[..most].iter().map(|byte| byte ^ KEY).collect();
                self.0.try_write(&scrambled)
            }
            Way::Dawdling(count) => {
                let written = self.0.try_write(bytes);
                if is_last_frame(bytes) {
                    #[allow(clippy::disallowed_methods, reason = "it is what is tested")]
                    std::thread::sleep(DAWDLES[count.fetch_add(1, Ordering::SeqCst) % 2]);
                }
                written
            }
            Way::NoProof(now) if is_last_frame(bytes) && now.load(Ordering::SeqCst) => {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            Way::Mute(is_mute) if is_mute.load(Ordering::SeqCst) => {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            _ => self.0.try_write(bytes),
        }
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.0.shutdown(how)
    }

    fn peer_addr(&self) -> SocketAddr {
        self.0.peer_addr()
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Reports more events than have happened, as is allowed.
    fn set_handler(&self, handler: Arc<dyn SocketHandler>) {
        self.0.set_handler(Arc::new(Eager(handler)));
    }

    fn release_handler(&self) {
        self.0.release_handler();
    }
}

struct Eager(Arc<dyn SocketHandler>);

impl SocketHandler for Eager {
    fn ready(&self, readable: bool, writable: bool) {
        self.0.ready(readable, writable);
        self.0.ready(true, true);
    }
}
