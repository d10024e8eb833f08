//! Encodes values with postcard. The encoding is compact and not self-describing, so a message
//! carries its fingerprint.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::described::{self, Reading};
use super::form::{self, Encoded};
use super::limits::Refused;
use super::{Buffer, NodeList, WireType, decoder, encode_with_nodes, node_codec};
use crate::printable::printable;

/// Why a value could not be encoded for another node.
///
/// ```
/// use fika_runtime::{Encoded, Local};
///
/// let error = Encoded::new(&Local(std::sync::mpsc::channel::<u64>().0)).unwrap_err();
/// assert!(error.to_string().contains("cannot be sent to another node"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{type_name}` cannot be sent to another node: {why}")]
pub struct EncodeError {
    type_name: Cow<'static, str>,
    why: String,
    /// The value can only be encoded in the described form: see [`encode_message`].
    needs_description: bool,
}

impl EncodeError {
    /// Returns the error for a message type that a carrier can't send, and why.
    #[doc(hidden)]
    pub fn refused(type_name: &str, why: impl Into<String>) -> EncodeError {
        let type_name = type_name.to_owned().into();
        EncodeError { type_name, why: why.into(), needs_description: false }
    }

    pub(crate) fn new<T>(why: impl Into<String>) -> EncodeError {
        let type_name = std::any::type_name::<T>().into();
        EncodeError { type_name, why: why.into(), needs_description: false }
    }
}

/// Why bytes from another node are not a value of the expected type.
///
/// ```
/// use fika_runtime::Encoded;
///
/// let encoded = Encoded::new(&7_u64).unwrap();
/// assert_eq!(encoded.decode::<u64>().unwrap(), 7);
/// let error = encoded.decode::<String>().unwrap_err();
/// assert!(!error.is_malformed());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct DecodeError(Kind);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Kind {
    #[error("expected a message of type `{wanted}`, got `{got}`")]
    OtherType { got: String, wanted: String },
    #[error(
        "the sender's `{tag}` has another shape than ours; run the same version on both nodes, \
         or give the changed type a new name"
    )]
    OtherShape { tag: String },
    #[error("this node has no `#[remote]` function `{name}`: run the same program on both nodes")]
    NoFunction { name: String },
    #[error("a message of type `{got}` can't be identified: {clash}")]
    Clash { got: String, clash: String },
    #[error("the bytes are not a valid `{type_name}`: {why}")]
    Malformed { type_name: &'static str, why: String },
}

impl DecodeError {
    /// Returns the error for bytes that are not a valid `T`, and why.
    ///
    /// ```
    /// use fika_runtime::DecodeError;
    ///
    /// struct Port(u16);
    ///
    /// fn port(bytes: &[u8]) -> Result<Port, DecodeError> {
    ///     match bytes.try_into() {
    ///         Ok(bytes) => Ok(Port(u16::from_be_bytes(bytes))),
    ///         Err(_) => Err(DecodeError::malformed::<Port>("a port has two bytes")),
    ///     }
    /// }
    ///
    /// assert_eq!(port(&[15, 160]).unwrap().0, 4000);
    /// assert!(port(&[1]).is_err_and(|error| error.is_malformed()));
    /// ```
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

    /// Returns the error for a call of a function that this node does not have.
    pub(crate) fn no_function(name: &str) -> DecodeError {
        DecodeError(Kind::NoFunction { name: printable(name) })
    }

    pub(super) fn clash(got: &WireType, clash: &super::TagClash) -> DecodeError {
        DecodeError(Kind::Clash { got: printable(&got.tag), clash: clash.to_string() })
    }

    /// Returns whether the type matched but the bytes are not a value of the type. False if the
    /// types differ.
    #[must_use]
    pub fn is_malformed(&self) -> bool {
        matches!(self.0, Kind::Malformed { .. })
    }
}

