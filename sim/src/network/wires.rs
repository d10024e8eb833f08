//! What is between the programs: connections, listeners, and packets under way.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::fmt::Write as _;
use std::io::{ErrorKind, Result};
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use fika_net::Handler;
use parking_lot::{Mutex, MutexGuard};

use super::connection::{Connection, End, Packet, Side, Stage};
use super::hosts::{HostId, Hosts};
use super::options::{Network, Reads};
use crate::env::Clock;
use crate::log::Log;
use crate::random::Random;

/// One life of a node of the simulation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct LifeId {
    pub(crate) node: usize,
    pub(crate) life: u32,
}

/// A handler that is to be told.
pub(crate) struct Tell {
    pub(crate) life: LifeId,
    pub(crate) handler: Arc<dyn Handler>,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
}

/// What happens at a time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Arrival {
    /// The first packet of a connection reaches the host that it goes to.
    Knock(u64),
    /// The answer to it comes back: the connection is made, or refused.
    Answer { connection: u64, refused: bool },
    /// The next packet of this end reaches the other.
    Packet(u64, Side),
    /// There is room for a write.
    Room(u64, Side),
}

/// How a host tries again to send what was lost; the time doubles with each try.
const RETRY: Duration = Duration::from_millis(200);
/// The same for the first packet of a connection, which is given up after so many tries.
const KNOCK_AGAIN: Duration = Duration::from_secs(1);
const KNOCKS_MAX: u32 = 7;

/// What is written arrives in pieces that take no longer than this, but for the smallest.
const PIECES_A_SECOND: u64 = 20;
/// What a packet carries at most, on Ethernet.
const SEGMENT_BYTES: usize = 1448;

pub(crate) struct Wires {
    clock: Arc<Clock>,
    state: Mutex<State>,
}

pub(crate) struct State {
    log: Arc<Log>,
    now: u64,
    random: Random,
    pub(crate) options: Network,
    pub(crate) hosts: Hosts,
    connections: BTreeMap<u64, Connection>,
    listeners: BTreeMap<(HostId, SocketAddr), Listening>,
    last_id: u64,
    due: BinaryHeap<Reverse<(u64, u64, Arrival)>>,
    sequence: u64,
    told: VecDeque<Tell>,
}

struct Listening {
    life: LifeId,
    backlog: usize,
    waiting: VecDeque<u64>,
    handler: Option<Arc<dyn Handler>>,
}

impl Wires {
    pub(crate) fn new(
        clock: Arc<Clock>,
        log: Arc<Log>,
        random: Random,
        options: Network,
    ) -> Arc<Wires> {
        let state = State {
            log,
            now: 0,
            random,
            options,
            hosts: Hosts::default(),
            connections: BTreeMap::new(),
            listeners: BTreeMap::new(),
            last_id: 0,
            due: BinaryHeap::new(),
            sequence: 0,
            told: VecDeque::new(),
        };
        Arc::new(Wires { clock, state: Mutex::new(state) })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock();
        state.now = self.clock.now();
        state
    }

    /// When the next thing happens.
    pub(crate) fn next_due(&self) -> Option<u64> {
        self.state.lock().due.peek().map(|Reverse((time, ..))| *time)
    }

    /// Lets everything happen whose time has come.
    pub(crate) fn arrive(&self) {
        let mut state = self.lock();
        while let Some(Reverse((time, _, arrival))) = state.due.peek().copied()
            && time <= state.now
        {
            state.due.pop();
            state.happens(arrival);
        }
    }

    /// The handlers that are to be told, in order.
    pub(crate) fn take_told(&self) -> VecDeque<Tell> {
        std::mem::take(&mut self.state.lock().told)
    }
}

impl State {
    fn at(&mut self, time: u64, arrival: Arrival) {
        self.sequence += 1;
        self.due.push(Reverse((time, self.sequence, arrival)));
    }

