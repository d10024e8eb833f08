//! The frames of the handshake: two bytes of length, then the body.

use bytes::{Buf as _, BytesMut};

use crate::proto::codec::Put as _;
use crate::proto::error::InvalidMessage;

/// The largest body in bytes, and so the most that is kept for a peer that has proved nothing. An
/// HTTP request or a TLS record begins with a length far above it.
pub(super) const BODY_BYTES_MAX: usize = 1024;

/// Takes the body of one whole frame off the front of the received bytes.
///
/// `None` means that more bytes are needed. The bytes after the handshake's last frame stay in the
/// buffer, and belong to the connection.
///
/// # Errors
/// If the length is 0 or above the limit, as soon as it can be read.
pub(crate) fn frame(received: &mut BytesMut) -> Result<Option<Vec<u8>>, InvalidMessage> {
    let Some(length) = received.first_chunk() else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes(*length));
    if length == 0 {
        return Err(InvalidMessage::EmptyFrame);
    }
    if length > BODY_BYTES_MAX {
        let (what, length) = ("a frame of the handshake", length as u64);
        return Err(InvalidMessage::TooLong { what, length, max: BODY_BYTES_MAX });
    }
    let Some(body) = received.get(2..2 + length) else {
        return Ok(None);
    };
    let body = body.to_vec();
    received.advance(2 + length);
    Ok(Some(body))
}

/// Prepends the length to a body of at most [`BODY_BYTES_MAX`] bytes.
pub(super) fn framed(body: &[u8]) -> Vec<u8> {
    debug_assert!((1..=BODY_BYTES_MAX).contains(&body.len()), "names are checked before");
    let mut frame = Vec::with_capacity(2 + body.len());
    frame.put_u16(body.len() as u16);
    frame.extend_from_slice(body);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_one_at_a_time() {
        let mut received = BytesMut::new();
        let bytes = [framed(b"one"), framed(&[7; BODY_BYTES_MAX]), b"\0\0\0\x01rest".to_vec()];
        let mut taken = Vec::new();
        for byte in bytes.concat() {
            received.extend_from_slice(&[byte]);
            if taken.len() < 2 {
                taken.extend(frame(&mut received).unwrap());
            }
        }
        assert_eq!(taken, [b"one".to_vec(), vec![7; BODY_BYTES_MAX]]);
        assert_eq!(received, b"\0\0\0\x01rest"[..], "it belongs to the connection");
    }

    /// HS-14: refused at once, without waiting for the claimed length.
    #[test]
    fn lengths_are_limited() {
        assert_eq!(frame(&mut BytesMut::from(&b"\0\0"[..])), Err(InvalidMessage::EmptyFrame));
        for garbage in [&b"\x04\x01"[..], b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\x02\0"] {
            let refused = frame(&mut BytesMut::from(garbage));
            assert!(matches!(refused, Err(InvalidMessage::TooLong { .. })), "{garbage:?}");
        }
    }
}
