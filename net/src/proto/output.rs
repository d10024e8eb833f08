//! The bytes that wait to be written: one buffer, many frames.
//!
//! Frames are written at the end and taken away at the front. A frame counts only once
//! it is committed; until then it can be given up, and one that was left half written
//! (a value's own encoder panicked) is never seen. So whoever writes to the transport
//! gets whole frames only.

use super::codec::Put as _;
use super::frame::HEADER_BYTES;
use super::limits::IDLE_OUTPUT_BYTES_MAX;

#[derive(Default)]
pub(super) struct Output {
    bytes: Vec<u8>,
    /// Bytes at the front that have been written already.
    written: usize,
    /// Where the frames end that count.
    committed: usize,
}

/// Where a frame begins that is being written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start(usize);

impl Output {
    /// The whole frames that wait.
    pub(super) fn waiting(&self) -> &[u8] {
        &self.bytes[self.written..self.committed]
    }

    pub(super) fn waiting_bytes(&self) -> usize {
        self.committed - self.written
    }

    /// The first `count` waiting bytes have been written.
    pub(super) fn advance(&mut self, count: usize) {
        assert!(count <= self.waiting_bytes(), "no more was there to be written");
        self.written += count;
        let rest = self.waiting_bytes();
        // Moved only when the rest is no larger than what goes, so that each byte is
        // moved once on average. Nobody is writing a frame now: bytes after the
        // committed ones are a given up one's.
        if rest <= self.written {
            self.bytes.truncate(self.committed);
            self.bytes.drain(..self.written);
            (self.written, self.committed) = (0, rest);
            self.trim();
        }
    }

    /// The buffer, for appending to the frame that is being written.
    pub(super) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Begins a frame with the byte that says its kind.
    pub(super) fn begin(&mut self, kind: u8) -> Start {
        let start = Start(self.bytes.len());
        self.bytes.put_u32(0);
        self.bytes.put_u8(kind);
        start
    }

    /// How many bytes the body that began at `start` has by now.
    pub(super) fn body_bytes(&self, start: Start) -> usize {
        self.bytes.len() - start.0 - HEADER_BYTES
    }

    /// Puts whole frames before the one that is being written.
    pub(super) fn insert(&mut self, start: Start, frames: &[u8]) -> Start {
        self.bytes.splice(start.0..start.0, frames.iter().copied());
        Start(start.0 + frames.len())
    }

    /// Writes the length of the body that began at `start`, which fits into 32 bits.
    pub(super) fn end(&mut self, start: Start) {
        let length = self.body_bytes(start) as u32;
        self.set_u32(start.0, length);
    }

    /// Overwrites four bytes.
    pub(super) fn set_u32(&mut self, at: usize, value: u32) {
        self.bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// All frames up to here count.
    pub(super) fn commit(&mut self) {
        self.committed = self.bytes.len();
    }

    /// Gives up what has not been committed.
    pub(super) fn roll_back(&mut self) {
        self.bytes.truncate(self.committed);
        self.trim();
    }

    /// Gives memory back that a large frame has left behind.
    fn trim(&mut self) {
        if self.bytes.capacity() > IDLE_OUTPUT_BYTES_MAX && self.bytes.is_empty() {
            self.bytes = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(output: &mut Output, body: &[u8]) {
        let start = output.begin(1);
        output.bytes().extend_from_slice(body);
        output.end(start);
    }

    #[test]
    fn only_committed_frames_are_seen() {
        let mut output = Output::default();
        put(&mut output, b"a");
        assert_eq!(output.waiting(), b"");
        output.commit();
        put(&mut output, b"b");
        assert_eq!(output.waiting(), b"\0\0\0\x02\x01a");
        output.roll_back();
        put(&mut output, b"c");
        output.commit();
        assert_eq!(output.waiting(), b"\0\0\0\x02\x01a\0\0\0\x02\x01c");
    }

    #[test]
    fn bytes_go_in_any_steps() {
        for step in 1..20 {
            let mut output = Output::default();
            let (mut all, mut taken) = (Vec::new(), Vec::new());
            for number in 0..50_u8 {
                put(&mut output, &[number; 3]);
                output.commit();
                all.extend_from_slice(&[0, 0, 0, 4, 1, number, number, number]);
                let count = step.min(output.waiting_bytes());
                taken.extend_from_slice(&output.waiting()[..count]);
                output.advance(count);
            }
            taken.extend_from_slice(output.waiting());
            assert_eq!(taken, all);
        }
    }

    #[test]
    fn memory_is_given_back() {
        let mut output = Output::default();
        put(&mut output, &[0; 2 * IDLE_OUTPUT_BYTES_MAX]);
        output.roll_back();
        assert_eq!(output.bytes.capacity(), 0);
        put(&mut output, &[0; 2 * IDLE_OUTPUT_BYTES_MAX]);
        output.commit();
        output.advance(output.waiting_bytes());
        assert_eq!((output.bytes.capacity(), output.waiting_bytes()), (0, 0));
    }

    #[test]
    fn definitions_go_ahead() {
        let mut output = Output::default();
        let start = output.begin(1);
        let start = output.insert(start, b"define");
        output.bytes().extend_from_slice(b"x");
        output.end(start);
        output.commit();
        assert_eq!(output.waiting(), b"define\0\0\0\x02\x01x");
    }
}