    fn latency(&mut self, from: HostId, to: HostId) -> u64 {
        let State { random, options, .. } = self;
        let range = if from == to {
            &options.local_latency
        } else if options.slow > 0 && random.in_1000(options.slow) {
            &options.slow_latency
        } else {
            &options.latency
        };
        random.within(range).as_nanos() as u64
    }

    fn tell(&mut self, id: u64, side: Side, readable: bool, writable: bool) {
        let Some(connection) = self.connections.get(&id) else { return };
        let end = &connection.ends[side];
        if let Some(handler) = end.handler.clone().filter(|_| !end.is_dropped) {
            self.told.push_back(Tell { life: end.life, handler, readable, writable });
        }
    }

    /// Something worth a line has happened to a connection, as this end sees it.
    fn note(&self, id: u64, side: Side, what: &str) {
        let Some(connection) = self.connections.get(&id) else { return };
        let [here, there] = [side, 1 - side].map(|side| &connection.ends[side]);
        self.log.add(&[6, id, side as u64], what, |line| {
            let port = here.local.port();
            line.of(self.hosts.name(here.host), format_args!("network :{port}"));
            let (host, port) = (self.hosts.name(there.host), here.peer.port());
            line.text.push_str(what);
            let _ = write!(line.text, " {host}:{port}");
        });
    }

    fn happens(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Knock(id) => self.knock(id),
            Arrival::Answer { connection, refused } => self.answer(connection, refused),
            Arrival::Packet(id, side) => self.packet(id, side),
            Arrival::Room(id, side) => self.tell(id, side, false, true),
        }
    }
}

