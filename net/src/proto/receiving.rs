//! The receiving half of an established connection: bytes in, events out.
//!
//! The reader has a buffer, which many connections may share. Frames are decoded in place. Only the
//! beginning of an incomplete frame is kept here. The pieces of a large message are read directly
//! into its own buffer.
//!
//! Bad input from a peer ends its connection, and has no other effect.

use super::assembly::Assembly;
use super::connection::Config;
use super::control::{Decoded, Decoder, Events, Large, PIECE_HEAD_BYTES};
use super::error::ProtocolError;
use super::frame::{Frame, HEADER_BYTES};
use super::limits::DIRECT_BYTES_MIN;

/// The receiving half; see the head of the file.
///
/// - **Getters**: [`bytes`](Self::bytes).
/// - **Inputs**: [`handle`](Self::handle), or [`direct`](Self::direct) and then
///   [`handle_direct`](Self::handle_direct), beginning with the bytes that the handshake has left.
/// - **Outputs**: the events that the inputs emit, even if they then return an error.
pub(crate) struct Receiving {
    decoder: Decoder,
    assembly: Assembly,
    /// The beginning of an incomplete frame.
    partial: Vec<u8>,
    /// The piece that is being received: its sequence, and the number of missing bytes.
    piece: Option<(u8, usize)>,
    /// The piece arrives in small parts, so copying them costs less than preparing the buffer.
    trickles: bool,
    /// The total number of bytes received.
    bytes: u64,
    /// The error that ended the connection.
    failed: Option<ProtocolError>,
}

impl Receiving {
    pub(super) fn new(config: &Config) -> Receiving {
        Receiving {
            decoder: Decoder::new(config),
            assembly: Assembly::new(config.limits),
            partial: Vec::new(),
            piece: None,
            trickles: false,
            bytes: 0,
            failed: None,
        }
    }

    /// Returns the total number of bytes received. Each of them counts as a sign of life (TICK-4).
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the number of bytes kept for incomplete frames and messages.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn kept_bytes(&self) -> usize {
        self.partial.len() + self.assembly.kept_bytes()
    }

    /// Handles bytes that have arrived, and emits their events.
    ///
    /// # Errors
    /// If the bytes are invalid. The connection must then be closed. Every later call returns the
    /// same error, and emits no event.
    pub(crate) fn handle(
        &mut self,
        bytes: &[u8],
        events: &mut impl Events,
    ) -> Result<(), ProtocolError> {
        self.bytes += bytes.len() as u64;
        self.unless_failed(|this| this.frames(bytes, events))
    }

