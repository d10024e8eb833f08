//! Reads values in postcard's encoding, within limits.
//!
//! postcard reads numbers, strings and bytes. This file reads the values that contain others, and
//! counts them. A length that a sender only claims allocates nothing.

use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer as _, Visitor};

use bytes::Bytes;

use super::limits::{DEPTH_MAX, Refused};
use super::shared;

/// Reads a value, and returns it with the bytes after it. If `owner` is given, it owns these bytes,
/// and a `Bytes` in the value may share its memory.
pub(super) fn take<'de, T: DeserializeOwned>(
    bytes: &'de [u8],
    owner: Option<&'de Bytes>,
) -> Result<(T, &'de [u8]), Refused> {
    let mut decoder = Decoder { rest: bytes, owner, depth: 0 };
    let value = T::deserialize(&mut decoder)?;
    Ok((value, decoder.rest))
}

/// Reads a number, a char, a string or bytes in postcard's encoding, and removes it from `rest`.
#[inline]
pub(super) fn scalar<'de, T: de::Deserialize<'de>>(rest: &mut &'de [u8]) -> Result<T, Refused> {
    let (value, after) = postcard::take_from_bytes(rest)?;
    *rest = after;
    Ok(value)
}

/// Passes bytes to a visitor. If the visitor makes a `Bytes`, it shares the memory of `owner` when
/// that pays off.
#[inline]
pub(super) fn visit_bytes<'de, V: Visitor<'de>>(
    bytes: &'de [u8],
    owner: Option<&'de Bytes>,
    visitor: V,
) -> Result<V::Value, Refused> {
    if shared::makes_bytes::<V>()
        && let Some(owner) = owner
        && let Some(value) = shared::part_of(owner, bytes).and_then(shared::visited::<V>)
    {
        return Ok(value);
    }
    visitor.visit_borrowed_bytes(bytes)
}

struct Decoder<'de> {
    rest: &'de [u8],
    owner: Option<&'de Bytes>,
    /// The number of options, enums, lists and maps around the current value.
    depth: u32,
}

impl<'de> Decoder<'de> {
    #[inline]
    fn take<T: de::Deserialize<'de>>(&mut self) -> Result<T, Refused> {
        scalar(&mut self.rest)
    }

    #[inline]
    fn inside<R>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<R, Refused>,
    ) -> Result<R, Refused> {
        if self.depth == DEPTH_MAX {
            return Err(Refused::TOO_DEEP);
        }
        self.depth += 1;
        let result = read(self)?;
        self.depth -= 1;
        Ok(result)
    }

    /// Reads the length of a list or map.
    #[inline]
    fn items(&mut self) -> Result<usize, Refused> {
        let length: usize = self.take()?;
        if length > self.rest.len() { Err(Refused::MORE_ITEMS_THAN_BYTES) } else { Ok(length) }
    }
}

macro_rules! taken {
    ($($method:ident $visit:ident $type:ty;)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
            visitor.$visit(self.take::<$type>()?)
        }
    )*};
}

