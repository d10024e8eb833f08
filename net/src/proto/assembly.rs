//! Messages that come in pieces, until they are whole.
//!
//! A buffer grows with the bytes that have come: to four times as much at most, and never
//! beyond the length that was claimed. How many messages may be begun, and of how many bytes
//! together, is limited; a peer that claims more is wrong before anything is kept.

use fika_runtime::message::NodeList;

use super::control::Event;
use super::error::{InvalidMessage, PeerMisbehaved, ProtocolError};
use super::limits::{Limits, PIECE_BYTES_MAX, SEQUENCES_MAX};

/// How much larger than what has come a buffer may be.
const GROWTH: usize = 4;

pub(super) struct Assembly {
    /// By sequence.
    partial: Vec<Option<Box<Partial>>>,
    /// The lengths of all that has been begun.
    bytes: usize,
    limits: Limits,
}

struct Partial {
    event: Event,
    nodes: NodeList,
    total: usize,
    bytes: Vec<u8>,
}

impl Assembly {
    pub(super) fn new(limits: Limits) -> Assembly {
        Assembly { partial: Vec::new(), bytes: 0, limits }
    }

    /// The head of a message has come.
    pub(super) fn begin(
        &mut self,
        sequence: u8,
        total: usize,
        nodes: NodeList,
        event: Event,
    ) -> Result<(), ProtocolError> {
        let max = self.limits.message_bytes_max;
        if total > max || total == 0 {
            let (what, length) = ("a message in pieces", total as u64);
            return Err(InvalidMessage::TooLong { what, length, max }.into());
        }
        let at = usize::from(sequence);
        if at >= SEQUENCES_MAX || self.partial.get(at).is_some_and(Option::is_some) {
            return Err(PeerMisbehaved::BadSequence(sequence).into());
        }
        if self.bytes + total > self.limits.partial_bytes_max() {
            return Err(PeerMisbehaved::TooManyPartial(self.limits.partial_bytes_max()).into());
        }
        if self.partial.len() <= at {
            self.partial.resize_with(at + 1, || None);
        }
        self.bytes += total;
        self.partial[at] = Some(Box::new(Partial { event, nodes, total, bytes: Vec::new() }));
        Ok(())
    }

    /// A piece of so many bytes is about to come, or the rest of one: where they go, at whose end.
    pub(super) fn expect(
        &mut self,
        sequence: u8,
        count: usize,
    ) -> Result<&mut Vec<u8>, ProtocolError> {
        let wrong = PeerMisbehaved::BadSequence(sequence);
        let partial = self.partial.get_mut(usize::from(sequence)).and_then(Option::as_mut);
        let Partial { total, bytes, .. } = &mut **partial.ok_or(wrong)?;
        if count == 0 || count > PIECE_BYTES_MAX || count > *total - bytes.len() {
            let (what, length) = ("a piece of a message", count as u64);
            let max = (*total - bytes.len()).min(PIECE_BYTES_MAX);
            return Err(InvalidMessage::TooLong { what, length, max }.into());
        }
        let wanted = bytes.len() + count;
        if wanted > bytes.capacity() {
            let capacity = (GROWTH * bytes.len()).clamp(wanted, *total);
            bytes.reserve_exact(capacity - bytes.len());
        }
        Ok(bytes)
    }

    /// The message, if it is whole now.
    pub(super) fn finish(&mut self, sequence: u8) -> Result<Option<Event>, ProtocolError> {
        let place = &mut self.partial[usize::from(sequence)];
        let Some(partial) = place.take_if(|partial| partial.bytes.len() == partial.total) else {
            return Ok(None);
        };
        self.bytes -= partial.total;
        let Partial { event, nodes, bytes, .. } = *partial;
        event.complete(bytes, nodes).map(Some)
    }

    #[cfg(feature = "fuzzing")]
    pub(super) fn kept_bytes(&self) -> usize {
        self.partial.iter().flatten().map(|partial| partial.bytes.capacity()).sum()
    }

    /// Lets go of all pieces.
    pub(super) fn clear(&mut self) {
        self.partial = Vec::new();
        self.bytes = 0;
    }
}
