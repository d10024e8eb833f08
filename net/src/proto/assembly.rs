//! Assembles messages that arrive in pieces.
//!
//! A buffer grows with the bytes that have arrived: to at most four times their number, and never
//! beyond the claimed length. One buffer at a time may start as large as the longest message
//! received so far. So if a peer sends many large messages, they are not copied again while their
//! buffers grow. The number of unfinished messages and their total size are limited. A peer that
//! claims more misbehaves, which is detected before anything is kept.

use fika_runtime::message::NodeList;

use super::control::{Event, Events};
use super::error::{InvalidMessage, PeerMisbehaved, ProtocolError};
use super::limits::{Limits, PIECE_BYTES_MAX, SEQUENCES_MAX};

/// How much larger a buffer may be than the bytes that have arrived.
const GROWTH: usize = 4;

pub(super) struct Assembly {
    /// The unfinished messages, by sequence.
    partial: Vec<Option<Box<Partial>>>,
    /// The total length of all unfinished messages.
    bytes: usize,
    /// The length of the longest message received so far. Zero while a buffer has been allocated
    /// ahead.
    ahead: usize,
    limits: Limits,
}

struct Partial {
    event: Event,
    nodes: NodeList,
    total: usize,
    bytes: Vec<u8>,
    /// The size with which the buffer was allocated ahead.
    ahead: usize,
}

impl Assembly {
    pub(super) fn new(limits: Limits) -> Assembly {
        Assembly { partial: Vec::new(), bytes: 0, ahead: 0, limits }
    }

    /// Begins a message whose head has arrived.
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
        self.partial[at] =
            Some(Box::new(Partial { event, nodes, total, bytes: Vec::new(), ahead: 0 }));
        Ok(())
    }

    /// Returns the buffer for the next piece of this many bytes, or for the rest of one. The bytes
    /// are appended.
    pub(super) fn expect(
        &mut self,
        sequence: u8,
        count: usize,
    ) -> Result<&mut Vec<u8>, ProtocolError> {
        let wrong = PeerMisbehaved::BadSequence(sequence);
        let partial = self.partial.get_mut(usize::from(sequence)).and_then(Option::as_mut);
        let Partial { total, bytes, ahead, .. } = &mut **partial.ok_or(wrong)?;
        if count == 0 || count > PIECE_BYTES_MAX || count > *total - bytes.len() {
            let (what, length) = ("a piece of a message", count as u64);
            let max = (*total - bytes.len()).min(PIECE_BYTES_MAX);
            return Err(InvalidMessage::TooLong { what, length, max }.into());
        }
        let wanted = bytes.len() + count;
        if wanted > bytes.capacity() {
            if wanted < *total && *ahead == 0 {
                *ahead = std::mem::take(&mut self.ahead);
            }
            let capacity = (*ahead).max(GROWTH * bytes.len()).clamp(wanted, *total);
            bytes.reserve_exact(capacity - bytes.len());
        }
        Ok(bytes)
    }

    /// Passes the message to `events`, if it is complete.
    pub(super) fn finish(&mut self, sequence: u8, events: &mut impl Events) {
        let place = &mut self.partial[usize::from(sequence)];
        let Some(partial) = place.take_if(|partial| partial.bytes.len() == partial.total) else {
            return;
        };
        self.bytes -= partial.total;
        self.ahead = self.ahead.max(partial.total).max(partial.ahead);
        let Partial { event, nodes, bytes, .. } = *partial;
        event.complete(bytes, nodes, events);
    }

    #[cfg(feature = "fuzzing")]
    pub(super) fn kept_bytes(&self) -> usize {
        self.partial.iter().flatten().map(|partial| partial.bytes.capacity()).sum()
    }

    pub(super) fn clear(&mut self) {
        self.partial = Vec::new();
        (self.bytes, self.ahead) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use fika_runtime::{Envelope, Signal, Target};

    use super::*;

    const LARGE: usize = 1 << 20;

    fn begin(assembly: &mut Assembly, sequence: u8) {
        let envelope = Envelope::encoded(fika_runtime::Encoded::new(&()).unwrap());
        let target = Target::Name("somebody".into());
        let event = Event::Signal { target, signal: Signal::Message(envelope) };
        assembly.begin(sequence, LARGE, NodeList::new(), event).unwrap();
    }

    /// Receives a piece. Returns the capacity of the message's buffer.
    fn piece(assembly: &mut Assembly, sequence: u8) -> usize {
        let buffer = assembly.expect(sequence, PIECE_BYTES_MAX).unwrap();
        buffer.extend([7; PIECE_BYTES_MAX]);
        buffer.capacity()
    }

    fn rest(assembly: &mut Assembly, sequence: u8) {
        let mut events = Vec::new();
        while events.is_empty() {
            piece(assembly, sequence);
            assembly.finish(sequence, &mut events);
        }
    }

    #[test]
    fn a_claimed_length_allocates_nothing() {
        let mut assembly = Assembly::new(Limits::default());
        (0..4).for_each(|sequence| begin(&mut assembly, sequence));
        for sequence in 0..4 {
            assert_eq!(piece(&mut assembly, sequence), PIECE_BYTES_MAX);
            assert_eq!(piece(&mut assembly, sequence), GROWTH * PIECE_BYTES_MAX);
        }
        // A message was completed, so one more of that length gets its buffer at once, but no
        // second one.
        rest(&mut assembly, 0);
        begin(&mut assembly, 0);
        assert_eq!(piece(&mut assembly, 0), LARGE);
        begin(&mut assembly, 4);
        assert_eq!(piece(&mut assembly, 4), PIECE_BYTES_MAX);
        rest(&mut assembly, 0);
        begin(&mut assembly, 0);
        assert_eq!(piece(&mut assembly, 0), LARGE);
        assembly.clear();
        begin(&mut assembly, 0);
        assert_eq!(piece(&mut assembly, 0), PIECE_BYTES_MAX, "no buffer ahead after a wrong piece");
    }
}
