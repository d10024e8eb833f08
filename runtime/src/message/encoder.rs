//! Writes values in postcard's encoding, within the limits that `decoder` checks.
//!
//! postcard writes numbers, strings and bytes. This file writes the values that contain others, and
//! counts them.

use postcard::ser_flavors::Flavor;
use serde::ser::{self, Serialize, SerializeMap as _, SerializeSeq as _};

use super::buffer::Buffer;
use super::canonical::{self, Sorted};
use super::coverage::Coverage;
use super::limits::{DEPTH_MAX, Refused};
use super::shared;

/// Appends a value to `out`, and returns which parts of its type it has. `None` if the plain form
/// can't represent it.
#[inline]
pub(super) fn append<T: Serialize>(
    value: &T,
    out: &mut Buffer,
) -> Result<Option<Coverage>, Refused> {
    let mut encoder = Encoder { out, depth: 0, coverage: Coverage::default(), irregular: false };
    match encoder.value(value) {
        _ if encoder.irregular => Ok(None),
        Ok(()) => Ok(Some(encoder.coverage)),
        Err(error) => Err(error),
    }
}

/// Appends a number, a char or a string in postcard's encoding.
#[inline]
pub(super) fn put<T: Serialize + ?Sized>(value: &T, out: &mut Buffer) -> Result<(), Refused> {
    Ok(postcard::serialize_with_flavor(value, Append(out))?)
}

struct Encoder<'a> {
    out: &'a mut Buffer,
    /// The number of options, enums, lists and maps around the current value.
    depth: u32,
    /// The parts of its type that the value has.
    coverage: Coverage,
    /// A field was left out, or a list or map does not know its length.
    irregular: bool,
}

/// Lets postcard write to a borrowed buffer.
struct Append<'a>(&'a mut Buffer);

impl Flavor for Append<'_> {
    type Output = ();

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.put_u8(byte);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.put_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

impl<'a> Encoder<'a> {
    #[inline]
    fn put<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        put(value, self.out)
    }

    /// Writes a value that may be a `Bytes`.
    #[inline]
    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        let Some(bytes) = shared::as_bytes(value) else { return value.serialize(self) };
        self.put(&bytes.len())?;
        self.out.put_bytes(bytes);
        Ok(())
    }

    #[inline]
    fn enter(&mut self) -> Result<(), Refused> {
        if self.depth == DEPTH_MAX {
            return Err(Refused::TOO_DEEP);
        }
        self.depth += 1;
        Ok(())
    }

    #[inline]
    fn items<'b>(&'b mut self, length: Option<usize>) -> Result<Inside<'b, 'a>, Refused> {
        let Some(length) = length else { return Err(self.irregular()) };
        self.put(&length)?;
        self.enter()?;
        Ok(Inside { encoder: self, leave: true, before: 0 })
    }

    #[cold]
    fn irregular(&mut self) -> Refused {
        self.irregular = true;
        Refused::NEEDS_DESCRIPTION
    }

    /// Begins the fields of a tuple or a struct.
    #[inline]
    fn fields<'b>(&'b mut self) -> Inside<'b, 'a> {
        Inside { encoder: self, leave: false, before: 0 }
    }

    #[inline]
    fn variant<'b>(
        &'b mut self,
        name: &'static str,
        index: u32,
    ) -> Result<Inside<'b, 'a>, Refused> {
        self.coverage.variant(name, index);
        self.enter()?;
        self.put(&index)?;
        Ok(Inside { encoder: self, leave: true, before: 0 })
    }
}