/// Connecting.
impl State {
    pub(super) fn connect(&mut self, life: LifeId, from: HostId, addr: SocketAddr) -> Result<u64> {
        let Some(to) = self.hosts.of_ip(from, addr.ip()) else {
            return Err(ErrorKind::HostUnreachable.into());
        };
        let ip = if addr.ip().is_loopback() { addr.ip() } else { Hosts::ip(from) };
        let local = SocketAddr::new(ip, self.hosts.next_port(from));
        let near = End::new(life, from, local, addr);
        // Whose it is, is known when somebody accepts.
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

    fn knock(&mut self, id: u64) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let [near, far] = &connection.ends;
        let (from, to, addr) = (near.host, far.host, far.local);
        if near.is_dropped || near.stage != Stage::Connecting {
            self.forget_if_over(id);
            return;
        }
        connection.tries += 1;
        let tries = connection.tries;
        let unheard =
            self.hosts.is_cut(from, to) || self.hosts.is_cut(to, from) || self.hosts.is_off(to);
        let is_full = self.hosts.is_full(to) && from != to;
        let has_room =
            |of: &mut Listening| (of.life, !is_full && of.waiting.len() < of.backlog.max(1));
        let listening = self.listener_of(to, addr).map(has_room);
        let refused = listening.is_none();
        match listening {
            _ if unheard => return self.knock_again(id, tries),
            Some((_, false)) => return self.knock_again(id, tries),
            Some((life, true)) => {
                let far = self.end(id, 1).expect("it was there");
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
        let any = SocketAddr::new(IpAddr::from([0, 0, 0, 0]), addr.port());
        let key = if self.listeners.contains_key(&(host, addr)) { addr } else { any };
        self.listeners.get_mut(&(host, key))
    }

    fn wait_in_listener(&mut self, host: HostId, addr: SocketAddr, id: u64) {
        let listening = self.listener_of(host, addr).expect("it was there");
        listening.waiting.push_back(id);
        let (life, handler) = (listening.life, listening.handler.clone());
        if let Some(handler) = handler {
            self.told.push_back(Tell { life, handler, readable: true, writable: false });
        }
    }

    fn answer(&mut self, id: u64, refused: bool) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let near = &mut connection.ends[0];
        if near.stage != Stage::Connecting {
            return;
        }
        if near.is_dropped {
            // Its host knows of no such connection any more.
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
        if ip.is_ipv6() || !(ip.is_unspecified() || ip.is_loopback() || ip == Hosts::ip(host)) {
            return Err(ErrorKind::AddrNotAvailable.into());
        }
        let port = if addr.port() == 0 { self.hosts.next_port(host) } else { addr.port() };
        let addr = SocketAddr::new(ip, port);
        let taken = |(of, other): &(HostId, SocketAddr)| {
            let same_ip = other.ip() == ip || ip.is_unspecified() || other.ip().is_unspecified();
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

    pub(super) fn set_listener(&mut self, host: HostId, addr: SocketAddr, to: Arc<dyn Handler>) {
        if let Some(listening) = self.listeners.get_mut(&(host, addr)) {
            listening.handler = Some(to);
        }
    }

    /// The listener is no more, and neither are those that wait in it.
    pub(super) fn unlisten(&mut self, host: HostId, addr: SocketAddr) -> Option<Arc<dyn Handler>> {
        let listening = self.listeners.remove(&(host, addr))?;
        for id in listening.waiting {
            self.reset(id, 1);
        }
        listening.handler
    }
}

/// Packets.
impl State {
    fn send(&mut self, id: u64, side: Side, packet: Packet) {
        let Some(connection) = self.connections.get(&id) else { return };
        let (from, to) = (connection.ends[side].host, connection.ends[1 - side].host);
        let bytes = match &packet {
            Packet::Bytes(bytes) => bytes.len() as u64,
            Packet::End | Packet::Reset => 0,
        };
        let mut latency = self.latency(from, to);
        let lost = self.options.lost;
        if lost > 0 && self.random.in_1000(lost) {
            latency += RETRY.as_nanos() as u64;
        }
        let takes = bytes * 1_000_000_000 / self.options.bandwidth.max(1);
        let now = self.now;
        let end = &mut self.connections.get_mut(&id).expect("it was there").ends[side];
        end.free_at = end.free_at.max(now) + takes;
        let time = (end.free_at + latency).max(end.last_arrival);
        end.last_arrival = time;
        end.out.push_back((time, packet));
        if end.out.len() == 1 && !end.is_held {
            self.at(time, Arrival::Packet(id, side));
        }
    }

    fn packet(&mut self, id: u64, side: Side) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let (from, to) = (connection.ends[side].host, connection.ends[1 - side].host);
        let end = &mut connection.ends[side];
        // It may have been sent by a connection that has broken since.
        let Some((time, _)) = end.out.front() else { return };
        if *time > self.now || end.is_held {
            return;
        }
        let is_reset = matches!(end.out.front(), Some((_, Packet::Reset)));
        let unheard = self.hosts.is_cut(from, to)
            || self.hosts.is_off(to)
            || self.hosts.is_off(from)
            || end.is_stalled;
        if unheard && !is_reset {
            // Without acknowledgement it is sent again; the simulation does that once the way
            // is mended.
            end.is_held = true;
            return self.note(id, side, "does not get through to");
        }
        let (_, packet) = end.out.pop_front().expect("there is one");
        if let Some((time, _)) = end.out.front() {
            let time = *time;
            self.at(time, Arrival::Packet(id, side));
        }
        if !unheard {
            self.arrives(id, 1 - side, packet);
        }
        self.forget_if_over(id);
    }

    fn arrives(&mut self, id: u64, side: Side, packet: Packet) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let end = &mut connection.ends[side];
        match packet {
            Packet::Reset => {
                self.note(id, side, "is reset by");
                return self.breaks(id, side, ErrorKind::ConnectionReset);
            }
            // Nobody reads it.
            Packet::Bytes(_) if end.is_dropped || end.is_forgotten || end.is_broken() => {
                return self.send_reset(id, side);
            }
            Packet::End if end.is_forgotten => return self.send_reset(id, side),
            Packet::Bytes(bytes) if !end.has_shut_reading => end.inbox.extend(bytes),
            Packet::Bytes(bytes) => {
                let n = bytes.len();
                connection.ends[1 - side].unread -= n;
                return;
            }
            Packet::End => {
                end.is_at_end = true;
                self.note(id, side, "gets no more from");
            }
        }
        let at_end = self.connections[&id].ends[side].is_at_end;
        self.tell(id, side, true, at_end);
    }

    fn send_reset(&mut self, id: u64, side: Side) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.ends[side].out.clear();
        connection.ends[side].is_held = false;
        self.send(id, side, Packet::Reset);
    }

    /// This end is no more.
    pub(super) fn breaks(&mut self, id: u64, side: Side, why: ErrorKind) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.ends[side].breaks(why);
        self.tell(id, side, true, true);
    }

