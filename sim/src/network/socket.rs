//! The network and the sockets of one life of a node.

use std::io::{ErrorKind, Result};
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::sync::Arc;

use fika_net::{HostIps, Listener, Network, Socket, SocketHandler};

use super::connection::Side;
use super::hosts::HostId;
use super::wires::{LifeId, Wires};

/// The network as one life of a node sees it.
pub(crate) struct LifeNetwork {
    pub(crate) wires: Arc<Wires>,
    pub(crate) life: LifeId,
    pub(crate) host: HostId,
}

struct SimSocket {
    wires: Arc<Wires>,
    connection: u64,
    side: Side,
    local: SocketAddr,
    peer: SocketAddr,
}

struct SimListener {
    wires: Arc<Wires>,
    host: HostId,
    addr: SocketAddr,
}

fn socket(wires: &Arc<Wires>, connection: u64, side: Side) -> Result<Box<dyn Socket>> {
    let mut state = wires.lock();
    let Some(end) = state.end(connection, side) else {
        return Err(ErrorKind::ConnectionAborted.into());
    };
    let (local, peer) = (end.local, end.peer);
    drop(state);
    Ok(Box::new(SimSocket { wires: wires.clone(), connection, side, local, peer }))
}

impl Network for LifeNetwork {
    fn connect(&self, addr: SocketAddr) -> Result<Box<dyn Socket>> {
        let id = self.wires.lock().connect(self.life, self.host, addr)?;
        socket(&self.wires, id, 0)
    }

    fn listen(&self, addr: SocketAddr, backlog: u32) -> Result<Box<dyn Listener>> {
        let addr = self.wires.lock().listen(self.life, self.host, addr, backlog as usize)?;
        Ok(Box::new(SimListener { wires: self.wires.clone(), host: self.host, addr }))
    }

    fn host_ips<'a>(&'a self, host: &'a str) -> HostIps<'a> {
        let hosts = &self.wires.lock().hosts;
        let found = hosts.find(host).map(|host| hosts.ips(host).to_vec());
        Box::pin(async move { found.ok_or_else(|| ErrorKind::NotFound.into()) })
    }

    fn own_ips(&self) -> Result<Vec<IpAddr>> {
        Ok(self.wires.lock().hosts.ips(self.host).to_vec())
    }
}

impl Socket for SimSocket {
    fn connected(&self) -> Result<()> {
        match self.wires.lock().end(self.connection, self.side) {
            Some(end) => end.connected(),
            None => Err(ErrorKind::NotConnected.into()),
        }
    }

    fn try_read(&self, buf: &mut [u8]) -> Result<usize> {
        self.wires.lock().read(self.connection, self.side, buf)
    }

    fn try_write(&self, bytes: &[u8]) -> Result<usize> {
        self.wires.lock().write(self.connection, self.side, bytes)
    }

    fn shutdown(&self, how: Shutdown) -> Result<()> {
        self.wires.lock().shutdown(self.connection, self.side, how)
    }

    fn peer_addr(&self) -> SocketAddr {
        self.peer
    }

    fn local_addr(&self) -> Result<SocketAddr> {
        Ok(self.local)
    }

    fn set_handler(&self, handler: Arc<dyn SocketHandler>) {
        let mut state = self.wires.lock();
        let end = state.end(self.connection, self.side).filter(|end| !end.is_dropped);
        let old = match end {
            Some(end) => end.handler.replace(handler),
            None => Some(handler),
        };
        // A handler may own a socket, and dropping that socket takes this lock.
        drop(state);
        drop(old);
    }

    fn release_handler(&self) {
        let mut state = self.wires.lock();
        let old = state.end(self.connection, self.side).and_then(|end| end.handler.take());
        drop(state);
        drop(old);
    }
}

impl Drop for SimSocket {
    fn drop(&mut self) {
        let old = self.wires.lock().drop_end(self.connection, self.side);
        drop(old);
    }
}

impl Listener for SimListener {
    fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    fn try_accept(&self) -> Result<Box<dyn Socket>> {
        let id = self.wires.lock().accept(self.host, self.addr)?;
        socket(&self.wires, id, 1)
    }

    fn set_handler(&self, handler: Arc<dyn SocketHandler>) {
        self.wires.lock().set_listener(self.host, self.addr, handler);
    }
}

impl Drop for SimListener {
    fn drop(&mut self) {
        let old = self.wires.lock().unlisten(self.host, self.addr);
        drop(old);
    }
}
