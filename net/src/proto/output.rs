//! The bytes that wait to be written: whole frames, in segments.
//!
//! Small frames are gathered in one buffer, the tail. A payload that is large enough is not copied
//! there: it becomes a separate segment between the frames before and after it. A frame only counts
//! once it is committed. Until then it can be given up, and an unfinished frame is never written.
//! So the output always consists of whole frames.
//!
//! The bytes to write next are moved out as a [`Batch`], so that a thread that adds output never
//! waits for a system call. The tail becomes a segment when growing it would cost more than another
//! segment. The memory of some written segments is reused.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::Bytes;

use super::codec::Put as _;
use super::frame::HEADER_BYTES;
use super::limits::{COPIED_BYTES_MAX, GATHERED_BYTES, SPARE_BUFFERS_MAX};
use super::parcel::Body;

/// A run of bytes.
enum Segment {
    /// Frames that were gathered.
    Gathered(Vec<u8>),
    /// A shared payload.
    Shared(Bytes),
}

impl Segment {
    fn bytes(&self) -> &[u8] {
        match self {
            Segment::Gathered(bytes) => bytes,
            Segment::Shared(bytes) => bytes,
        }
    }
}

#[derive(Default)]
pub(super) struct Output {
    /// The segments before the tail.
    segments: VecDeque<Segment>,
    tail: Vec<u8>,
    /// The end of the committed frames in the tail.
    committed: usize,
    /// The number of committed bytes.
    bytes: usize,
    /// The memory of written segments.
    spare: Vec<Vec<u8>>,
}

/// The position in the tail of a frame that is being written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start(usize);

impl Output {
    /// Returns the number of bytes that can be taken.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Moves all committed bytes to the end of a batch.
    pub(super) fn take(&mut self, batch: &mut Batch) {
        self.roll_back();
        batch.segments.append(&mut self.segments);
        self.spare.append(&mut batch.spare);
        self.spare.truncate(SPARE_BUFFERS_MAX);
        if !self.tail.is_empty() {
            let tail = self.take_tail();
            batch.segments.push_back(tail);
        }
        self.bytes = 0;
    }

    /// Takes the tail. All of it must be committed.
    fn take_tail(&mut self) -> Segment {
        self.committed = 0;
        let next = self.spare.pop().unwrap_or_default();
        Segment::Gathered(std::mem::replace(&mut self.tail, next))
    }

    /// Returns the buffer, for appending to the current frame.
    #[inline]
    pub(super) fn tail(&mut self) -> &mut Vec<u8> {
        &mut self.tail
    }

    /// Begins a frame of this kind.
    #[inline]
    pub(super) fn begin(&mut self, kind: u8) -> Start {
        let start = Start(self.tail.len());
        self.tail.put_u32(0);
        self.tail.put_u8(kind);
        start
    }

    /// Ends the frame and writes its length, which fits into 32 bits.
    pub(super) fn end(&mut self, start: Start) {
        self.set_length(start, 0);
    }

    /// Ends the frame with these bytes, and commits it.
    pub(super) fn end_with(&mut self, start: Start, body: &Body) {
        self.set_length(start, body.len());
        match body {
            Body::Own(bytes) => self.tail.extend_from_slice(bytes),
            Body::Parts(parts) => parts.iter().for_each(|part| self.put_part(part)),
        }
    }

    fn put_part(&mut self, part: &Bytes) {
        if part.len() < COPIED_BYTES_MAX {
            return self.tail.extend_from_slice(part);
        }
        self.commit();
        self.bytes += part.len();
        if !self.tail.is_empty() {
            let before = self.take_tail();
            self.segments.push_back(before);
        }
        self.segments.push_back(Segment::Shared(part.clone()));
    }

    #[inline]
    fn set_length(&mut self, Start(at): Start, more: usize) {
        let length = (self.tail.len() + more - at - HEADER_BYTES) as u32;
        self.tail[at..at + HEADER_BYTES].copy_from_slice(&length.to_be_bytes());
    }

    /// Commits all frames up to here.
    #[inline]
    pub(super) fn commit(&mut self) {
        self.bytes += self.tail.len() - self.committed;
        self.committed = self.tail.len();
        if self.committed >= GATHERED_BYTES {
            let full = self.take_tail();
            self.segments.push_back(full);
        }
    }

    /// Gives up everything that has not been committed.
    pub(super) fn roll_back(&mut self) {
        self.tail.truncate(self.committed);
    }
}

/// The segments that are being written. A part of the first one may have been written already.
#[derive(Default)]
pub(crate) struct Batch {
    segments: VecDeque<Segment>,
    /// How much of the first segment has been written.
    at: usize,
    /// The memory of written segments.
    spare: Vec<Vec<u8>>,
}