    /// Both ends learn that the connection is no more: this one at once.
    pub(super) fn reset(&mut self, id: u64, side: Side) {
        self.breaks(id, side, ErrorKind::ConnectionReset);
        self.send_reset(id, side);
    }

    fn forget_if_over(&mut self, id: u64) {
        if self.connections.get(&id).is_some_and(Connection::is_over) {
            self.connections.remove(&id);
        }
    }
}

/// What programs do with their ends.
impl State {
    pub(super) fn end(&mut self, id: u64, side: Side) -> Option<&mut End> {
        self.connections.get_mut(&id).map(|connection| &mut connection.ends[side])
    }

    pub(super) fn read(&mut self, id: u64, side: Side, buf: &mut [u8]) -> Result<usize> {
        let most = match self.options.reads {
            Reads::Whole => usize::MAX,
            Reads::Pieces => 1 + self.random.below(buf.len()),
            Reads::Bytes => 1,
        };
        let Some(end) = self.end(id, side) else { return Ok(0) };
        let n = end.read(buf, most)?;
        let window = self.options.window;
        let Some(other) = self.end(id, 1 - side) else { return Ok(n) };
        other.unread = other.unread.saturating_sub(n);
        if n > 0 && other.waits_to_write && other.unread < window.div_ceil(2) {
            other.waits_to_write = false;
            let (from, to) = (other.host, self.connections[&id].ends[side].host);
            let time = self.now + self.latency(to, from);
            self.at(time, Arrival::Room(id, 1 - side));
        }
        Ok(n)
    }

    pub(super) fn write(&mut self, id: u64, side: Side, bytes: &[u8]) -> Result<usize> {
        let window = self.options.window;
        let Some(end) = self.end(id, side) else { return Err(ErrorKind::BrokenPipe.into()) };
        let mut n = end.room(window)?.min(bytes.len());
        if self.options.short_writes > 0 && self.random.in_1000(self.options.short_writes) {
            n = 1 + self.random.below(n);
        }
        if let Some(end) = self.end(id, side) {
            end.unread += n;
        }
        // A slow network does not keep back the first byte until the last one is there.
        let piece = (self.options.bandwidth / PIECES_A_SECOND) as usize;
        for piece in bytes[..n].chunks(piece.max(SEGMENT_BYTES)) {
            self.send(id, side, Packet::Bytes(piece.to_vec()));
        }
        Ok(n)
    }

    pub(super) fn shutdown(&mut self, id: u64, side: Side, how: Shutdown) -> Result<()> {
        let Some(end) = self.end(id, side) else { return Err(ErrorKind::NotConnected.into()) };
        if end.stage != Stage::Open {
            return Err(ErrorKind::NotConnected.into());
        }
        if how != Shutdown::Write {
            end.has_shut_reading = true;
        }
        let ends = how != Shutdown::Read && !std::mem::replace(&mut end.has_shut_writing, true);
        if ends {
            self.send(id, side, Packet::End);
        }
        self.tell(id, side, true, true);
        Ok(())
    }

    /// The program lets go of it.
    pub(super) fn drop_end(&mut self, id: u64, side: Side) -> Option<Arc<dyn Handler>> {
        let end = self.end(id, side)?;
        let handler = end.handler.take();
        if std::mem::replace(&mut end.is_dropped, true) {
            return handler;
        }
        // A host that has lost its power says nothing, now or later.
        let is_open = end.stage == Stage::Open && !end.is_forgotten;
        let (has_unread, says_end) = (!end.inbox.is_empty(), !end.has_shut_writing);
        if is_open && has_unread {
            self.send_reset(id, side);
        } else if is_open && says_end {
            self.send(id, side, Packet::End);
        }
        self.forget_if_over(id);
        handler
    }
}

