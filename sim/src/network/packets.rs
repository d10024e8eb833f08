//! Packets in flight, and the operations of programs on the ends of a connection.

use std::io::{ErrorKind, Result};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use fika_net::SocketHandler;

use super::connection::{Connection, End, Packet, Side, Stage};
use super::options::Reads;
use super::wires::{Arrival, State};

/// The time after which a host retransmits a lost packet.
pub(super) const RETRY: Duration = Duration::from_millis(200);

/// A large write is split into pieces. At this rate they use the whole bandwidth, unless a piece is
/// as small as a segment.
const PIECES_A_SECOND: u64 = 20;
/// The most bytes in a packet, on Ethernet.
const SEGMENT_BYTES: usize = 1448;

/// Packets in flight.
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
        let end =
            &mut self.connections.get_mut(&id).expect("the caller has found the connection").ends
                [side];
        end.free_at = end.free_at.max(now) + takes;
        let time = (end.free_at + latency).max(end.last_arrival);
        end.last_arrival = time;
        end.out.push_back((time, packet));
        if end.out.len() == 1 && !end.is_held {
            self.at(time, Arrival::Packet(id, side));
        }
    }

    pub(super) fn packet(&mut self, id: u64, side: Side) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let (from, to) = (connection.ends[side].host, connection.ends[1 - side].host);
        let end = &mut connection.ends[side];
        // The connection that sent the packet may have broken since.
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
            // The packet is not acknowledged, so the host retransmits it. The simulation does so
            // when the path is mended.
            end.is_held = true;
            return self.note(id, side, "does not get through to");
        }
        let (_, packet) = end.out.pop_front().expect("the packet that arrives is queued");
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
            // No program reads the bytes.
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

    pub(super) fn send_reset(&mut self, id: u64, side: Side) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.ends[side].out.clear();
        connection.ends[side].is_held = false;
        self.send(id, side, Packet::Reset);
    }

    /// Breaks this end.
    pub(super) fn breaks(&mut self, id: u64, side: Side, why: ErrorKind) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.ends[side].breaks(why);
        self.tell(id, side, true, true);
    }

    /// Resets the connection: this end learns of it at once, the other when the packet arrives.
    pub(super) fn reset(&mut self, id: u64, side: Side) {
        self.breaks(id, side, ErrorKind::ConnectionReset);
        self.send_reset(id, side);
    }

    pub(super) fn forget_if_over(&mut self, id: u64) {
        if self.connections.get(&id).is_some_and(Connection::is_over) {
            self.connections.remove(&id);
        }
    }
}

/// The operations of programs on their ends.
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
        // On a slow network, the first byte must not wait until the last one has been sent.
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

    /// Drops the program's end.
    pub(super) fn drop_end(&mut self, id: u64, side: Side) -> Option<Arc<dyn SocketHandler>> {
        let end = self.end(id, side)?;
        let handler = end.handler.take();
        if std::mem::replace(&mut end.is_dropped, true) {
            return handler;
        }
        // A host that has lost power sends nothing, now or later.
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
