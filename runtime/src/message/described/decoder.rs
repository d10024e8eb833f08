//! Reads values in the described form.
//!
//! A sender also reads its own bytes, to check that a value can be read back: see [`Reading`].

use bytes::Bytes;
use serde::de::value::{BorrowedStrDeserializer, MapAccessDeserializer, U8Deserializer};
use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer as _, Visitor};

use super::super::decoder::{scalar, visit_bytes};
use super::super::limits::Refused;
use super::{DEPTH_MAX, Kind, NAME_END, NAME_FIRST, NAME_NEW, NAMES_MAX};

/// The ways to read bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in super::super) enum Reading {
    /// As a receiver.
    Received,
    /// As a receiver, but by the sender, to check that every part is read.
    Trial,
    /// As a receiver would read the plain form of the same value: fields and variants are
    /// identified by position, and each value must be requested by its own kind.
    AsPlain,
}

/// Observations while a value was read.
#[derive(Clone, Copy, Debug, Default)]
pub(in super::super) struct Noticed {
    /// The type asked what comes next, which the plain form can't answer.
    pub(in super::super) asked: bool,
    /// A variant's index differs from its place in the list of variants: there are aliases, or the
    /// two sides count variants differently.
    pub(in super::super) variants_differ: bool,
}

/// Reads a value that fills `bytes` to the last byte. Not inlined, since each type calls it in
/// several places.
#[inline(never)]
pub(in super::super) fn take<'de, T: DeserializeOwned>(
    bytes: &'de [u8],
    owner: Option<&'de Bytes>,
    reading: Reading,
) -> (Result<T, Refused>, Noticed) {
    let noticed = Noticed::default();
    let mut decoder = Decoder { rest: bytes, owner, depth: 0, names: Vec::new(), reading, noticed };
    let value = T::deserialize(&mut decoder).and_then(|value| match decoder.rest {
        [] => Ok(value),
        rest => Err(Refused::too_many_bytes(rest.len())),
    });
    (value, decoder.noticed)
}

struct Decoder<'de> {
    rest: &'de [u8],
    owner: Option<&'de Bytes>,
    depth: u32,
    /// The names that were read so far.
    names: Vec<&'de str>,
    reading: Reading,
    noticed: Noticed,
}