impl<'de> de::Deserializer<'de> for &mut Decoder<'de> {
    type Error = Refused;

    taken! {
        deserialize_bool visit_bool bool;
        deserialize_i8 visit_i8 i8;
        deserialize_i16 visit_i16 i16;
        deserialize_i32 visit_i32 i32;
        deserialize_i64 visit_i64 i64;
        deserialize_i128 visit_i128 i128;
        deserialize_u8 visit_u8 u8;
        deserialize_u16 visit_u16 u16;
        deserialize_u32 visit_u32 u32;
        deserialize_u64 visit_u64 u64;
        deserialize_u128 visit_u128 u128;
        deserialize_f32 visit_f32 f32;
        deserialize_f64 visit_f64 f64;
        deserialize_char visit_char char;
        deserialize_str visit_borrowed_str &'de str;
        deserialize_string visit_borrowed_str &'de str;
        deserialize_bytes visit_borrowed_bytes &'de [u8];
    }

    #[inline]
    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visit_bytes(self.take()?, self.owner, visitor)
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Refused> {
        Err(Refused::NOT_SELF_DESCRIBING)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Refused> {
        Err(Refused::NOT_SELF_DESCRIBING)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Refused> {
        Err(Refused::NOT_SELF_DESCRIBING)
    }

    #[inline]
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_newtype_struct(self)
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        match self.take::<u8>()? {
            0 => visitor.visit_none(),
            1 => self.inside(|decoder| visitor.visit_some(decoder)),
            _ => Err(postcard::Error::DeserializeBadOption.into()),
        }
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let left = self.items()?;
        if shared::makes_byte_vec::<V>() {
            let bytes = self.inside(|decoder| {
                let (bytes, rest) = decoder.rest.split_at(left);
                decoder.rest = rest;
                Ok(bytes.to_vec())
            })?;
            return Ok(shared::visited_byte_vec::<V>(bytes).expect("the visitor makes a `Vec<u8>`"));
        }
        self.inside(|decoder| visitor.visit_seq(Items { decoder, left }))
    }

    #[inline]
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let left = self.items()?;
        self.inside(|decoder| {
            let before = decoder.rest.len();
            visitor.visit_map(Entries { decoder, left, before })
        })
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_seq(Fields { decoder: self, left: len })
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.deserialize_tuple(len, visitor)
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.deserialize_tuple(fields.len(), visitor)
    }

    #[inline]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.inside(|decoder| visitor.visit_enum(decoder))
    }
}

/// The fields of a tuple or a struct. The type says how many there are.
struct Fields<'a, 'de> {
    decoder: &'a mut Decoder<'de>,
    left: usize,
}

impl<'de> de::SeqAccess<'de> for Fields<'_, 'de> {
    type Error = Refused;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Refused> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        seed.deserialize(&mut *self.decoder).map(Some)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// The items of a list. The bytes say how many there are.
struct Items<'a, 'de> {
    decoder: &'a mut Decoder<'de>,
    left: usize,
}

impl<'de> de::SeqAccess<'de> for Items<'_, 'de> {
    type Error = Refused;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Refused> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        let before = self.decoder.rest.len();
        let item = seed.deserialize(&mut *self.decoder)?;
        if self.decoder.rest.len() == before {
            return Err(Refused::ITEMS_OF_NO_BYTES);
        }
        Ok(Some(item))
    }

    /// Returns the number of items, limited by the remaining bytes: each item takes at least one.
    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.left.min(self.decoder.rest.len()))
    }
}

/// The entries of a map.
struct Entries<'a, 'de> {
    decoder: &'a mut Decoder<'de>,
    left: usize,
    /// The number of bytes that were left before the current entry.
    before: usize,
}

impl<'de> de::MapAccess<'de> for Entries<'_, 'de> {
    type Error = Refused;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Refused> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        self.before = self.decoder.rest.len();
        seed.deserialize(&mut *self.decoder).map(Some)
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refused> {
        let value = seed.deserialize(&mut *self.decoder)?;
        if self.decoder.rest.len() == self.before {
            return Err(Refused::ITEMS_OF_NO_BYTES);
        }
        Ok(value)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.left.min(self.decoder.rest.len()))
    }
}

impl<'de> de::EnumAccess<'de> for &mut Decoder<'de> {
    type Error = Refused;
    type Variant = Self;

    #[inline]
    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Refused> {
        let index: u32 = self.take()?;
        let index: de::value::U32Deserializer<Refused> = index.into_deserializer();
        Ok((seed.deserialize(index)?, self))
    }
}

impl<'de> de::VariantAccess<'de> for &mut Decoder<'de> {
    type Error = Refused;

    #[inline]
    fn unit_variant(self) -> Result<(), Refused> {
        Ok(())
    }

    #[inline]
    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Refused> {
        seed.deserialize(self)
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Refused> {
        de::Deserializer::deserialize_tuple(self, len, visitor)
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        de::Deserializer::deserialize_tuple(self, fields.len(), visitor)
    }
}
