//! Writes values in the described form.

use serde::ser::{self, Serialize, SerializeMap, SerializeSeq};

use super::super::buffer::Buffer;
use super::super::canonical::{self, Sorted};
use super::super::coverage::Coverage;
use super::super::encoder::put;
use super::super::limits::Refused;
use super::super::shared;
use super::{DEPTH_MAX, Kind, NAME_FIRST, NAME_NEW, NAMES_MAX};

/// Observations while a value was written.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Written {
    /// The parts of its type that the value has.
    pub(in super::super) coverage: Coverage,
    /// Whether fields were left out, or a sequence or map did not know its length. The plain form
    /// can't represent this.
    pub(in super::super) irregular: bool,
    /// The names of the fields that were left out.
    pub(in super::super) skipped: Vec<&'static str>,
}

/// Appends a value to `out`. Not inlined, since each type calls it in several places.
#[inline(never)]
pub(in super::super) fn append<T: Serialize + ?Sized>(
    value: &T,
    out: &mut Buffer,
) -> Result<Written, Refused> {
    let mut encoder = Encoder { out, depth: 0, names: Vec::new(), written: Written::default() };
    encoder.value(value)?;
    Ok(encoder.written)
}

struct Encoder<'a> {
    out: &'a mut Buffer,
    depth: u32,
    /// The names that were written so far.
    names: Vec<&'static str>,
    written: Written,
}

impl<'a> Encoder<'a> {
    fn kind(&mut self, kind: Kind) {
        self.out.put_u8(kind as u8);
    }

    fn put<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        put(value, self.out)
    }

    fn name(&mut self, name: &'static str) -> Result<(), Refused> {
        // Compared by address: a name usually is one constant of the program. If there are two
        // constants, the name is sent twice.
        let known = self.names.iter().position(|other| std::ptr::eq(*other, name));
        if let Some(index) = known {
            // There are at most `NAMES_MAX` names.
            return self.put(&(index as u32 + NAME_FIRST));
        }
        // Items that will be sorted must not refer to each other.
        if self.names.len() < NAMES_MAX && !self.out.is_canonical() {
            self.names.push(name);
        }
        self.put(&NAME_NEW)?;
        self.put(name)
    }

    fn bytes(&mut self, bytes: &bytes::Bytes) -> Result<(), Refused> {
        self.kind(Kind::Bytes);
        self.put(&bytes.len())?;
        self.out.put_bytes(bytes);
        Ok(())
    }

    /// Writes a value that may be a `Bytes`.
    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        if self.depth == DEPTH_MAX {
            return Err(Refused::DESCRIBED_TOO_DEEP);
        }
        self.depth += 1;
        match shared::as_bytes(value) {
            Some(bytes) => self.bytes(bytes)?,
            None => value.serialize(&mut *self)?,
        }
        self.depth -= 1;
        Ok(())
    }

    fn begin<'b>(&'b mut self, kind: Kind) -> Result<Inside<'b, 'a>, Refused> {
        self.kind(kind);
        Ok(Inside { encoder: self })
    }

    fn variant<'b>(
        &'b mut self,
        kind: Kind,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<Inside<'b, 'a>, Refused> {
        self.written.coverage.variant(name, index);
        self.kind(kind);
        self.put(&index)?;
        self.name(variant)?;
        Ok(Inside { encoder: self })
    }
}

macro_rules! scalars {
    ($($method:ident $type:ty => $kind:ident;)*) => {$(
        fn $method(self, value: $type) -> Result<(), Refused> {
            self.kind(Kind::$kind);
            self.put(&value)
        }
    )*};
}

impl<'b, 'a> ser::Serializer for &'b mut Encoder<'a> {
    type Ok = ();
    type Error = Refused;
    type SerializeSeq = Inside<'b, 'a>;
    type SerializeTuple = Inside<'b, 'a>;
    type SerializeTupleStruct = Inside<'b, 'a>;
    type SerializeTupleVariant = Inside<'b, 'a>;
    type SerializeMap = Inside<'b, 'a>;
    type SerializeStruct = Inside<'b, 'a>;
    type SerializeStructVariant = Inside<'b, 'a>;