/// Appends `value` to `out`: in postcard's encoding, or in the described form if `out` [is
/// described](Buffer::is_described). A large `Bytes` in the value is shared.
///
/// ```
/// use fika_runtime::message::{Buffer, decode_postcard, encode_postcard};
///
/// let mut out = Buffer::new();
/// encode_postcard(&(7_u64, "tea".to_owned()), &mut out)?;
/// let bytes = out.into_bytes();
/// assert_eq!(decode_postcard::<(u64, String)>(&bytes)?, (7, "tea".to_owned()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// - The value's own `Serialize` fails, or a receiver could not read the value back.
/// - Options, enums, lists and maps are nested more than 64 deep.
/// - A list or map has items without bytes, like those of a `Vec<()>`.
/// - The value needs the described form and `out` has the plain form. [`encode_message`] then
///   starts again.
#[inline]
pub fn encode_postcard<T: Serialize + DeserializeOwned>(
    value: &T,
    out: &mut Buffer,
) -> Result<(), EncodeError> {
    match form::encode(value, out) {
        Ok(Encoded::Yes) => Ok(()),
        Ok(Encoded::NeedsDescription) => {
            let why = "it does not fit the plain form";
            Err(EncodeError { needs_description: true, ..EncodeError::new::<T>(why) })
        }
        Err(error) => Err(EncodeError::new::<T>(error.to_string())),
    }
}

/// Encodes a message with its [`encode`](super::Message::encode), in the form that it needs, and
/// lists the nodes that it names. May remove earlier contents of `out` and `nodes`.
///
/// # Errors
/// If the message can't leave this node.
pub fn encode_message(
    out: &mut Buffer,
    nodes: &mut NodeList,
    encode: impl Fn(&mut Buffer) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    match encode_with_nodes(nodes, || encode(out)) {
        Err(error) if error.needs_description && !out.is_described() => {
            encode_described(out, nodes, &encode)
        }
        result => result,
    }
}

#[cold]
fn encode_described(
    out: &mut Buffer,
    nodes: &mut NodeList,
    encode: &dyn Fn(&mut Buffer) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    out.describe();
    nodes.clear();
    encode_with_nodes(nodes, || encode(out))
}

/// Reads a value that fills `bytes` to the last byte.
///
/// ```
/// use fika_runtime::message::decode_postcard;
///
/// assert_eq!(decode_postcard::<(bool, u8)>(&[1, 9])?, (true, 9));
/// // A byte is left over.
/// assert!(decode_postcard::<bool>(&[1, 9]).is_err());
/// # Ok::<(), fika_runtime::DecodeError>(())
/// ```
///
/// # Errors
/// If the bytes are not a `T`, if some are left over, or if they exceed the limits of
/// [`encode_postcard`].
pub fn decode_postcard<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    decode(bytes, None)
}

/// Reads a value that fills `bytes` to the last byte. A large `Bytes` in the value shares the
/// memory of `bytes` if it is at least a quarter of them.
///
/// ```
/// use fika_runtime::Bytes;
/// use fika_runtime::message::{Buffer, decode_postcard_shared, encode_postcard};
///
/// let mut out = Buffer::new();
/// encode_postcard(&Bytes::from(vec![7; 100_000]), &mut out)?;
/// let received = out.into_bytes();
/// let picture: Bytes = decode_postcard_shared(&received)?;
/// // Nothing was copied.
/// assert!(received.as_ptr_range().contains(&picture.as_ptr()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Fails as [`decode_postcard`] does.
pub fn decode_postcard_shared<T: DeserializeOwned>(bytes: &Bytes) -> Result<T, DecodeError> {
    decode(bytes, Some(bytes))
}

fn decode<'a, T: DeserializeOwned>(
    bytes: &'a [u8],
    owner: Option<&'a Bytes>,
) -> Result<T, DecodeError> {
    if node_codec::is_described() {
        return decode_described(bytes, owner);
    }
    match decoder::take(bytes, owner) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => {
            let why = Refused::too_many_bytes(rest.len());
            Err(DecodeError::malformed::<T>(why.to_string()))
        }
        Err(error) => Err(DecodeError::malformed::<T>(error.to_string())),
    }
}

#[cold]
fn decode_described<'a, T: DeserializeOwned>(
    bytes: &'a [u8],
    owner: Option<&'a Bytes>,
) -> Result<T, DecodeError> {
    let (value, _) = described::take(bytes, owner, Reading::Received);
    value.map_err(|error| DecodeError::malformed::<T>(error.to_string()))
}
