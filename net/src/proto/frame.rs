//! The frames of an established connection: four bytes of length, then the body.
//!
//! This file finds where a frame ends. `control` says what a body means. Nothing is kept because of
//! a length alone: a length above the limit is an error as soon as it can be read.

use super::error::InvalidMessage;
use super::limits::FRAME_BYTES_MAX;

/// The size of a frame's length.
pub(super) const HEADER_BYTES: usize = 4;

/// A frame, given by the length of its body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Frame {
    pub(super) body_bytes: usize,
}

impl Frame {
    /// Returns the frame that begins here. `None` if its length has not arrived completely.
    pub(super) fn at(bytes: &[u8]) -> Result<Option<Frame>, InvalidMessage> {
        let Some(length) = bytes.first_chunk() else { return Ok(None) };
        let length = u32::from_be_bytes(*length);
        match usize::try_from(length) {
            Ok(body_bytes) if body_bytes <= FRAME_BYTES_MAX => Ok(Some(Frame { body_bytes })),
            _ => {
                let (what, length) = ("a frame", length.into());
                Err(InvalidMessage::TooLong { what, length, max: FRAME_BYTES_MAX })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_checked_before_the_body_arrives() {
        let max = u32::try_from(FRAME_BYTES_MAX).unwrap();
        let body_bytes = FRAME_BYTES_MAX;
        assert_eq!(Frame::at(&max.to_be_bytes()), Ok(Some(Frame { body_bytes })));
        assert_eq!(Frame::at(&max.to_be_bytes()[..3]), Ok(None));
        for length in [max + 1, u32::MAX] {
            let refused = Frame::at(&length.to_be_bytes());
            assert!(matches!(refused, Err(InvalidMessage::TooLong { .. })));
        }
    }
}
