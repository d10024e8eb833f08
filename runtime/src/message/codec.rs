//! Encoding with postcard: compact, not self-describing, which is why a message's
//! fingerprint travels with it.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Buffer, WireType, decoder, encoder};
use crate::printable::printable;

/// Why a value could not be encoded for another node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{type_name}` cannot be sent to another node: {why}")]
pub struct EncodeError {
    type_name: Cow<'static, str>,
    why: String,
}

impl EncodeError {
    /// A carrier can't take a message of this type, and why.
    #[doc(hidden)]
    pub fn refused(type_name: &str, why: impl Into<String>) -> EncodeError {
        EncodeError { type_name: type_name.to_owned().into(), why: why.into() }
    }

    pub(crate) fn new<T>(why: impl Into<String>) -> EncodeError {
        EncodeError { type_name: std::any::type_name::<T>().into(), why: why.into() }
    }
}

/// Why bytes of another node are not the value that they were taken for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct DecodeError(Kind);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Kind {
    #[error("a message of type `{got}` was taken for a `{wanted}`")]
    OtherType { got: String, wanted: String },
    #[error(
        "the sender's `{tag}` has another shape than ours; run the same version on both nodes, \
         or give the changed type a new name"
    )]
    OtherShape { tag: String },
    #[error("the bytes are no `{type_name}`: {why}")]
    Malformed { type_name: &'static str, why: String },
}

impl DecodeError {
    /// Bytes that are no `T`, and why.
    pub fn malformed<T>(why: impl Into<String>) -> DecodeError {
        DecodeError(Kind::Malformed { type_name: std::any::type_name::<T>(), why: why.into() })
    }

    pub(super) fn other_type(got: &WireType, wanted: &WireType) -> DecodeError {
        let got = printable(&got.tag);
        DecodeError(Kind::OtherType { got, wanted: wanted.tag.as_ref().into() })
    }

    pub(super) fn other_shape(got: &WireType) -> DecodeError {
        DecodeError(Kind::OtherShape { tag: printable(&got.tag) })
    }

    /// The type is the right one, and the bytes are no value of it; as opposed to a type that
    /// differs.
    #[must_use]
    pub fn is_malformed(&self) -> bool {
        matches!(self.0, Kind::Malformed { .. })
    }
}

/// Appends `value` to `out` in postcard's encoding. What is a large `Bytes` in it is shared.
///
/// # Errors
/// When the value's own `Serialize` refuses; when more than 64 options, enums, lists and maps are
/// inside each other; when a list or map has items of no bytes, as `Vec<()>` has.
pub fn encode_postcard<T: Serialize>(value: &T, out: &mut Buffer) -> Result<(), EncodeError> {
    encoder::append(value, out).map_err(|error| EncodeError::new::<T>(error.to_string()))
}

/// Reads a value that fills `bytes` to the last byte.
///
/// # Errors
/// When the bytes are no `T`, or some are left over; when they are beyond the limits of
/// [`encode_postcard`].
pub fn decode_postcard<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    decode(bytes, None)
}

/// The same, where a large `Bytes` in the value shares the memory of `bytes`, if it is a fourth
/// of these or more.
///
/// # Errors
/// As [`decode_postcard`].
pub fn decode_postcard_shared<T: DeserializeOwned>(bytes: &Bytes) -> Result<T, DecodeError> {
    decode(bytes, Some(bytes))
}

fn decode<'a, T: DeserializeOwned>(
    bytes: &'a [u8],
    owner: Option<&'a Bytes>,
) -> Result<T, DecodeError> {
    match decoder::take(bytes, owner) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(DecodeError::malformed::<T>(format!("{} bytes too many", rest.len()))),
        Err(error) => Err(DecodeError::malformed::<T>(error.to_string())),
    }
}
