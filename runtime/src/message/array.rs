//! Arrays of any length. serde supports arrays only up to a length of 32.
//!
//! An array of any length is a message. For a field that is a longer array, name this module: its
//! functions write and read the array as serde does with shorter ones.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//!
//! // In a program, next to `fika::Message`.
//! #[derive(Serialize, Deserialize)]
//! struct Block {
//!     number: u64,
//!     #[serde(with = "fika_runtime::message::array")] // `fika::message::array`
//!     sums: [u32; 64],
//! }
//! ```
//!
//! The elements need serde's traits. For an array of arrays that are longer than 32, wrap the inner
//! arrays in a struct. For bytes, prefer `Bytes`, which is not copied.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeTuple as _, Serializer};

use super::foreign::Part;
use super::{
    Buffer, DecodeError, EncodeError, Message, composed_fingerprint, decode_postcard_shared,
    encode_postcard, generic_tag, generic_tag_hash, hash_bytes, hash_tag,
};

/// On the wire, an array is its elements. Their number is part of the type.
impl<T: Part, const N: usize> Message for [T; N] {
    fn tag() -> Cow<'static, str> {
        generic_tag::<Self>(|| format!("array{N}<{}>", T::tag())).into()
    }

    fn tag_hash() -> u64 {
        generic_tag_hash::<Self>(|| Self::tag().into_owned())
    }

    fn fingerprint() -> u64 {
        composed_fingerprint::<Self>(|| {
            let hash = hash_bytes(hash_tag("array"), &(N as u64).to_le_bytes());
            hash_bytes(hash, &T::fingerprint().to_le_bytes())
        })
    }

    fn check_sendable() -> Result<(), EncodeError> {
        T::check_sendable()
    }

    fn encode(&self, out: &mut Buffer) -> Result<(), EncodeError> {
        encode_postcard(&Array::Borrowed(self), out)
    }

    fn decode(bytes: &Bytes) -> Result<Self, DecodeError> {
        match decode_postcard_shared(bytes)? {
            Array::Owned(array) => Ok(array),
            Array::Borrowed(_) => unreachable!("`Deserialize` makes only owned arrays"),
        }
    }
}

/// Writes an array of any length; see [the module](self).
///
/// # Errors
/// If the serializer or an element fails.
pub fn serialize<S: Serializer, T: Serialize, const N: usize>(
    array: &[T; N],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut tuple = serializer.serialize_tuple(N)?;
    array.iter().try_for_each(|element| tuple.serialize_element(element))?;
    tuple.end()
}

/// Reads an array of any length; see [the module](self).
///
/// # Errors
/// If there are fewer than `N` elements, or if the deserializer or an element fails.
pub fn deserialize<'de, D: Deserializer<'de>, T: Deserialize<'de>, const N: usize>(
    deserializer: D,
) -> Result<[T; N], D::Error> {
    deserializer.deserialize_tuple(N, OfLength::<T, N>(PhantomData))
}

/// An array with serde's traits.
enum Array<'a, T, const N: usize> {
    Borrowed(&'a [T; N]),
    Owned([T; N]),
}

impl<T: Serialize, const N: usize> Serialize for Array<'_, T, N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Array::Borrowed(array) => serialize(array, serializer),
            Array::Owned(array) => serialize(array, serializer),
        }
    }
}

impl<'de, T: Deserialize<'de>, const N: usize> Deserialize<'de> for Array<'_, T, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize(deserializer).map(Array::Owned)
    }
}

struct OfLength<T, const N: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const N: usize> Visitor<'de> for OfLength<T, N> {
    type Value = [T; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an array of length {N}")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<[T; N], A::Error> {
        // Not allocated in advance: each element that has a size takes at least one byte, so the
        // received bytes bound the memory.
        let mut all = Vec::new();
        while all.len() < N {
            let missing = || de::Error::invalid_length(all.len(), &self);
            let element = elements.next_element()?.ok_or_else(missing)?;
            all.push(element);
        }
        let expected = "there are as many as the array has";
        Ok(all.try_into().map_err(|_: Vec<T>| ()).expect(expected))
    }
}
