//! A transport of one's own, around another: what a node asks of it is what `Network` says, and
//! so every byte goes through it, the port mapper's included.

mod support;

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;

use fika::prelude::*;
use fika::{Handler, HostIp, Listener, Network, NodeBuilder, Poller, Socket};
use support::{Place, TestNode};

/// Takes and gives few bytes at a time, and changes each on its way.
struct Scrambled<T>(T);

const KEY: u8 = 0x5a;

/// Few enough for a frame's head to come in pieces.
const READ_BYTES: usize = 3;
const WRITE_BYTES: usize = 1000;

impl<N: Network> Network for Scrambled<N> {
    fn connect(&self, addr: SocketAddr) -> io::Result<Box<dyn Socket>> {
        Ok(Box::new(Scrambled(self.0.connect(addr)?)))
    }

    fn listen(&self, addr: SocketAddr, backlog: u32) -> io::Result<Box<dyn Listener>> {
        Ok(Box::new(Scrambled(self.0.listen(addr, backlog)?)))
    }

    fn host_ip<'a>(&'a self, host: &'a str) -> HostIp<'a> {
        self.0.host_ip(host)
    }
}

impl Listener for Scrambled<Box<dyn Listener>> {
    fn local_addr(&self) -> SocketAddr {
        self.0.local_addr()
    }

    fn try_accept(&self) -> io::Result<Box<dyn Socket>> {
        Ok(Box::new(Scrambled(self.0.try_accept()?)))
    }

    fn set_handler(&self, handler: Arc<dyn Handler>) {
        self.0.set_handler(handler);
    }
}

impl Socket for Scrambled<Box<dyn Socket>> {
    fn connected(&self) -> io::Result<()> {
        self.0.connected()
    }

    fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        let most = buf.len().min(READ_BYTES);
        let read = self.0.try_read(&mut buf[..most])?;
        buf[..read].iter_mut().for_each(|byte| *byte ^= KEY);
        Ok(read)
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let most = bytes.len().min(WRITE_BYTES);
        let scrambled: Vec<u8> = bytes[..most].iter().map(|byte| byte ^ KEY).collect();
        self.0.try_write(&scrambled)
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

    /// Tells more than has happened, as is allowed.
    fn set_handler(&self, handler: Arc<dyn Handler>) {
        self.0.set_handler(Arc::new(Eager(handler)));
    }

    fn release_handler(&self) {
        self.0.release_handler();
    }
}

struct Eager(Arc<dyn Handler>);

impl Handler for Eager {
    fn ready(&self, readable: bool, writable: bool) {
        self.0.ready(readable, writable);
        self.0.ready(true, true);
    }
}

fn scrambled(builder: NodeBuilder) -> NodeBuilder {
    builder.network(|poller: Poller| Ok(Scrambled(poller)))
}

#[remote]
async fn echo() {
    loop {
        receive! { (from, bytes): (Pid, Vec<u8>) => send(from, bytes) }
    }
}

#[test]
fn a_cluster_over_a_transport_of_ones_own() {
    let place = Place::new();
    let [a, _b, c] = ["a", "b", "c"].map(|alive| TestNode::of(scrambled(place.builder(alive))));
    let peer: NodeName = place.name("b").parse().unwrap();
    let to = peer.clone();
    a.block_on(async move {
        let there = spawn_on(to, echo()).await;
        let monitor = monitor(there);
        for size in [0_usize, 1, 1000, 200_000] {
            let bytes: Vec<u8> = (0..size).map(|n| n as u8).collect();
            send(there, (self_pid(), bytes.clone()));
            receive! { answer: Vec<u8> => assert!(answer == bytes, "{size}") }
        }
        exit_process(there, ExitReason::Shutdown);
        receive! {
            Down { monitor: m, reason, .. } => {
                assert_eq!((m, reason), (monitor, ExitReason::Shutdown));
            }
        }
    });
    let to = peer.clone();
    c.block_on(async move { assert_eq!(ping(to).await, PingAnswer::Pong) });
    support::until("the mesh is full", || a.nodes().len() == 2 && c.nodes().len() == 2);
    // Who speaks TCP as it is understands nobody here, not even the port mapper.
    assert!(place.builder("d").build().is_err());
    assert_eq!(a.nodes().len(), 2);
}