impl<'de> Decoder<'de> {
    fn take<T: de::Deserialize<'de>>(&mut self) -> Result<T, Refused> {
        scalar(&mut self.rest)
    }

    fn peek(&self) -> Result<Kind, Refused> {
        let byte = self.rest.first().ok_or(Refused::CUT_OFF)?;
        Kind::ALL.get(usize::from(*byte)).copied().ok_or(Refused::UNKNOWN_KIND)
    }

    /// Skips the byte that `peek` has returned.
    fn advance(&mut self) {
        self.rest = &self.rest[1..];
    }

    fn kind(&mut self) -> Result<Kind, Refused> {
        let kind = self.peek()?;
        self.advance();
        Ok(kind)
    }

    /// Reads the name of a field or a variant. `None` if no field follows.
    fn name(&mut self) -> Result<Option<&'de str>, Refused> {
        match self.take::<u32>()? {
            NAME_END => Ok(None),
            NAME_NEW => {
                let name: &'de str = self.take()?;
                if self.names.len() < NAMES_MAX {
                    self.names.push(name);
                }
                Ok(Some(name))
            }
            number => {
                let name = self.names.get((number - NAME_FIRST) as usize);
                name.copied().map(Some).ok_or(Refused::UNKNOWN_NAME)
            }
        }
    }

    fn inside<R>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<R, Refused>,
    ) -> Result<R, Refused> {
        if self.depth == DEPTH_MAX {
            return Err(Refused::DESCRIBED_TOO_DEEP);
        }
        self.depth += 1;
        let result = read(self)?;
        self.depth -= 1;
        Ok(result)
    }

    /// Reads a value inside another. Counts the depth as the sender did.
    fn value<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Refused> {
        self.inside(|inner| seed.deserialize(inner))
    }

    fn is_as_plain(&self) -> bool {
        self.reading == Reading::AsPlain
    }

    /// Reads a kind that must fit what the type requested.
    fn expect(&mut self, wanted: &str, fits: impl Fn(Kind) -> bool) -> Result<Kind, Refused> {
        let kind = self.kind()?;
        if fits(kind) { Ok(kind) } else { Err(mismatch(kind, wanted)) }
    }

    /// Notes that the type asked what comes next.
    fn asked(&mut self) -> Result<(), Refused> {
        self.noticed.asked = true;
        if self.is_as_plain() { Err(Refused::NOT_SELF_DESCRIBING) } else { Ok(()) }
    }

    /// Reads the rest of a value of this kind, for a type that takes any kind. Not inlined, since it
    /// is large, and there is one for each visitor.
    #[inline(never)]
    fn any<V: Visitor<'de>>(&mut self, kind: Kind, visitor: V) -> Result<V::Value, Refused> {
        match kind {
            Kind::End => Err(Refused::CUT_OFF),
            Kind::Unit => visitor.visit_unit(),
            Kind::False => visitor.visit_bool(false),
            Kind::True => visitor.visit_bool(true),
            Kind::I8 => visitor.visit_i8(self.take()?),
            Kind::I16 => visitor.visit_i16(self.take()?),
            Kind::I32 => visitor.visit_i32(self.take()?),
            Kind::I64 => visitor.visit_i64(self.take()?),
            Kind::I128 => visitor.visit_i128(self.take()?),
            Kind::U8 => visitor.visit_u8(self.take()?),
            Kind::U16 => visitor.visit_u16(self.take()?),
            Kind::U32 => visitor.visit_u32(self.take()?),
            Kind::U64 => visitor.visit_u64(self.take()?),
            Kind::U128 => visitor.visit_u128(self.take()?),
            Kind::F32 => visitor.visit_f32(self.take()?),
            Kind::F64 => visitor.visit_f64(self.take()?),
            Kind::Char => visitor.visit_char(self.take()?),
            Kind::Str => visitor.visit_borrowed_str(self.take()?),
            Kind::Bytes => visitor.visit_borrowed_bytes(self.take()?),
            Kind::None => visitor.visit_none(),
            Kind::Some => self.inside(|inner| visitor.visit_some(inner)),
            Kind::Seq | Kind::Tuple => self.parts(Named::No, |parts| visitor.visit_seq(parts)),
            Kind::Map => self.parts(Named::No, |parts| visitor.visit_map(parts)),
            Kind::Struct => self.parts(Named::Yes(""), |parts| visitor.visit_map(parts)),
            Kind::UnitVariant => {
                let (_, name) = self.variant()?;
                visitor.visit_borrowed_str(name)
            }
            // As in other formats: a map from the variant's name to its contents.
            Kind::NewtypeVariant | Kind::TupleVariant | Kind::StructVariant => {
                let (_, name) = self.variant()?;
                let mut variant = VariantAsMap { decoder: self, kind, name: Some(name) };
                let value = visitor.visit_map(&mut variant)?;
                match variant.kind {
                    Kind::End => Ok(value),
                    _ => Err(Refused::NOT_ALL_READ),
                }
            }
        }
    }

    fn variant(&mut self) -> Result<(u32, &'de str), Refused> {
        let index = self.take()?;
        Ok((index, self.name()?.ok_or(Refused::CUT_OFF)?))
    }

    /// Reads the parts of a sequence, a tuple, a map or a struct. Refuses to leave any of them
    /// unread.
    fn parts<R>(
        &mut self,
        named: Named<'de>,
        read: impl FnOnce(&mut Parts<'_, 'de>) -> Result<R, Refused>,
    ) -> Result<R, Refused> {
        let mut parts = Parts {
            decoder: self,
            named,
            as_plain: false,
            fields: &[],
            field: "",
            ended: false,
            too_far: false,
        };
        let value = read(&mut parts)?;
        parts.finish()?;
        Ok(value)
    }

    /// Reads the parts as in the plain form: in the order of `fields`.
    fn plain_parts<V: Visitor<'de>>(
        &mut self,
        named: Named<'de>,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.parts(named, |parts| {
            (parts.as_plain, parts.fields) = (true, fields);
            visitor.visit_seq(parts)
        })
    }

    /// Reads bytes that were written as a sequence of numbers. The plain form does not distinguish
    /// the two.
    fn collected(&mut self) -> Result<Option<Vec<u8>>, Refused> {
        let (before, mut bytes) = (self.rest, Vec::new());
        loop {
            match self.kind()? {
                Kind::U8 => bytes.push(self.take()?),
                Kind::End => return Ok(Some(bytes)),
                _ => {
                    self.rest = before;
                    return Ok(None);
                }
            }
        }
    }

    fn byte_buf<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Refused> {
        let kind = self.kind()?;
        match kind {
            Kind::Bytes => visit_bytes(self.take()?, self.owner, visitor),
            Kind::Seq | Kind::Tuple => match self.collected()? {
                Some(bytes) => visitor.visit_byte_buf(bytes),
                None if self.is_as_plain() => Err(mismatch(kind, "bytes")),
                None => self.any(kind, visitor),
            },
            _ if self.is_as_plain() => Err(mismatch(kind, "bytes")),
            _ => self.any(kind, visitor),
        }
    }
}