impl Batch {
    pub(crate) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Points as many of `slices` as needed at the bytes to write next. Returns the used slices.
    pub(crate) fn slices<'s, 'a>(&'a self, slices: &'s mut [IoSlice<'a>]) -> &'s [IoSlice<'a>] {
        let mut count = 0;
        for (segment, slice) in self.segments.iter().zip(&mut *slices) {
            let written = if count == 0 { self.at } else { 0 };
            *slice = IoSlice::new(&segment.bytes()[written..]);
            count += 1;
        }
        &slices[..count]
    }

    /// Marks the first `count` bytes as written.
    pub(crate) fn advance(&mut self, mut count: usize) {
        while let Some(first) = self.segments.front() {
            let rest = first.bytes().len() - self.at;
            if count < rest {
                self.at += count;
                return;
            }
            count -= rest;
            self.at = 0;
            if let Some(Segment::Gathered(mut buffer)) = self.segments.pop_front()
                && self.spare.len() < SPARE_BUFFERS_MAX
            {
                buffer.clear();
                self.spare.push(buffer);
            }
        }
        assert!(count == 0, "no more was there to be written");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(output: &mut Output, body: &[u8]) {
        let start = output.begin(1);
        output.tail().extend_from_slice(body);
        output.end(start);
    }

    fn all(output: &mut Output) -> Vec<u8> {
        let mut batch = Batch::default();
        output.take(&mut batch);
        batch.segments.iter().flat_map(|segment| segment.bytes().to_vec()).collect()
    }

    #[test]
    fn only_committed_frames_are_written() {
        let mut output = Output::default();
        put(&mut output, b"a");
        assert_eq!(output.bytes(), 0);
        output.commit();
        put(&mut output, b"b");
        output.roll_back();
        put(&mut output, b"c");
        output.commit();
        put(&mut output, b"d");
        assert_eq!(output.bytes(), 12);
        assert_eq!(all(&mut output), b"\0\0\0\x02\x01a\0\0\0\x02\x01c");
        assert_eq!((output.bytes(), all(&mut output)), (0, vec![]));
    }

    #[test]
    fn large_payloads_are_written_without_a_copy() {
        let mut output = Output::default();
        let large = Bytes::from(vec![7; COPIED_BYTES_MAX]);
        let small = Bytes::from_static(b"small");
        for body in [&large, &small, &large] {
            let start = output.begin(1);
            output.end_with(start, &Body::Parts(vec![body.clone()]));
            output.commit();
        }
        let mut batch = Batch::default();
        assert_eq!(output.bytes(), 2 * COPIED_BYTES_MAX + 5 + 3 * 5);
        output.take(&mut batch);
        let mut slices = [IoSlice::new(&[]); 8];
        let slices = batch.slices(&mut slices);
        let lengths: Vec<_> = slices.iter().map(|slice| slice.len()).collect();
        assert_eq!(lengths, [5, COPIED_BYTES_MAX, 15, COPIED_BYTES_MAX]);
        assert_eq!((slices[1].as_ptr(), slices[3].as_ptr()), (large.as_ptr(), large.as_ptr()));
        assert_eq!(&slices[2][..10], b"\0\0\0\x06\x01small");
    }

    #[test]
    fn output_may_be_written_in_any_steps() {
        for step in 1..40 {
            let (mut output, mut batch) = (Output::default(), Batch::default());
            let (mut all, mut taken) = (Vec::new(), Vec::new());
            for number in 0..50_u8 {
                put(&mut output, &[number; 3]);
                output.commit();
                all.extend_from_slice(&[0, 0, 0, 4, 1, number, number, number]);
                if number % 3 == 0 {
                    output.take(&mut batch);
                }
                let mut slices = [IoSlice::new(&[]); 2];
                let written: Vec<u8> = batch
                    .slices(&mut slices)
                    .iter()
                    .flat_map(|slice| slice.to_vec())
                    .take(step)
                    .collect();
                batch.advance(written.len());
                taken.extend(written);
            }
            output.take(&mut batch);
            let mut slices = [IoSlice::new(&[]); 60];
            taken.extend(batch.slices(&mut slices).iter().flat_map(|slice| slice.to_vec()));
            assert_eq!(taken, all);
        }
    }

    #[test]
    fn gathered_segments_reuse_their_memory() {
        let (mut output, mut batch) = (Output::default(), Batch::default());
        for _ in 0..3 {
            for _ in 0..8 * GATHERED_BYTES / 1029 {
                put(&mut output, &[0; 1024]);
                output.commit();
            }
            let bytes = output.bytes();
            output.take(&mut batch);
            let lengths = batch.segments.iter().map(|segment| segment.bytes().len());
            assert!(lengths.clone().all(|length| length < GATHERED_BYTES + 1029));
            assert_eq!((lengths.len(), lengths.sum()), (8, bytes));
            batch.advance(bytes);
            assert_eq!(batch.spare.len(), SPARE_BUFFERS_MAX);
        }
        output.take(&mut batch);
        assert_eq!((output.spare.len(), batch.spare.len()), (SPARE_BUFFERS_MAX, 0));
    }
}
