//! Arrays of any length as messages: serde stops at 32.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeTuple as _, Serializer};

use super::foreign::Part;
use super::{
    Buffer, DecodeError, EncodeError, Message, decode_postcard_shared, encode_postcard, hash_bytes,
    hash_tag,
};

/// On the wire it is its elements, as many as its type says.
impl<T: Part, const N: usize> Message for [T; N] {
    fn tag() -> Cow<'static, str> {
        format!("array{N}<{}>", T::tag()).into()
    }

    fn fingerprint() -> u64 {
        let hash = hash_bytes(hash_tag("array"), &(N as u64).to_le_bytes());
        hash_bytes(hash, &T::fingerprint().to_le_bytes())
    }

    fn check_sendable() -> Result<(), EncodeError> {
        T::check_sendable()
    }

    fn encode(&self, out: &mut Buffer) -> Result<(), EncodeError> {
        encode_postcard(&Elements(self), out)
    }

    fn decode(bytes: &Bytes) -> Result<Self, DecodeError> {
        decode_postcard_shared::<Array<T, N>>(bytes).map(|array| array.0)
    }
}

struct Elements<'a, T, const N: usize>(&'a [T; N]);

impl<T: Serialize, const N: usize> Serialize for Elements<'_, T, N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(N)?;
        self.0.iter().try_for_each(|element| tuple.serialize_element(element))?;
        tuple.end()
    }
}

struct Array<T, const N: usize>([T; N]);

impl<'de, T: Deserialize<'de>, const N: usize> Deserialize<'de> for Array<T, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_tuple(N, OfLength::<T, N>(PhantomData))
    }
}

struct OfLength<T, const N: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const N: usize> Visitor<'de> for OfLength<T, N> {
    type Value = Array<T, N>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an array of {N} elements")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Array<T, N>, A::Error> {
        // What is there is at the end of the bytes, of which an element has one at least, or it
        // takes no memory.
        let mut all = Vec::new();
        while all.len() < N {
            let missing = || de::Error::invalid_length(all.len(), &self);
            let element = elements.next_element()?.ok_or_else(missing)?;
            all.push(element);
        }
        let expected = "there are as many as the array has";
        Ok(Array(all.try_into().map_err(|_: Vec<T>| ()).expect(expected)))
    }
}
