//! `Bytes` as a message: copied whole, where a `Vec<u8>` goes element by element.

use std::borrow::Cow;

use ::bytes::Bytes;

use super::{DecodeError, EncodeError, Message, hash_tag};

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

    fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend_from_slice(self);
        Ok(())
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        Ok(Bytes::copy_from_slice(bytes))
    }

    fn decode_shared(bytes: &Bytes) -> Result<Self, DecodeError> {
        Ok(bytes.clone())
    }
}
