//! How connections are made: listeners, attempts to connect, and their results.

use std::collections::VecDeque;
use std::io::{ErrorKind, Result};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use fika_net::SocketHandler;

use super::connection::{Connection, End, Stage};
use super::hosts::HostId;
use super::wires::{Arrival, LifeId, Listening, State, Tell};

/// The time after which a host sends the first packet of a connection again. It doubles with each
/// try.
const KNOCK_AGAIN: Duration = Duration::from_secs(1);

/// The number of times that the first packet is sent before connecting fails.
const KNOCKS_MAX: u32 = 7;

impl State {
    pub(super) fn connect(&mut self, life: LifeId, from: HostId, addr: SocketAddr) -> Result<u64> {
        let Some(to) = self.hosts.of_ip(from, addr.ip()) else {
            return Err(ErrorKind::HostUnreachable.into());
        };
        let Some(ip) = self.hosts.source(from, addr.ip()) else {
            return Err(ErrorKind::NetworkUnreachable.into());
        };
        let local = SocketAddr::new(ip, self.hosts.next_port(from));
        let near = End::new(life, from, local, addr);
        // The owner is known when a program accepts the connection.
        let mut far = End::new(life, to, addr, local);
        far.is_dropped = true;
        self.last_id += 1;
        let id = self.last_id;
        self.connections.insert(id, Connection { ends: [near, far], tries: 0 });
        self.send_knock(id);
        Ok(id)
    }

    fn send_knock(&mut self, id: u64) {
        let Some(connection) = self.connections.get(&id) else { return };
        let [near, far] = &connection.ends;
        let (from, to) = (near.host, far.host);
        let time = self.now + self.latency(from, to);
        self.at(time, Arrival::Knock(id));
    }

    pub(super) fn knock(&mut self, id: u64) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let [near, far] = &connection.ends;
        let (from, to, addr) = (near.host, far.host, far.local);
        if near.is_dropped || near.stage != Stage::Connecting {
            self.forget_if_over(id);
            return;
        }
        connection.tries += 1;
        let tries = connection.tries;
        let is_cut = self.hosts.is_cut(from, to) || self.hosts.is_cut(to, from);
        let unheard = is_cut || self.hosts.is_off(to) || (self.hosts.is_dark(addr) && from != to);
        let is_full = self.hosts.is_full(to) && from != to;
        let has_room =
            |of: &mut Listening| (of.life, !is_full && of.waiting.len() < of.backlog.max(1));
        let listening = self.listener_of(to, addr).map(has_room);
        let refused = listening.is_none();
        match listening {
            _ if unheard => return self.knock_again(id, tries),
            Some((_, false)) => return self.knock_again(id, tries),
            Some((life, true)) => {
                let far = self.end(id, 1).expect("looked up before, under this lock");
                far.life = life;
                far.stage = Stage::Open;
                far.is_dropped = false;
                self.wait_in_listener(to, addr, id);
            }
            None => {}
        }
        let time = self.now + self.latency(to, from);
        self.at(time, Arrival::Answer { connection: id, refused });
    }

    fn knock_again(&mut self, id: u64, tries: u32) {
        if tries >= KNOCKS_MAX {
            self.note(id, 0, "has tried long enough to connect to");
            return self.breaks(id, 0, ErrorKind::TimedOut);
        }
        let wait = (KNOCK_AGAIN * 2_u32.pow(tries - 1)).as_nanos() as u64;
        let time = self.now + wait;
        self.at(time, Arrival::Knock(id));
    }

    fn listener_of(&mut self, host: HostId, addr: SocketAddr) -> Option<&mut Listening> {
        let any = SocketAddr::new(unspecified(addr.ip()), addr.port());
        let key = if self.listeners.contains_key(&(host, addr)) { addr } else { any };
        self.listeners.get_mut(&(host, key))
    }

    fn wait_in_listener(&mut self, host: HostId, addr: SocketAddr, id: u64) {
        let listening = self.listener_of(host, addr).expect("looked up before, under this lock");
        listening.waiting.push_back(id);
        let (life, handler) = (listening.life, listening.handler.clone());
        if let Some(handler) = handler {
            self.told.push_back(Tell { life, handler, readable: true, writable: false });
        }
    }

    pub(super) fn answer(&mut self, id: u64, refused: bool) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let near = &mut connection.ends[0];
        if near.stage != Stage::Connecting {
            return;
        }
        if near.is_dropped {
            // The host has no such connection any more.
            return self.send_reset(id, 0);
        }
        self.note(id, 0, if refused { "is refused by" } else { "is connected to" });
        let Some(near) = self.end(id, 0) else { return };
        if refused {
            return self.breaks(id, 0, ErrorKind::ConnectionRefused);
        }
        near.stage = Stage::Open;
        self.tell(id, 0, true, true);
    }

    pub(super) fn listen(
        &mut self,
        life: LifeId,
        host: HostId,
        addr: SocketAddr,
        backlog: usize,
    ) -> Result<SocketAddr> {
        let ip = addr.ip();
        if !(ip.is_unspecified() || ip.is_loopback() || self.hosts.ips(host).contains(&ip)) {
            return Err(ErrorKind::AddrNotAvailable.into());
        }
        let port = if addr.port() == 0 { self.hosts.next_port(host) } else { addr.port() };
        let addr = SocketAddr::new(ip, port);
        let taken = |(of, other): &(HostId, SocketAddr)| {
            let any = unspecified(ip);
            let same_ip = other.ip() == ip
                || (unspecified(other.ip()) == any && [ip, other.ip()].contains(&any));
            *of == host && other.port() == port && same_ip
        };
        if self.listeners.keys().any(taken) {
            return Err(ErrorKind::AddrInUse.into());
        }
        let listening = Listening { life, backlog, waiting: VecDeque::new(), handler: None };
        self.listeners.insert((host, addr), listening);
        Ok(addr)
    }

    pub(super) fn accept(&mut self, host: HostId, addr: SocketAddr) -> Result<u64> {
        let listening = self.listeners.get_mut(&(host, addr));
        let id = listening.and_then(|of| of.waiting.pop_front());
        id.ok_or_else(|| ErrorKind::WouldBlock.into())
    }

    pub(super) fn set_listener(
        &mut self,
        host: HostId,
        addr: SocketAddr,
        to: Arc<dyn SocketHandler>,
    ) {
        if let Some(listening) = self.listeners.get_mut(&(host, addr)) {
            listening.handler = Some(to);
        }
    }

    /// Closes a listener, and the connections that wait to be accepted.
    pub(super) fn unlisten(
        &mut self,
        host: HostId,
        addr: SocketAddr,
    ) -> Option<Arc<dyn SocketHandler>> {
        let listening = self.listeners.remove(&(host, addr))?;
        for id in listening.waiting {
            self.reset(id, 1);
        }
        listening.handler
    }
}

/// Returns the address that stands for all addresses of the family of `ip`.
fn unspecified(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}
