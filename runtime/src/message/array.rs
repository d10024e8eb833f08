//! Arrays of any length as messages: serde supports them only up to a length of 32.

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
            Array::Borrowed(_) => unreachable!("what is read is owned"),
        }
    }
}

/// An array with serde's traits.
enum Array<'a, T, const N: usize> {
    Borrowed(&'a [T; N]),
    Owned([T; N]),
}

impl<T: Serialize, const N: usize> Serialize for Array<'_, T, N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let array = match self {
            Array::Borrowed(array) => array,
            Array::Owned(array) => array,
        };
        let mut tuple = serializer.serialize_tuple(N)?;
        array.iter().try_for_each(|element| tuple.serialize_element(element))?;
        tuple.end()
    }
}

impl<'de, T: Deserialize<'de>, const N: usize> Deserialize<'de> for Array<'_, T, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_tuple(N, OfLength::<T, N>(PhantomData)).map(Array::Owned)
    }
}

struct OfLength<T, const N: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const N: usize> Visitor<'de> for OfLength<T, N> {
    type Value = [T; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an array of length {N}")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<[T; N], A::Error> {
        // Not allocated in advance: an array whose elements have a size takes at least a byte for
        // each of them, so its memory is bounded by the received bytes.
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
