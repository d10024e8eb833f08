//! Faults of connections and listeners. The programs are not notified of most of them.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::sync::Arc;

use fika_net::SocketHandler;

use super::connection::{Connection, End, Side, Stage};
use super::hosts::HostId;
use super::packets::RETRY;
use super::wires::{Arrival, LifeId, State, Tell};

impl State {
    /// Closes everything that a killed program had, as its operating system does.
    pub(crate) fn kill(&mut self, life: LifeId) -> Vec<Arc<dyn SocketHandler>> {
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

    /// Cuts the power of a host. No peer is notified.
    pub(crate) fn lose_power(&mut self, host: HostId) {
        self.hosts.set_off(host, true);
        for (id, side) in self.ends_of(|end| end.host == host) {
            let end = self.end(id, side).expect("listed above, under this lock");
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

    /// Sends the packets that waited for a mended path, each after its host's pause.
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
            let end = self.end(id, side).expect("listed above, under this lock");
            end.is_held = false;
            for (arrival, _) in &mut end.out {
                *arrival = (*arrival).max(time);
            }
            end.last_arrival = end.last_arrival.max(time);
            self.at(time, Arrival::Packet(id, side));
        }
    }

    /// Returns the number of connections of which a program has an end.
    pub(crate) fn connection_count(&self) -> usize {
        self.connections.values().filter(|of| of.ends.iter().any(|end| !end.is_dropped)).count()
    }

    /// Stalls the existing connections between two hosts. New connections work.
    pub(crate) fn stall(&mut self, a: HostId, b: HostId) {
        for (id, side) in self.open_ends(a, b).into_iter().chain(self.open_ends(b, a)) {
            if let Some(end) = self.end(id, side) {
                end.is_stalled = true;
            }
        }
    }

    /// Lets stalled connections continue: the connections between two hosts, or all.
    pub(crate) fn unstall(&mut self, between: Option<[HostId; 2]>) {
        let is_meant = |here, there| {
            between.is_none_or(|[a, b]| [here, there] == [a, b] || [here, there] == [b, a])
        };
        for connection in self.connections_mut() {
            let [a, b] = [0, 1].map(|side: Side| connection.ends[side].host);
            if is_meant(a, b) {
                connection.ends.iter_mut().for_each(|end| end.is_stalled = false);
            }
        }
    }

    /// Breaks one host's ends of its connections with another host. The other host learns of it
    /// when it sends something.
    pub(crate) fn half_open(&mut self, broken: HostId, other: HostId) {
        for (id, side) in self.open_ends(broken, other) {
            self.breaks(id, side, ErrorKind::ConnectionReset);
        }
    }

    /// Returns the ends at host `here` of its open connections with host `there`.
    fn open_ends(&self, here: HostId, there: HostId) -> Vec<(u64, Side)> {
        let sides = self.connections().flat_map(|(id, of)| [(id, 0, of), (id, 1, of)]);
        let is_meant = |(_, side, of): &(u64, Side, &super::connection::Connection)| {
            let (end, other) = (&of.ends[*side], &of.ends[1 - *side]);
            end.host == here && other.host == there && end.stage == Stage::Open
        };
        sides.filter(is_meant).map(|(id, side, _)| (id, side)).collect()
    }
}
