//! `Bytes` as a message: encoded in one piece. A `Vec<u8>` is a list of elements.

use std::borrow::Cow;

use ::bytes::Bytes;

use super::{Buffer, DecodeError, EncodeError, Message, hash_tag};

impl Message for Bytes {
    fn tag() -> Cow<'static, str> {
        "bytes".into()
    }

    fn tag_hash() -> u64 {
        const { hash_tag("bytes") }
    }

    fn fingerprint() -> u64 {
        1
    }

    fn encode(&self, out: &mut Buffer) -> Result<(), EncodeError> {
        out.put_bytes(self);
        Ok(())
    }

    fn decode(bytes: &Bytes) -> Result<Self, DecodeError> {
        Ok(bytes.clone())
    }
}
