//! Recognizes a `Bytes` or a list of bytes among the values that serde handles.
//!
//! serde passes a slice on without its owner, so a `Bytes` inside another value would be copied
//! when it is written and again when it is read. To serde, a `Vec<u8>` is a list like any other,
//! which is written item by item. The encoder and the decoder use this file to recognize both
//! types, wherever they are in a value.
//!
//! # Invariants
//! - **S1** Two types with the same `typeid::of` differ at most in their lifetimes.
//! - **S2** `Bytes`, `Vec<u8>`, and the visitors of their `Deserialize` have no lifetimes.
#![allow(unsafe_code)]

use std::any::TypeId;
use std::fmt;
use std::mem::ManuallyDrop;

use bytes::Bytes;
use serde::de::{self, Deserialize as _, Visitor};

use super::buffer::SHARED_BYTES_MIN;

/// A `Bytes` in a value shares the memory of the whole only if it is at least this fraction of it.
/// A smaller one is copied, so that it does not keep much unrelated memory.
pub(super) const SHARED_PART_MIN: usize = 4;

/// Returns these bytes of `owner` as a `Bytes`, if they should be shared.
#[inline]
pub(super) fn part_of(owner: &Bytes, bytes: &[u8]) -> Option<Bytes> {
    let shares = bytes.len() >= SHARED_BYTES_MIN && bytes.len() >= owner.len() / SHARED_PART_MIN;
    shares.then(|| owner.slice_ref(bytes))
}

/// Returns the value if it is a `Bytes`, or a reference to one. Lists pass their items as
/// references.
#[inline]
pub(super) fn as_bytes<T: ?Sized>(value: &T) -> Option<&Bytes> {
    let (type_id, value) = (typeid::of::<T>(), std::ptr::from_ref(value));
    if type_id == TypeId::of::<Bytes>() {
        // SAFETY: S1 and S2: `T` is `Bytes`, so the pointer is thin and points to one.
        Some(unsafe { &*value.cast::<Bytes>() })
    } else if type_id == TypeId::of::<&'static Bytes>() {
        // SAFETY: S1 and S2: `T` is a reference to a `Bytes`, which lives at least as long as the
        // borrow of the reference.
        Some(unsafe { *value.cast::<&Bytes>() })
    } else {
        None
    }
}

/// Returns the bytes if the items are those of a byte slice or a `Vec<u8>`, including one inside a
/// `Box<[u8]>`, an `Arc<[u8]>` or a `Cow`.
#[inline]
pub(super) fn as_byte_list<I>(items: &I) -> Option<&[u8]> {
    let (type_id, items) = (typeid::of::<I>(), std::ptr::from_ref(items));
    if type_id == TypeId::of::<&'static [u8]>() {
        // SAFETY: S1: `I` is a reference to such a slice, which lives at least as long as the
        // borrow of the reference.
        Some(unsafe { *items.cast::<&[u8]>() })
    } else if type_id == TypeId::of::<&'static Vec<u8>>() {
        // SAFETY: S1: as above, for a reference to a `Vec<u8>`.
        Some(unsafe { *items.cast::<&Vec<u8>>() })
    } else {
        None
    }
}

/// Returns whether this visitor collects its items, unchanged, in a `Vec<u8>`.
#[inline]
pub(super) fn makes_byte_vec<'de, V: Visitor<'de>>() -> bool {
    let visitor = || Vec::<u8>::deserialize(Probe).err().and_then(|found| found.0);
    typeid::of::<V::Value>() == TypeId::of::<Vec<u8>>() && visitor() == Some(typeid::of::<V>())
}

/// Returns the visitor's value for these bytes, if it [makes](makes_byte_vec) a `Vec<u8>` of its
/// items.
#[inline]
pub(super) fn visited_byte_vec<'de, V: Visitor<'de>>(bytes: Vec<u8>) -> Option<V::Value> {
    if !makes_byte_vec::<V>() {
        return None;
    }
    let bytes = ManuallyDrop::new(bytes);
    // SAFETY: S1 and S2: the value is a `Vec<u8>`. It is moved out of a place that does not drop
    // it.
    Some(unsafe { std::mem::transmute_copy::<Vec<u8>, V::Value>(&bytes) })
}

/// Returns whether this visitor keeps the bytes that it is given, unchanged, in a `Bytes`.
#[inline]
pub(super) fn makes_bytes<'de, V: Visitor<'de>>() -> bool {
    let visitor = || Bytes::deserialize(Probe).err().and_then(|found| found.0);
    typeid::of::<V::Value>() == TypeId::of::<Bytes>() && visitor() == Some(typeid::of::<V>())
}