/// What is done to the network.
impl State {
    /// A program is killed: its system closes what it had.
    pub(crate) fn kill(&mut self, life: LifeId) -> Vec<Arc<dyn Handler>> {
        let listening: Vec<_> =
            self.listeners.iter().filter(|(_, of)| of.life == life).map(|(key, _)| *key).collect();
        let of_listeners =
            listening.into_iter().filter_map(|(host, addr)| self.unlisten(host, addr));
        let mut handlers: Vec<_> = of_listeners.collect();
        for (id, side) in self.ends_of(|end| end.life == life) {
            handlers.extend(self.drop_end(id, side));
        }
        let (gone, others): (VecDeque<Tell>, _) =
            self.told.drain(..).partition(|tell| tell.life == life);
        self.told = others;
        handlers.extend(gone.into_iter().map(|tell| tell.handler));
        handlers
    }

    /// A host loses its power: nobody is told.
    pub(crate) fn lose_power(&mut self, host: HostId) {
        self.hosts.set_off(host, true);
        for (id, side) in self.ends_of(|end| end.host == host) {
            let end = self.end(id, side).expect("it is there");
            end.is_forgotten = true;
            end.out.clear();
        }
    }

    pub(super) fn connections(&self) -> impl Iterator<Item = (u64, &Connection)> {
        self.connections.iter().map(|(id, connection)| (*id, connection))
    }

    pub(super) fn connections_mut(&mut self) -> impl Iterator<Item = &mut Connection> {
        self.connections.values_mut()
    }

    fn ends_of(&self, of: impl Fn(&End) -> bool) -> Vec<(u64, Side)> {
        let ends = self.connections.iter().flat_map(|(id, connection)| {
            [(*id, 0, &connection.ends[0]), (*id, 1, &connection.ends[1])]
        });
        ends.filter(|(.., end)| of(end)).map(|(id, side, _)| (id, side)).collect()
    }

    /// Breaks all connections between two hosts, as a firewall that restarts does.
    pub(crate) fn reset_between(&mut self, a: HostId, b: HostId) -> usize {
        let of = |connection: &Connection| {
            let hosts = [connection.ends[0].host, connection.ends[1].host];
            hosts == [a, b] || hosts == [b, a]
        };
        let all = self.connections.iter().filter(|(_, connection)| of(connection));
        let ids: Vec<u64> = all.map(|(id, _)| *id).collect();
        for id in &ids {
            self.breaks(*id, 0, ErrorKind::ConnectionReset);
            self.breaks(*id, 1, ErrorKind::ConnectionReset);
        }
        ids.len()
    }

    /// Ways have been mended: what waited is sent again, each after its host's pause.
    pub(crate) fn send_held(&mut self) {
        for (id, side) in self.ends_of(|end| end.is_held) {
            let [to, from] = [1 - side, side].map(|of| self.connections[&id].ends[of].host);
            let is_stalled = self.connections[&id].ends[side].is_stalled;
            let is_off = self.hosts.is_off(to) || self.hosts.is_off(from);
            if self.hosts.is_cut(from, to) || is_off || is_stalled {
                continue;
            }
            let pause = self.random.within(&(RETRY..=RETRY * 5)).as_nanos() as u64;
            let time = self.now + pause;
            let end = self.end(id, side).expect("it is there");
            end.is_held = false;
            for (arrival, _) in &mut end.out {
                *arrival = (*arrival).max(time);
            }
            end.last_arrival = end.last_arrival.max(time);
            self.at(time, Arrival::Packet(id, side));
        }
    }

    /// How many connections there are that some program has an end of.
    pub(crate) fn connection_count(&self) -> usize {
        self.connections.values().filter(|of| of.ends.iter().any(|end| !end.is_dropped)).count()
    }
}
