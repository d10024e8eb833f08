//! The state between the programs: connections, listeners, and packets in flight.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use fika_net::SocketHandler;
use parking_lot::{Mutex, MutexGuard};

use super::connection::{Connection, Side};
use super::hosts::{HostId, Hosts};
use super::options::Network;
use crate::env::Clock;
use crate::log::{Log, Of};
use crate::random::Random;

/// One life of a node of the simulation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct LifeId {
    pub(crate) node: usize,
    pub(crate) life: u32,
}

/// A handler to be called.
pub(crate) struct Tell {
    pub(crate) life: LifeId,
    pub(crate) handler: Arc<dyn SocketHandler>,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
}

/// An event at some time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Arrival {
    /// The first packet of a connection reaches the host that it is sent to.
    Knock(u64),
    /// The answer to the first packet comes back: the connection is accepted or refused.
    Answer { connection: u64, refused: bool },
    /// The next packet of this end reaches the other end.
    Packet(u64, Side),
    /// The connection has room for a write.
    Room(u64, Side),
}

pub(crate) struct Wires {
    clock: Arc<Clock>,
    state: Mutex<State>,
}

pub(crate) struct State {
    pub(super) log: Arc<Log>,
    pub(super) now: u64,
    pub(super) random: Random,
    pub(crate) options: Network,
    pub(crate) hosts: Hosts,
    pub(super) connections: BTreeMap<u64, Connection>,
    pub(super) listeners: BTreeMap<(HostId, SocketAddr), Listening>,
    pub(super) last_id: u64,
    due: BinaryHeap<Reverse<(u64, u64, Arrival)>>,
    sequence: u64,
    pub(super) told: VecDeque<Tell>,
}

/// A listener, as its host keeps it.
pub(super) struct Listening {
    pub(super) life: LifeId,
    pub(super) backlog: usize,
    /// Connections that no program has accepted yet.
    pub(super) waiting: VecDeque<u64>,
    pub(super) handler: Option<Arc<dyn SocketHandler>>,
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

    /// Returns the time of the next event.
    pub(crate) fn next_due(&self) -> Option<u64> {
        self.state.lock().due.peek().map(|Reverse((time, ..))| *time)
    }

    /// Handles all events that are due.
    pub(crate) fn arrive(&self) {
        let mut state = self.lock();
        while let Some(Reverse((time, _, arrival))) = state.due.peek().copied()
            && time <= state.now
        {
            state.due.pop();
            state.happens(arrival);
        }
    }

    /// Takes the handlers to be called, in order.
    pub(crate) fn take_told(&self) -> VecDeque<Tell> {
        std::mem::take(&mut self.state.lock().told)
    }
}

impl State {
    pub(super) fn at(&mut self, time: u64, arrival: Arrival) {
        self.sequence += 1;
        self.due.push(Reverse((time, self.sequence, arrival)));
    }

    pub(super) fn latency(&mut self, from: HostId, to: HostId) -> u64 {
        let State { random, options, .. } = self;
        let time = if from == to {
            random.within(&options.local_latency)
        } else if options.slow > 0 && random.in_1000(options.slow) {
            random.log_within(&options.slow_latency)
        } else {
            random.within(&options.latency)
        };
        time.as_nanos() as u64
    }

    pub(super) fn tell(&mut self, id: u64, side: Side, readable: bool, writable: bool) {
        let Some(connection) = self.connections.get(&id) else { return };
        let end = &connection.ends[side];
        if let Some(handler) = end.handler.clone().filter(|_| !end.is_dropped) {
            self.told.push_back(Tell { life: end.life, handler, readable, writable });
        }
    }

    /// Logs an event of a connection, as this end sees it.
    pub(super) fn note(&self, id: u64, side: Side, what: &str) {
        let Some(connection) = self.connections.get(&id) else { return };
        let [here, there] = [side, 1 - side].map(|side| &connection.ends[side]);
        self.log.add(Of::Runtime, &[6, id, side as u64], what, |line| {
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
