//! The receiving half of an established connection: bytes in, events out.
//!
//! Whoever reads has a buffer for it, which may be shared by many connections: frames are
//! decoded where they stand in it, and what is kept here is only the part of a frame whose rest
//! has not come. The pieces of a large message are read straight into its own buffer.
//!
//! What a peer sends can end the connection, and nothing else.

use super::assembly::Assembly;
use super::connection::Config;
use super::control::{Decoded, Decoder, Events, Large, PIECE_HEAD_BYTES};
use super::error::ProtocolError;
use super::frame::{Frame, HEADER_BYTES};
use super::limits::DIRECT_BYTES_MIN;

/// See the file's head.
///
/// - **Getters**: [`bytes`](Self::bytes).
/// - **Inputs**: [`handle`](Self::handle), or [`direct`](Self::direct) and then
///   [`handle_direct`](Self::handle_direct), beginning with what the handshake has left over.
/// - **Outputs**: the events that these hand on, also when an error follows.
pub(crate) struct Receiving {
    decoder: Decoder,
    assembly: Assembly,
    /// The beginning of a frame.
    partial: Vec<u8>,
    /// The piece that is coming: its sequence, and how many of its bytes are to come.
    piece: Option<(u8, usize)>,
    /// Its bytes come few at a time: to make a place for each of these costs more than a copy.
    trickles: bool,
    /// Bytes received, ever.
    bytes: u64,
    /// What ended the connection.
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

    /// How many bytes have been received, ever. Each of them counts as a sign of life (TICK-4).
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many bytes are kept of what is not whole yet.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn kept_bytes(&self) -> usize {
        self.partial.len() + self.assembly.kept_bytes()
    }

    /// Takes in bytes that have arrived, and hands on what they say.
    ///
    /// # Errors
    /// When they are wrong: the connection is to be closed. Every later call gives the same
    /// error, and no event.
    pub(crate) fn handle(
        &mut self,
        bytes: &[u8],
        events: &mut impl Events,
    ) -> Result<(), ProtocolError> {
        self.bytes += bytes.len() as u64;
        self.unless_failed(|this| this.frames(bytes, events))
    }

    /// Where the next bytes can be read to without a copy, before others; none if there is no
    /// such place. It has as many zeros as are to come, and counts only by
    /// [`handle_direct`](Self::handle_direct), which has to follow.
    pub(crate) fn direct(&mut self) -> Option<Direct<'_>> {
        let large = |&(_, rest): &(u8, usize)| rest >= DIRECT_BYTES_MIN && !self.trickles;
        let (sequence, rest) = self.piece.filter(large)?;
        let bytes = self.assembly.expect(sequence, rest).ok()?;
        let from = bytes.len();
        bytes.resize(from + rest, 0);
        Some(Direct { bytes, from })
    }

    /// So many bytes have been read to the place that `direct` gave.
    ///
    /// # Errors
    /// As [`handle`](Self::handle).
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

    /// The next frame, where it stands. What is left of the bytes is returned; none is, if the
    /// frame's rest is to come.
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

    /// The rest of a frame that has begun.
    fn complete<'a>(
        &mut self,
        bytes: &'a [u8],
        events: &mut impl Events,
    ) -> Result<&'a [u8], ProtocolError> {
        let Some(frame) = Frame::at(&self.partial)? else {
            let count = (HEADER_BYTES - self.partial.len()).min(bytes.len());
            self.partial.extend_from_slice(&bytes[..count]);
            // What is wrong about a length is wrong as soon as it is there.
            if Frame::at(&self.partial)?.is_some_and(|frame| frame.body_bytes == 0) {
                self.partial.clear();
            }
            return Ok(&bytes[count..]);
        };
        let mut partial = std::mem::take(&mut self.partial);
        let missing = HEADER_BYTES + frame.body_bytes - partial.len();
        let head_missing = (HEADER_BYTES + PIECE_HEAD_BYTES).saturating_sub(partial.len());
        // What comes first says whether it is a piece.
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

    /// Whether these bytes, which are not all of the frame, begin a piece: if so it is under way.
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

    /// A whole frame, or a tick.
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

    /// So many bytes of the piece that is coming have come.
    fn come(&mut self, count: usize, events: &mut impl Events) -> Result<(), ProtocolError> {
        let Some((sequence, rest)) = self.piece else { return Ok(()) };
        let rest = rest - count;
        self.piece = (rest > 0).then_some((sequence, rest));
        self.assembly.finish(sequence, events);
        Ok(())
    }
}

/// A place for the bytes that come next.
pub(crate) struct Direct<'a> {
    bytes: &'a mut Vec<u8>,
    from: usize,
}

impl Direct<'_> {
    pub(crate) fn place(&mut self) -> &mut [u8] {
        &mut self.bytes[self.from..]
    }

    /// Only so many have come, and the rest is no place any more.
    pub(crate) fn keep(self, count: usize) {
        self.bytes.truncate(self.from + count);
    }
}
