//! An established connection, without its socket: received bytes in, events out; signals
//! in, bytes to write out.
//!
//! It does not know when to connect or whom to tell of a loss, reads no clock and
//! suspends nobody: the driver asks [`Connection::output_bytes`] and decides. Order is
//! that of the calls, in both directions. What a peer sends can end the connection, and
//! nothing else; what we are asked to send can fail, and then changes nothing.
//!
//! Prior art: quinn-proto's `connection/mod.rs` for the form, `dist.c` for the matter.

use bytes::BytesMut;
use fika_runtime::{NodeId, Signal, SpawnRequest, Target};

pub(crate) use super::control::Event;
use super::control::{Decoder, Encoder, SendError};
use super::error::ProtocolError;
use super::frame::Frame;
use super::limits::Limits;
use super::tick::{Ticker, Traffic, Verdict};

/// What a connection is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Config {
    /// This node.
    pub(crate) local: NodeId,
    /// The node that has proved itself at the other end.
    pub(crate) peer: NodeId,
    /// Whether either side is hidden.
    pub(crate) hidden: bool,
    /// Whether the peer knows of messages that go ahead of others.
    pub(crate) priority: bool,
    /// Checks for ticks in one ticktime (TICK-1).
    pub(crate) intensity: u32,
    /// What may be sent and received.
    pub(crate) limits: Limits,
}

/// An established connection.
///
/// - **Getters**: [`peer`](Self::peer), [`output_bytes`](Self::output_bytes).
/// - **Inputs**: bytes that arrived go to the end of
///   [`read_buffer`](Self::read_buffer), beginning with those that the handshake left
///   over; every T/I comes [`handle_tick`](Self::handle_tick).
/// - **Commands**: [`send`](Self::send), [`spawn`](Self::spawn).
/// - **Outputs**, to be asked for after any input in this order:
///   [`poll_event`](Self::poll_event) until it gives none, since an event may cause
///   commands; then [`output`](Self::output), and
///   [`advance_output`](Self::advance_output) by what the transport took.
pub(crate) struct Connection {
    peer: NodeId,
    body_bytes_max: usize,
    received: BytesMut,
    /// Bytes that were received and are no longer in the buffer.
    consumed: u64,
    /// Bytes that the transport has taken.
    written: u64,
    encoder: Encoder,
    decoder: Decoder,
    ticker: Ticker,
    /// What ended the connection.
    failed: Option<ProtocolError>,
}

impl Connection {
    pub(crate) fn new(config: Config) -> Connection {
        let Config { local, peer, hidden, priority, intensity, limits } = config;
        let body_bytes_max = limits.message_bytes_max;
        Connection {
            peer,
            body_bytes_max,
            received: BytesMut::new(),
            consumed: 0,
            written: 0,
            encoder: Encoder::new(local, peer, priority, body_bytes_max),
            decoder: Decoder::new(local, peer),
            ticker: Ticker::new(intensity, hidden),
            failed: None,
        }
    }

    /// The node at the other end.
    pub(crate) fn peer(&self) -> NodeId {
        self.peer
    }

    /// How many bytes wait to be written.
    pub(crate) fn output_bytes(&self) -> usize {
        self.encoder.output().waiting_bytes()
    }

    /// Where bytes that arrived are appended. Each of them counts as a sign of life
    /// (TICK-4), before it is looked at.
    pub(crate) fn read_buffer(&mut self) -> &mut BytesMut {
        &mut self.received
    }

    /// One check, every T/I. A tick that is due is put into the output.
    pub(crate) fn handle_tick(&mut self) -> Verdict {
        let verdict = self.ticker.check(Traffic {
            received: self.consumed + self.received.len() as u64,
            written: self.written,
            waiting: self.output_bytes(),
        });
        if verdict == Verdict::SendTick {
            self.encoder.tick();
        }
        verdict
    }

    /// Puts a tick into the output if nothing waits there.
    pub(crate) fn queue_tick(&mut self) {
        if self.output_bytes() == 0 {
            self.encoder.tick();
        }
    }

    /// Puts a signal into the output.
    ///
    /// # Errors
    /// When it can't be sent; the output is as it was, and the connection goes on.
    pub(crate) fn send(&mut self, target: &Target, signal: &Signal) -> Result<(), SendError> {
        self.encoder.signal(target, signal)
    }

    /// Puts a request to spawn into the output.
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub(crate) fn spawn(&mut self, request: &SpawnRequest) -> Result<(), SendError> {
        self.encoder.spawn(request)
    }

    /// The next event, if a whole one has been received.
    ///
    /// # Errors
    /// When the peer's bytes are wrong: the connection is to be closed. Every later call
    /// gives the same error, and no event.
    pub(crate) fn poll_event(&mut self) -> Result<Option<Event>, ProtocolError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let before = self.received.len();
        let result = self.next_event();
        self.consumed += (before - self.received.len()) as u64;
        if let Err(error) = &result {
            self.failed = Some(error.clone());
            self.consumed += self.received.len() as u64;
            self.received = BytesMut::new();
        }
        result
    }

    /// The bytes to write next: whole frames, but for the first, of which a part may
    /// have been written.
    pub(crate) fn output(&self) -> &[u8] {
        self.encoder.output().waiting()
    }

    /// The transport has taken the first `count` bytes of the output.
    pub(crate) fn advance_output(&mut self, count: usize) {
        self.encoder.advance_output(count);
        self.written += count as u64;
    }

    fn next_event(&mut self) -> Result<Option<Event>, ProtocolError> {
        while let Some(frame) = Frame::next(&mut self.received, self.body_bytes_max)? {
            let event = frame.consume(&mut self.received, |body| self.decoder.frame(body))?;
            if event.is_some() {
                return Ok(event);
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests;
