//! The frames of an established connection: four bytes of length, then the body.
//!
//! This file finds where a frame ends in what has been received; what a body says is in
//! `control`. Nothing is kept on the strength of a length alone: one above the limit is
//! an error as soon as it can be read, and one below it makes no buffer grow.

use bytes::{Buf as _, Bytes, BytesMut};

use super::error::InvalidMessage;
use super::limits::COPIED_BYTES_MAX;

/// Bytes of a frame's length.
pub(super) const HEADER_BYTES: usize = 4;

/// A whole frame at the front of the read buffer, by the length of its body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Frame {
    body_bytes: usize,
}

impl Frame {
    /// The next frame, ticks aside; none if more bytes are needed.
    pub(super) fn next(
        received: &mut BytesMut,
        body_bytes_max: usize,
    ) -> Result<Option<Frame>, InvalidMessage> {
        loop {
            let Some(length) = received.first_chunk() else {
                return Ok(None);
            };
            let length = u32::from_be_bytes(*length);
            let body_bytes = usize::try_from(length).unwrap_or(usize::MAX);
            if body_bytes > body_bytes_max {
                let (what, length) = ("a frame", u64::from(length));
                return Err(InvalidMessage::TooLong { what, length, max: body_bytes_max });
            }
            if body_bytes > 0 {
                let whole = received.len() - HEADER_BYTES >= body_bytes;
                return Ok(whole.then_some(Frame { body_bytes }));
            }
            received.advance(HEADER_BYTES);
        }
    }

    /// Hands the frame's body to `read` and takes it off the buffer.
    ///
    /// A small body is read where it stands, and the buffer is free for the next bytes.
    /// A large one is split off with its memory, which [`Body::keep`] can share.
    pub(super) fn consume<R>(self, received: &mut BytesMut, read: impl FnOnce(Body<'_>) -> R) -> R {
        if self.body_bytes < COPIED_BYTES_MAX {
            let body = &received[HEADER_BYTES..][..self.body_bytes];
            let result = read(Body { bytes: body, shared: None });
            received.advance(HEADER_BYTES + self.body_bytes);
            return result;
        }
        received.advance(HEADER_BYTES);
        let whole = received.split_to(self.body_bytes).freeze();
        read(Body { bytes: &whole, shared: Some(&whole) })
    }
}

/// A frame's body.
#[derive(Clone, Copy)]
pub(super) struct Body<'a> {
    pub(super) bytes: &'a [u8],
    shared: Option<&'a Bytes>,
}

impl Body<'_> {
    /// A part of the body, to keep: copied if it is small, shared if it is large.
    pub(super) fn keep(self, part: &[u8]) -> Bytes {
        match self.shared {
            Some(whole) if part.len() >= COPIED_BYTES_MAX => whole.slice_ref(part),
            _ => Bytes::copy_from_slice(part),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer(parts: &[&[u8]]) -> BytesMut {
        BytesMut::from(&parts.concat()[..])
    }

    #[test]
    fn ticks_are_skipped_and_halves_wait() {
        let mut received = buffer(&[&[0; 4], &[0; 4], &[0, 0, 0, 3], b"on"]);
        assert_eq!(Frame::next(&mut received, 100), Ok(None));
        assert_eq!(received.len(), 6, "the ticks are gone");
        received.extend_from_slice(b"e\0\0");
        let frame = Frame::next(&mut received, 100).unwrap().unwrap();
        assert_eq!(frame.consume(&mut received, |body| body.bytes.to_vec()), b"one");
        assert_eq!(Frame::next(&mut received, 100), Ok(None));
        assert_eq!(received, b"\0\0"[..]);
    }

    #[test]
    fn the_limit_counts_before_the_body_is_there() {
        assert_eq!(Frame::next(&mut buffer(&[&[0, 0, 0, 100]]), 100), Ok(None));
        for length in [[0, 0, 0, 101], [0xff; 4]] {
            let refused = Frame::next(&mut buffer(&[&length]), 100);
            assert!(matches!(refused, Err(InvalidMessage::TooLong { max: 100, .. })));
        }
    }

    #[test]
    fn large_parts_are_shared() {
        for (size, shared) in [(COPIED_BYTES_MAX - 1, false), (COPIED_BYTES_MAX, true)] {
            let length = u32::try_from(size).unwrap().to_be_bytes();
            let mut received = buffer(&[&length, &vec![7; size], b"next"]);
            let place = received[HEADER_BYTES..].as_ptr();
            let frame = Frame::next(&mut received, 1 << 20).unwrap().unwrap();
            let (whole, small) = frame.consume(&mut received, |body| {
                (body.keep(body.bytes), body.keep(&body.bytes[..9]))
            });
            assert_eq!((whole.len(), small.len()), (size, 9));
            assert_eq!((whole.as_ptr() == place, small.as_ptr() == place), (shared, false));
            assert_eq!(received, b"next"[..]);
        }
    }
}