macro_rules! put {
    ($($method:ident $type:ty;)*) => {$(
        #[inline]
        fn $method(self, value: $type) -> Result<(), Refused> {
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

    put! {
        serialize_bool bool;
        serialize_i8 i8;
        serialize_i16 i16;
        serialize_i32 i32;
        serialize_i64 i64;
        serialize_i128 i128;
        serialize_u8 u8;
        serialize_u16 u16;
        serialize_u32 u32;
        serialize_u64 u64;
        serialize_u128 u128;
        serialize_char char;
        serialize_str &str;
    }

    #[inline]
    fn serialize_f32(self, value: f32) -> Result<(), Refused> {
        self.put(&canonical::f32(value, self.out))
    }

    #[inline]
    fn serialize_f64(self, value: f64) -> Result<(), Refused> {
        self.put(&canonical::f64(value, self.out))
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }

    #[inline]
    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), Refused> {
        self.put(&bytes.len())?;
        self.out.put_slice(bytes);
        Ok(())
    }

    /// Writes a list. The lists, sets and slices of std and most others call this.
    #[inline]
    fn collect_seq<I>(self, items: I) -> Result<(), Refused>
    where
        I: IntoIterator<Item: Serialize>,
    {
        if let Some(bytes) = shared::as_byte_list(&items) {
            self.put(&bytes.len())?;
            self.enter()?;
            self.out.put_slice(bytes);
            self.depth -= 1;
            return Ok(());
        }
        let mut sorted = Sorted::of::<I>(self.out);
        let items = items.into_iter();
        let mut inside = self.items(canonical::length(&items))?;
        for item in items {
            sorted.begins(inside.encoder.out);
            inside.serialize_element(&item)?;
        }
        sorted.end(inside.encoder.out);
        inside.close()
    }

    /// Writes a map. The maps of std and most others call this.
    #[inline]
    fn collect_map<K, V, I>(self, entries: I) -> Result<(), Refused>
    where
        K: Serialize,
        V: Serialize,
        I: IntoIterator<Item = (K, V)>,
    {
        let mut sorted = Sorted::of::<I>(self.out);
        let entries = entries.into_iter();
        let mut inside = self.items(canonical::length(&entries))?;
        for (key, value) in entries {
            sorted.begins(inside.encoder.out);
            inside.serialize_entry(&key, &value)?;
        }
        sorted.end(inside.encoder.out);
        inside.close()
    }

    #[inline]
    fn serialize_none(self) -> Result<(), Refused> {
        self.put(&0_u8)
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Refused> {
        self.put(&1_u8)?;
        self.enter()?;
        self.value(value)?;
        self.depth -= 1;
        Ok(())
    }

    #[inline]
    fn serialize_unit(self) -> Result<(), Refused> {
        Ok(())
    }

    #[inline]
    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Refused> {
        Ok(())
    }

    #[inline]
    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        _: &'static str,
    ) -> Result<(), Refused> {
        self.variant(name, index)?.close()
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Refused> {
        self.value(value)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), Refused> {
        let inside = self.variant(name, index)?;
        inside.encoder.value(value)?;
        inside.close()
    }

    #[inline]
    fn serialize_seq(self, length: Option<usize>) -> Result<Inside<'b, 'a>, Refused> {
        self.items(length)
    }

    #[inline]
    fn serialize_map(self, length: Option<usize>) -> Result<Inside<'b, 'a>, Refused> {
        self.items(length)
    }

    #[inline]
    fn serialize_tuple(self, _: usize) -> Result<Inside<'b, 'a>, Refused> {
        Ok(self.fields())
    }

    #[inline]
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Inside<'b, 'a>, Refused> {
        Ok(self.fields())
    }

    #[inline]
    fn serialize_struct(
        self,
        name: &'static str,
        fields: usize,
    ) -> Result<Inside<'b, 'a>, Refused> {
        self.coverage.fields(name, fields);
        Ok(self.fields())
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Inside<'b, 'a>, Refused> {
        self.variant(name, index)
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        fields: usize,
    ) -> Result<Inside<'b, 'a>, Refused> {
        self.coverage.fields(variant, fields);
        self.variant(name, index)
    }
}

/// The contents of a value that contains others.
struct Inside<'b, 'a> {
    encoder: &'b mut Encoder<'a>,
    /// Whether the value counts as a level of nesting.
    leave: bool,
    /// For a map: the length of the buffer before the current entry.
    before: usize,
}

impl Inside<'_, '_> {
    #[inline]
    fn field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        self.encoder.value(value)
    }

    #[inline]
    fn has_grown(&self, before: usize) -> Result<(), Refused> {
        if self.encoder.out.len() == before { Err(Refused::ITEMS_OF_NO_BYTES) } else { Ok(()) }
    }

    #[inline]
    fn close(self) -> Result<(), Refused> {
        if self.leave {
            self.encoder.depth -= 1;
        }
        Ok(())
    }
}

impl ser::SerializeSeq for Inside<'_, '_> {
    type Ok = ();
    type Error = Refused;

    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        let before = self.encoder.out.len();
        self.field(value)?;
        self.has_grown(before)
    }

    #[inline]
    fn end(self) -> Result<(), Refused> {
        self.close()
    }
}

impl ser::SerializeMap for Inside<'_, '_> {
    type Ok = ();
    type Error = Refused;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Refused> {
        self.before = self.encoder.out.len();
        self.field(key)
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        self.field(value)?;
        self.has_grown(self.before)
    }

    #[inline]
    fn end(self) -> Result<(), Refused> {
        self.close()
    }
}

macro_rules! fields {
    ($($trait:ident $method:ident ($($name:ident)?);)*) => {$(
        impl ser::$trait for Inside<'_, '_> {
            type Ok = ();
            type Error = Refused;

            #[inline]
            fn $method<T: Serialize + ?Sized>(
                &mut self,
                $($name: &'static str,)?
                value: &T,
            ) -> Result<(), Refused> {
                $(let _ = $name;)?
                self.field(value)
            }

            $(
                #[cold]
                fn skip_field(&mut self, $name: &'static str) -> Result<(), Refused> {
                    let _ = $name;
                    Err(self.encoder.irregular())
                }
            )?

            #[inline]
            fn end(self) -> Result<(), Refused> {
                self.close()
            }
        }
    )*};
}

fields! {
    SerializeTuple serialize_element ();
    SerializeTupleStruct serialize_field ();
    SerializeTupleVariant serialize_field ();
    SerializeStruct serialize_field (name);
    SerializeStructVariant serialize_field (name);
}