/// Returns the visitor's value for these bytes, if it [makes](makes_bytes) a `Bytes` of them.
#[inline]
pub(super) fn visited<'de, V: Visitor<'de>>(bytes: Bytes) -> Option<V::Value> {
    if !makes_bytes::<V>() {
        return None;
    }
    let bytes = ManuallyDrop::new(bytes);
    // SAFETY: S1 and S2: the value is a `Bytes`. It is moved out of a place that does not drop it.
    Some(unsafe { std::mem::transmute_copy::<Bytes, V::Value>(&bytes) })
}

/// A deserializer that reports the visitor of a type.
struct Probe;

/// The type of the visitor, if it requested bytes or a list.
#[derive(Debug)]
struct Found(Option<TypeId>);

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Found {}

impl de::Error for Found {
    fn custom<T: fmt::Display>(_: T) -> Found {
        Found(None)
    }
}

impl<'de> de::Deserializer<'de> for Probe {
    type Error = Found;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Found> {
        Err(Found(None))
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Found> {
        Err(Found(Some(typeid::of::<V>())))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Found> {
        Err(Found(Some(typeid::of::<V>())))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes option unit
        unit_struct newtype_struct tuple tuple_struct map struct enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bytes_are_recognised_as_bytes() {
        let bytes = Bytes::from_static(b"some");
        assert_eq!(as_bytes(&bytes).map(|bytes| bytes.as_ptr()), Some(bytes.as_ptr()));
        assert!(as_bytes(&vec![1_u8]).is_none() && as_bytes("text").is_none());
        assert!(as_bytes(&Box::new(bytes.clone())).is_none() && as_bytes(&bytes[..]).is_none());
        assert_eq!(as_bytes(&&bytes).map(|bytes| bytes.as_ptr()), Some(bytes.as_ptr()));
        assert!(as_bytes(&&&bytes).is_none() && as_bytes(&&bytes[..]).is_none());
    }

    #[test]
    fn only_lists_of_bytes_are_recognised_as_byte_lists() {
        let bytes = vec![1_u8, 2, 3];
        assert_eq!(as_byte_list(&&bytes).map(<[u8]>::as_ptr), Some(bytes.as_ptr()));
        assert_eq!(as_byte_list(&&bytes[..]).map(<[u8]>::as_ptr), Some(bytes.as_ptr()));
        assert!(as_byte_list(&bytes).is_none() && as_byte_list(&&&bytes).is_none());
        assert!(as_byte_list(&&[1_i8][..]).is_none() && as_byte_list(&&[1_u8; 3]).is_none());
    }

    /// Gives a `Bytes` to a visitor that requests bytes, and a `Vec<u8>` to one that requests a
    /// list.
    struct Source(Bytes);

    impl<'de> de::Deserializer<'de> for Source {
        type Error = Found;

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Found> {
            Err(Found(None))
        }

        fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Found> {
            match visited::<V>(self.0.clone()) {
                Some(value) => Ok(value),
                None => visitor.visit_bytes(&self.0),
            }
        }

        fn deserialize_seq<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Found> {
            visited_byte_vec::<V>(self.0.to_vec()).ok_or(Found(None))
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes option unit
            unit_struct newtype_struct tuple tuple_struct map struct enum identifier ignored_any
        }
    }

    /// A visitor that changes the bytes.
    struct Backwards;

    impl Visitor<'_> for Backwards {
        type Value = Bytes;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("bytes")
        }

        fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
            Ok(bytes.iter().rev().copied().collect())
        }
    }

    /// Requests a list, and does not keep bytes unchanged.
    struct AsVec;

    impl Visitor<'_> for AsVec {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }
    }

    #[test]
    fn only_bytes_are_deserialized_without_a_copy() {
        let bytes = Bytes::from(vec![1, 2, 3]);
        let read = Bytes::deserialize(Source(bytes.clone())).unwrap();
        assert_eq!((read.as_ptr(), read.len()), (bytes.as_ptr(), 3));
        let read = de::Deserializer::deserialize_byte_buf(Source(bytes.clone()), Backwards);
        assert_eq!(read.unwrap(), [3, 2, 1][..]);
        let read = bytes::BytesMut::deserialize(Source(bytes.clone())).unwrap();
        assert_eq!(read, [1, 2, 3][..]);
        assert_eq!(Vec::<u8>::deserialize(Source(bytes.clone())).unwrap(), [1, 2, 3]);
        assert_eq!(Box::<[u8]>::deserialize(Source(bytes.clone())).unwrap()[..], [1, 2, 3]);
        assert!(Vec::<i8>::deserialize(Source(bytes.clone())).is_err());
        let read = de::Deserializer::deserialize_seq(Source(bytes), AsVec);
        assert!(read.is_err(), "the visitor keeps bytes as they are");
    }
}