    scalars! {
        serialize_i8 i8 => I8;
        serialize_i16 i16 => I16;
        serialize_i32 i32 => I32;
        serialize_i64 i64 => I64;
        serialize_i128 i128 => I128;
        serialize_u8 u8 => U8;
        serialize_u16 u16 => U16;
        serialize_u32 u32 => U32;
        serialize_u64 u64 => U64;
        serialize_u128 u128 => U128;
        serialize_char char => Char;
        serialize_str &str => Str;
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_f32(self, value: f32) -> Result<(), Refused> {
        self.kind(Kind::F32);
        self.put(&canonical::f32(value, self.out))
    }

    fn serialize_f64(self, value: f64) -> Result<(), Refused> {
        self.kind(Kind::F64);
        self.put(&canonical::f64(value, self.out))
    }

    fn collect_seq<I>(self, items: I) -> Result<(), Refused>
    where
        I: IntoIterator<Item: Serialize>,
    {
        let mut sorted = Sorted::of::<I>(self.out);
        let items = items.into_iter();
        let mut inside = self.serialize_seq(canonical::length(&items))?;
        for item in items {
            sorted.begins(inside.encoder.out);
            inside.serialize_element(&item)?;
        }
        sorted.end(inside.encoder.out);
        SerializeSeq::end(inside)
    }

    fn collect_map<K, V, I>(self, entries: I) -> Result<(), Refused>
    where
        K: Serialize,
        V: Serialize,
        I: IntoIterator<Item = (K, V)>,
    {
        let mut sorted = Sorted::of::<I>(self.out);
        let entries = entries.into_iter();
        let mut inside = self.serialize_map(canonical::length(&entries))?;
        for (key, value) in entries {
            sorted.begins(inside.encoder.out);
            inside.serialize_entry(&key, &value)?;
        }
        sorted.end(inside.encoder.out);
        SerializeMap::end(inside)
    }

    fn serialize_bool(self, value: bool) -> Result<(), Refused> {
        self.kind(if value { Kind::True } else { Kind::False });
        Ok(())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), Refused> {
        self.kind(Kind::Bytes);
        self.put(&bytes.len())?;
        self.out.put_slice(bytes);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Refused> {
        self.kind(Kind::None);
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Refused> {
        self.kind(Kind::Some);
        self.value(value)
    }

    fn serialize_unit(self) -> Result<(), Refused> {
        self.kind(Kind::Unit);
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Refused> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<(), Refused> {
        self.variant(Kind::UnitVariant, name, index, variant)?;
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Refused> {
        self.value(value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Refused> {
        self.variant(Kind::NewtypeVariant, name, index, variant)?.encoder.value(value)
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Inside<'b, 'a>, Refused> {
        self.written.irregular |= length.is_none();
        self.begin(Kind::Seq)
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Inside<'b, 'a>, Refused> {
        self.written.irregular |= length.is_none();
        self.begin(Kind::Map)
    }

    fn serialize_tuple(self, _: usize) -> Result<Inside<'b, 'a>, Refused> {
        self.begin(Kind::Tuple)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Inside<'b, 'a>, Refused> {
        self.begin(Kind::Tuple)
    }

    fn serialize_struct(
        self,
        name: &'static str,
        fields: usize,
    ) -> Result<Inside<'b, 'a>, Refused> {
        self.written.coverage.fields(name, fields);
        self.begin(Kind::Struct)
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Inside<'b, 'a>, Refused> {
        self.variant(Kind::TupleVariant, name, index, variant)
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        fields: usize,
    ) -> Result<Inside<'b, 'a>, Refused> {
        self.written.coverage.fields(variant, fields);
        self.variant(Kind::StructVariant, name, index, variant)
    }
}

/// The contents of a compound value.
struct Inside<'b, 'a> {
    encoder: &'b mut Encoder<'a>,
}

impl Inside<'_, '_> {
    fn close(self) -> Result<(), Refused> {
        self.encoder.kind(Kind::End);
        Ok(())
    }

    fn skip(&mut self, name: &'static str) {
        let written = &mut self.encoder.written;
        written.irregular = true;
        written.skipped.push(name);
        written.coverage.skip(name);
    }
}

impl ser::SerializeMap for Inside<'_, '_> {
    type Ok = ();
    type Error = Refused;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Refused> {
        self.encoder.value(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        self.encoder.value(value)
    }

    fn end(self) -> Result<(), Refused> {
        self.close()
    }
}

macro_rules! unnamed {
    ($($trait:ident $method:ident;)*) => {$(
        impl ser::$trait for Inside<'_, '_> {
            type Ok = ();
            type Error = Refused;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
                self.encoder.value(value)
            }

            fn end(self) -> Result<(), Refused> {
                self.close()
            }
        }
    )*};
}

unnamed! {
    SerializeSeq serialize_element;
    SerializeTuple serialize_element;
    SerializeTupleStruct serialize_field;
    SerializeTupleVariant serialize_field;
}

macro_rules! named {
    ($($trait:ident)*) => {$(
        impl ser::$trait for Inside<'_, '_> {
            type Ok = ();
            type Error = Refused;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Refused> {
                self.encoder.name(name)?;
                self.encoder.value(value)
            }

            fn skip_field(&mut self, name: &'static str) -> Result<(), Refused> {
                self.skip(name);
                Ok(())
            }

            fn end(self) -> Result<(), Refused> {
                self.close()
            }
        }
    )*};
}

named!(SerializeStruct SerializeStructVariant);