fn mismatch(kind: Kind, wanted: &str) -> Refused {
    Refused::new(format!(
        "its `Serialize` writes {}, and its `Deserialize` reads {wanted} there \
         (`serialize_with` and `deserialize_with`, `into` and `from`, or the two \
         implementations, must fit each other)",
        kind.text()
    ))
}

macro_rules! typed {
    ($($method:ident $text:literal $($kind:ident)|+;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
            let kind = if self.is_as_plain() {
                self.expect($text, |kind| matches!(kind, $(Kind::$kind)|+))?
            } else {
                self.kind()?
            };
            self.any(kind, visitor)
        }
    )*};
}

impl<'de> de::Deserializer<'de> for &mut Decoder<'de> {
    type Error = Refused;

    typed! {
        deserialize_bool "a bool" False | True;
        deserialize_i8 "an i8" I8;
        deserialize_i16 "an i16" I16;
        deserialize_i32 "an i32" I32;
        deserialize_i64 "an i64" I64;
        deserialize_i128 "an i128" I128;
        deserialize_u8 "a u8" U8;
        deserialize_u16 "a u16" U16;
        deserialize_u32 "a u32" U32;
        deserialize_u64 "a u64" U64;
        deserialize_u128 "a u128" U128;
        deserialize_f32 "an f32" F32;
        deserialize_f64 "an f64" F64;
        deserialize_char "a char" Char;
        deserialize_str "a string" Str;
        deserialize_string "a string" Str;
        deserialize_unit "a unit" Unit;
        deserialize_map "a map" Map;
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.asked()?;
        let kind = self.kind()?;
        self.any(kind, visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.asked()?;
        if self.reading == Reading::Trial {
            return Err(Refused::NOT_READ);
        }
        let kind = self.kind()?;
        self.any(kind, visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_any(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.byte_buf(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.byte_buf(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        match self.peek()? {
            kind @ (Kind::None | Kind::Some) => {
                self.advance();
                self.any(kind, visitor)
            }
            kind if self.is_as_plain() => Err(mismatch(kind, "an option")),
            Kind::Unit => {
                self.advance();
                visitor.visit_none()
            }
            _ => self.inside(|inner| visitor.visit_some(inner)),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.inside(|inner| visitor.visit_newtype_struct(inner))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        match self.kind()? {
            Kind::Bytes => {
                let bytes: &'de [u8] = self.take()?;
                let numbers = bytes.iter().map(|byte| U8Deserializer::new(*byte));
                visitor.visit_seq(de::value::SeqDeserializer::new(numbers))
            }
            kind if self.is_as_plain() && kind != Kind::Seq => Err(mismatch(kind, "a sequence")),
            kind => self.any(kind, visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Refused> {
        if !self.is_as_plain() {
            let kind = self.kind()?;
            return self.any(kind, visitor);
        }
        let is_tuple = |kind| matches!(kind, Kind::Tuple | Kind::Struct);
        match self.expect("a tuple", is_tuple)? {
            Kind::Struct => self.plain_parts(Named::Yes(""), &[], visitor),
            _ => self.plain_parts(Named::No, &[], visitor),
        }
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        if !self.is_as_plain() {
            return match self.kind()? {
                Kind::Struct => self
                    .parts(Named::Yes(name), |parts| visitor.visit_map(parts))
                    .map_err(|why| why.missing_in(name)),
                kind => self.any(kind, visitor),
            };
        }
        let is_struct = |kind| matches!(kind, Kind::Tuple | Kind::Struct);
        match self.expect("a struct", is_struct)? {
            Kind::Struct => self.plain_parts(Named::Yes(name), fields, visitor),
            _ => self.plain_parts(Named::No, fields, visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        enum_name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let kind = self.kind()?;
        match kind {
            Kind::UnitVariant | Kind::NewtypeVariant | Kind::TupleVariant | Kind::StructVariant => {
                let (index, name) = self.variant()?;
                self.noticed.variants_differ |= variants.get(index as usize) != Some(&name);
                visitor
                    .visit_enum(Variant { decoder: self, kind, index, name })
                    .map_err(|why| why.within("variant", name, enum_name))
            }
            Kind::Str if !self.is_as_plain() => {
                let name: &'de str = self.take()?;
                visitor.visit_enum(name.into_deserializer())
            }
            kind => Err(mismatch(kind, "an enum")),
        }
    }
}

/// Whether each part comes after its name. If so, this holds the name of the struct, for errors.
#[derive(Clone, Copy)]
enum Named<'de> {
    No,
    Yes(&'de str),
}

/// The parts of a sequence, a tuple, a map or a struct.
struct Parts<'a, 'de> {
    decoder: &'a mut Decoder<'de>,
    named: Named<'de>,
    /// Parts are identified by position. The type must request exactly as many as there are.
    as_plain: bool,
    /// The fields that may come next. Empty if the type does not list them.
    fields: &'static [&'static str],
    /// The name of the part being read.
    field: &'de str,
    /// The end has been read.
    ended: bool,
    /// More parts were requested than there are.
    too_far: bool,
}

impl<'de> Parts<'_, 'de> {
    /// Reads a part's name, if it has one. Returns false at the end.
    fn next(&mut self) -> Result<bool, Refused> {
        if self.ended {
            self.too_far = true;
            return Ok(false);
        }
        match self.named {
            Named::No => self.ended = self.decoder.peek()? == Kind::End,
            Named::Yes(_) => match self.decoder.name()? {
                None => {
                    self.ended = true;
                    self.too_far = true;
                    return Ok(false);
                }
                Some(name) => self.field = name,
            },
        }
        if self.ended {
            self.decoder.advance();
            self.too_far = true;
        }
        Ok(!self.ended)
    }

    /// Checks that the field comes after the previous one in the order of `fields`.
    fn check_place(&mut self) -> Result<(), Refused> {
        let Named::Yes(name) = self.named else { return Ok(()) };
        if !self.as_plain || name.is_empty() {
            return Ok(());
        }
        let place = self.fields.iter().position(|field| *field == self.field);
        let place = place.ok_or_else(|| Refused::NOT_READ.within("field", self.field, name))?;
        self.fields = &self.fields[place + 1..];
        Ok(())
    }

    fn read<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Refused> {
        let result = self.decoder.value(seed);
        match self.named {
            Named::Yes(name) => result.map_err(|why| why.within("field", self.field, name)),
            Named::No => result,
        }
    }

    /// Checks that all parts were read and, in the plain form, that no further part was requested.
    fn finish(&mut self) -> Result<(), Refused> {
        if self.too_far && self.as_plain {
            return Err(Refused::FEWER_FIELDS);
        }
        if !self.ended && self.next()? { Err(Refused::NOT_ALL_READ) } else { Ok(()) }
    }
}

impl<'de> de::SeqAccess<'de> for &mut Parts<'_, 'de> {
    type Error = Refused;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Refused> {
        if !self.next()? {
            return Ok(None);
        }
        self.check_place()?;
        self.read(seed).map(Some)
    }
}

impl<'de> de::MapAccess<'de> for &mut Parts<'_, 'de> {
    type Error = Refused;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Refused> {
        if !self.next()? {
            return Ok(None);
        }
        match self.named {
            Named::No => self.decoder.value(seed).map(Some),
            Named::Yes(_) => seed.deserialize(BorrowedStrDeserializer::new(self.field)).map(Some),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refused> {
        self.read(seed)
    }
}

/// A variant, for a type that requested an enum.
struct Variant<'a, 'de> {
    decoder: &'a mut Decoder<'de>,
    kind: Kind,
    index: u32,
    name: &'de str,
}

impl Variant<'_, '_> {
    fn expect(&self, kind: Kind) -> Result<(), Refused> {
        if self.kind == kind { Ok(()) } else { Err(mismatch(self.kind, kind.text())) }
    }
}

impl<'de> de::EnumAccess<'de> for Variant<'_, 'de> {
    type Error = Refused;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Refused> {
        let variant = if self.decoder.is_as_plain() {
            let index: de::value::U32Deserializer<Refused> = self.index.into_deserializer();
            seed.deserialize(index)?
        } else {
            seed.deserialize(BorrowedStrDeserializer::<Refused>::new(self.name))?
        };
        Ok((variant, self))
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'_, 'de> {
    type Error = Refused;

    fn unit_variant(self) -> Result<(), Refused> {
        self.expect(Kind::UnitVariant)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Refused> {
        self.expect(Kind::NewtypeVariant)?;
        self.decoder.value(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Refused> {
        self.expect(Kind::TupleVariant)?;
        if self.decoder.is_as_plain() {
            return self.decoder.plain_parts(Named::No, &[], visitor);
        }
        self.decoder.parts(Named::No, |parts| visitor.visit_seq(parts))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.expect(Kind::StructVariant)?;
        let named = Named::Yes(self.name);
        if self.decoder.is_as_plain() {
            return self.decoder.plain_parts(named, fields, visitor);
        }
        self.decoder.parts(named, |parts| visitor.visit_map(parts))
    }
}

/// A variant as a map with one entry, for a type that takes any value.
struct VariantAsMap<'a, 'de> {
    decoder: &'a mut Decoder<'de>,
    /// `End` once the contents have been read.
    kind: Kind,
    name: Option<&'de str>,
}

impl<'de> de::MapAccess<'de> for &mut VariantAsMap<'_, 'de> {
    type Error = Refused;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Refused> {
        let Some(name) = self.name.take() else { return Ok(None) };
        seed.deserialize(BorrowedStrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refused> {
        let kind = std::mem::replace(&mut self.kind, Kind::End);
        match kind {
            Kind::TupleVariant => {
                let read = |parts: &mut Parts<'_, 'de>| {
                    seed.deserialize(de::value::SeqAccessDeserializer::new(parts))
                };
                self.decoder.parts(Named::No, read)
            }
            Kind::StructVariant => {
                let read = |parts: &mut Parts<'_, 'de>| {
                    seed.deserialize(MapAccessDeserializer::new(parts))
                };
                self.decoder.parts(Named::Yes(""), read)
            }
            _ => self.decoder.value(seed),
        }
    }
}