    /// Returns the place into which the next bytes can be read without a copy. `None` if there is
    /// no such place. It has as many zeros as bytes are missing.
    /// [`handle_direct`](Self::handle_direct) must be called next; only then do the bytes count.
    pub(crate) fn direct(&mut self) -> Option<Direct<'_>> {
        let large = |&(_, rest): &(u8, usize)| rest >= DIRECT_BYTES_MIN && !self.trickles;
        let (sequence, rest) = self.piece.filter(large)?;
        let bytes = self.assembly.expect(sequence, rest).ok()?;
        let from = bytes.len();
        bytes.resize(from + rest, 0);
        Some(Direct { bytes, from })
    }

    /// Handles `count` bytes that were read to the place from `direct`.
    ///
    /// # Errors
    /// Fails as [`handle`](Self::handle) does.
    pub(crate) fn handle_direct(
        &mut self,
        count: usize,
        events: &mut impl Events,
    ) -> Result<(), ProtocolError> {
        self.bytes += count as u64;
        self.trickles = count < DIRECT_BYTES_MIN;
        self.unless_failed(|this| this.come(count, events))
    }

    fn unless_failed(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<(), ProtocolError>,
    ) -> Result<(), ProtocolError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let result = work(self);
        if let Err(error) = &result {
            self.failed = Some(error.clone());
            self.partial = Vec::new();
            self.piece = None;
            self.assembly.clear();
        }
        result
    }

    fn frames(&mut self, mut bytes: &[u8], events: &mut impl Events) -> Result<(), ProtocolError> {
        while !bytes.is_empty() {
            if let Some((sequence, rest)) = self.piece {
                let count = rest.min(bytes.len());
                let place = self.assembly.expect(sequence, rest)?;
                place.extend_from_slice(&bytes[..count]);
                self.come(count, events)?;
                bytes = &bytes[count..];
            } else if !self.partial.is_empty() {
                bytes = self.complete(bytes, events)?;
            } else {
                bytes = self.in_place(bytes, events)?;
            }
        }
        Ok(())
    }

    /// Handles the next frame in place. Returns the rest of the bytes. If the frame is incomplete,
    /// it is kept and the rest is empty.
    fn in_place<'a>(
        &mut self,
        bytes: &'a [u8],
        events: &mut impl Events,
    ) -> Result<&'a [u8], ProtocolError> {
        let Some(frame) = Frame::at(bytes)? else {
            self.partial.extend_from_slice(bytes);
            return Ok(&[]);
        };
        let end = HEADER_BYTES + frame.body_bytes;
        if end <= bytes.len() {
            self.frame(&bytes[HEADER_BYTES..end], events)?;
            return Ok(&bytes[end..]);
        }
        self.begin_frame(bytes, frame)
    }

    /// Handles the rest of a frame that has begun.
    fn complete<'a>(
        &mut self,
        bytes: &'a [u8],
        events: &mut impl Events,
    ) -> Result<&'a [u8], ProtocolError> {
        let Some(frame) = Frame::at(&self.partial)? else {
            let count = (HEADER_BYTES - self.partial.len()).min(bytes.len());
            self.partial.extend_from_slice(&bytes[..count]);
            // An invalid length is an error as soon as it has arrived.
            if Frame::at(&self.partial)?.is_some_and(|frame| frame.body_bytes == 0) {
                self.partial.clear();
            }
            return Ok(&bytes[count..]);
        };
        let mut partial = std::mem::take(&mut self.partial);
        let missing = HEADER_BYTES + frame.body_bytes - partial.len();
        let head_missing = (HEADER_BYTES + PIECE_HEAD_BYTES).saturating_sub(partial.len());
        // The first bytes show whether it is a piece.
        let count = if head_missing > 0 { head_missing.min(missing) } else { missing };
        let count = count.min(bytes.len());
        partial.extend_from_slice(&bytes[..count]);
        if count == missing {
            self.frame(&partial[HEADER_BYTES..], events)?;
            partial.clear();
        } else if self.piece_at(&partial, frame)? {
            partial.clear();
        }
        self.partial = partial;
        Ok(&bytes[count..])
    }

    /// Keeps the beginning of a frame.
    fn begin_frame<'a>(
        &mut self,
        bytes: &'a [u8],
        frame: Frame,
    ) -> Result<&'a [u8], ProtocolError> {
        if self.piece_at(bytes, frame)? {
            return Ok(&bytes[HEADER_BYTES + PIECE_HEAD_BYTES..]);
        }
        self.partial.extend_from_slice(bytes);
        Ok(&[])
    }

    /// Returns whether these bytes, the beginning of a frame, begin a piece. If so, starts
    /// receiving the piece.
    fn piece_at(&mut self, bytes: &[u8], frame: Frame) -> Result<bool, ProtocolError> {
        let Some(head) = bytes.get(HEADER_BYTES..HEADER_BYTES + PIECE_HEAD_BYTES) else {
            return Ok(false);
        };
        let Some(sequence) = Decoder::piece(head) else { return Ok(false) };
        let rest = frame.body_bytes - PIECE_HEAD_BYTES;
        self.assembly.expect(sequence, rest)?;
        self.piece = Some((sequence, rest));
        self.trickles = false;
        Ok(true)
    }

    /// Handles a whole frame or a tick.
    fn frame(&mut self, body: &[u8], events: &mut impl Events) -> Result<(), ProtocolError> {
        if body.is_empty() {
            return Ok(());
        }
        match self.decoder.frame(body, events)? {
            Decoded::Nothing => {}
            Decoded::Large(large) => {
                let Large { sequence, total, nodes, event } = *large;
                self.assembly.begin(sequence, total, nodes, event)?;
            }
            Decoded::Piece { sequence, at } => {
                let bytes = &body[at..];
                self.assembly.expect(sequence, bytes.len())?.extend_from_slice(bytes);
                self.assembly.finish(sequence, events);
            }
        }
        Ok(())
    }

    /// Records that `count` bytes of the current piece have arrived.
    fn come(&mut self, count: usize, events: &mut impl Events) -> Result<(), ProtocolError> {
        let Some((sequence, rest)) = self.piece else { return Ok(()) };
        let rest = rest - count;
        self.piece = (rest > 0).then_some((sequence, rest));
        self.assembly.finish(sequence, events);
        Ok(())
    }
}

/// A place for the next bytes.
pub(crate) struct Direct<'a> {
    bytes: &'a mut Vec<u8>,
    from: usize,
}

impl Direct<'_> {
    pub(crate) fn place(&mut self) -> &mut [u8] {
        &mut self.bytes[self.from..]
    }

    /// Keeps only the first `count` bytes, which were read. The rest of the place is removed.
    pub(crate) fn keep(self, count: usize) {
        self.bytes.truncate(self.from + count);
    }
}
