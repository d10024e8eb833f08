//! What is done to single connections, and to listeners, without a word to anybody.

use std::io::ErrorKind;

use super::connection::{Side, Stage};
use super::hosts::HostId;
use super::wires::State;

impl State {
    /// Nothing gets through on the connections that there are between two hosts; others may be
    /// made, and work.
    pub(crate) fn stall(&mut self, a: HostId, b: HostId) {
        for (id, side) in self.open_ends(a, b).into_iter().chain(self.open_ends(b, a)) {
            if let Some(end) = self.end(id, side) {
                end.is_stalled = true;
            }
        }
    }

    /// The connections between two hosts, or between all where none are named, go on.
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

    /// One host's ends of its connections with another break; the other is not told, and learns
    /// of it when it sends something.
    pub(crate) fn half_open(&mut self, broken: HostId, other: HostId) {
        for (id, side) in self.open_ends(broken, other) {
            self.breaks(id, side, ErrorKind::ConnectionReset);
        }
    }

    /// The ends at one host of its open connections with another.
    fn open_ends(&self, here: HostId, there: HostId) -> Vec<(u64, Side)> {
        let sides = self.connections().flat_map(|(id, of)| [(id, 0, of), (id, 1, of)]);
        let is_meant = |(_, side, of): &(u64, Side, &super::connection::Connection)| {
            let (end, other) = (&of.ends[*side], &of.ends[1 - *side]);
            end.host == here && other.host == there && end.stage == Stage::Open
        };
        sides.filter(is_meant).map(|(id, side, _)| (id, side)).collect()
    }
}
