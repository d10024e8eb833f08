//! A hash of a type's shape, found by watching the type's own `Deserialize`.
//!
//! The type is asked to read itself from a source that invents each value that it asks
//! for, and writes down what was asked: the names of structs, fields and variants, and
//! the kinds of the values, at any depth. An enum reads one variant at a time, so the
//! type is asked again until each variant of each enum has been seen. Where a type
//! refuses an invented value (a `NonZero`, a checked name), the shape is known up to
//! that point. All this depends on the type alone, so equal types have equal hashes.
//!
//! The idea is that of serde-reflection's tracer; this one only hashes.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer as _, Visitor};

use super::hash_tag;

/// Deeper than this, options and lists are taken to be empty: the type is recursive.
const DEPTH_MAX: usize = 24;

/// More rounds than this are not worth it: a type with so many variants is known by then.
const ROUNDS_MAX: usize = 4096;

/// The fingerprint of `T`'s shape.
#[must_use]
pub fn fingerprint_of<T: DeserializeOwned>() -> u64 {
    let mut enums = BTreeMap::new();
    let mut shapes = String::new();
    for _ in 0..ROUNDS_MAX {
        let mut tracer = Tracer { enums: &mut enums, shape: String::new(), depth: 0, fresh: false };
        let refused = T::deserialize(&mut tracer).is_err();
        let fresh = tracer.fresh;
        let shape = tracer.shape;
        let _ = writeln!(shapes, "{shape}{}", if refused { "!" } else { "" });
        if !fresh {
            break;
        }
    }
    hash_tag(&shapes)
}

struct Tracer<'a> {
    /// For each enum, by its name and variants: how many variants have been seen.
    enums: &'a mut BTreeMap<(&'static str, &'static [&'static str]), usize>,
    shape: String,
    depth: usize,
    /// Whether some enum has variants that no round has seen.
    fresh: bool,
}

/// The type refused an invented value.
#[derive(Debug)]
struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the shape can't be traced further")
    }
}

impl std::error::Error for Refused {}

impl de::Error for Refused {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Refused
    }
}

impl Tracer<'_> {
    fn note(&mut self, what: &str) {
        self.shape.push_str(what);
        self.shape.push(' ');
    }

    /// Traces what lies inside, one level deeper.
    fn inside<R>(
        &mut self,
        trace: impl FnOnce(&mut Self) -> Result<R, Refused>,
    ) -> Result<R, Refused> {
        if self.depth >= DEPTH_MAX * 4 {
            return Err(Refused);
        }
        self.depth += 1;
        self.shape.push('(');
        let result = trace(self);
        self.shape.push(')');
        self.depth -= 1;
        result
    }

    fn elements(&self, when_shallow: usize) -> usize {
        if self.depth < DEPTH_MAX { when_shallow } else { 0 }
    }
}

macro_rules! scalars {
    ($($method:ident $visit:ident $value:expr;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
            self.note(stringify!($method));
            visitor.$visit($value)
        }
    )*};
}

impl<'de> de::Deserializer<'de> for &mut Tracer<'_> {
    type Error = Refused;

    scalars! {
        deserialize_bool visit_bool false;
        deserialize_i8 visit_i8 1;
        deserialize_i16 visit_i16 1;
        deserialize_i32 visit_i32 1;
        deserialize_i64 visit_i64 1;
        deserialize_i128 visit_i128 1;
        deserialize_u8 visit_u8 1;
        deserialize_u16 visit_u16 1;
        deserialize_u32 visit_u32 1;
        deserialize_u64 visit_u64 1;
        deserialize_u128 visit_u128 1;
        deserialize_f32 visit_f32 1.0;
        deserialize_f64 visit_f64 1.0;
        deserialize_char visit_char 'a';
        deserialize_str visit_borrowed_str "a";
        deserialize_string visit_string "a".to_owned();
        deserialize_bytes visit_borrowed_bytes b"a";
        deserialize_byte_buf visit_byte_buf b"a".to_vec();
        deserialize_identifier visit_u32 0;
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.note("unit");
        visitor.visit_unit()
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Refused> {
        self.note("any");
        Err(Refused)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.note("ignored");
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.note("option");
        match self.elements(1) {
            0 => visitor.visit_none(),
            _ => self.inside(|inner| visitor.visit_some(inner)),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.note(name);
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.note(name);
        self.inside(|inner| visitor.visit_newtype_struct(inner))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.note("seq");
        let left = self.elements(1);
        self.inside(|inner| visitor.visit_seq(Elements { tracer: inner, names: &[], left }))
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.note("tuple");
        self.inside(|inner| visitor.visit_seq(Elements { tracer: inner, names: &[], left: len }))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.note(name);
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.note("map");
        let left = self.elements(1);
        self.inside(|inner| visitor.visit_map(Elements { tracer: inner, names: &[], left }))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.note(name);
        let left = fields.len();
        self.inside(|inner| visitor.visit_seq(Elements { tracer: inner, names: fields, left }))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.note(name);
        let seen = self.enums.entry((name, variants)).or_default();
        // Inside itself a recursive enum takes variants in turn, too, so that a round
        // ends with one that is not recursive, or at the greatest depth.
        let index = *seen % variants.len().max(1);
        *seen += 1;
        self.fresh |= *seen < variants.len();
        let Some(variant) = variants.get(index) else { return Err(Refused) };
        self.note(variant);
        let index = u32::try_from(index).map_err(|_| Refused)?;
        self.inside(|inner| visitor.visit_enum(Variant { tracer: inner, index }))
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// Invents the elements of a list, a map, a tuple or a struct.
struct Elements<'a, 'b> {
    tracer: &'a mut Tracer<'b>,
    names: &'static [&'static str],
    left: usize,
}

impl<'de> de::SeqAccess<'de> for Elements<'_, '_> {
    type Error = Refused;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Refused> {
        if self.left == 0 {
            return Ok(None);
        }
        if let Some(name) = self.names.get(self.names.len().wrapping_sub(self.left)) {
            self.tracer.note(name);
        }
        self.left -= 1;
        seed.deserialize(&mut *self.tracer).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

impl<'de> de::MapAccess<'de> for Elements<'_, '_> {
    type Error = Refused;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Refused> {
        de::SeqAccess::next_element_seed(self, seed)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refused> {
        seed.deserialize(&mut *self.tracer)
    }
}

struct Variant<'a, 'b> {
    tracer: &'a mut Tracer<'b>,
    index: u32,
}

impl<'de> de::EnumAccess<'de> for Variant<'_, '_> {
    type Error = Refused;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Refused> {
        let index: de::value::U32Deserializer<Refused> = self.index.into_deserializer();
        Ok((seed.deserialize(index)?, self))
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'_, '_> {
    type Error = Refused;

    fn unit_variant(self) -> Result<(), Refused> {
        self.tracer.note("unit");
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Refused> {
        seed.deserialize(self.tracer)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Refused> {
        de::Deserializer::deserialize_tuple(self.tracer, len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_seq(Elements { tracer: self.tracer, names: fields, left: fields.len() })
    }
}

#[cfg(test)]
mod tests {
    #![allow(dead_code, reason = "the types are only traced")]

    use super::*;
    use serde::Deserialize;

    /// The same names each time, in modules of their own, so that only the shape differs.
    macro_rules! shapes {
        ($($module:ident { $($body:tt)* })*) => {$(
            mod $module {
                use super::*;
                #[derive(Deserialize)]
                pub(super) enum Kind { $($body)* }
                #[derive(Deserialize)]
                pub(super) struct Outer { pub(super) id: u64, pub(super) kinds: Vec<Option<Kind>> }
            }
        )*};
    }

    shapes! {
        base { A, B { x: u32 }, C(String) }
        same { A, B { x: u32 }, C(String) }
        other_field_type { A, B { x: u64 }, C(String) }
        other_field_name { A, B { y: u32 }, C(String) }
        variant_added { A, B { x: u32 }, C(String), D }
        variants_swapped { B { x: u32 }, A, C(String) }
        last_differs { A, B { x: u32 }, C(Vec<u8>) }
    }

    #[test]
    fn a_change_at_any_depth_is_seen() {
        let base = fingerprint_of::<base::Outer>();
        assert_eq!(base, fingerprint_of::<same::Outer>());
        let others = [
            fingerprint_of::<other_field_type::Outer>(),
            fingerprint_of::<other_field_name::Outer>(),
            fingerprint_of::<variant_added::Outer>(),
            fingerprint_of::<variants_swapped::Outer>(),
            fingerprint_of::<last_differs::Outer>(),
        ];
        assert!(others.iter().all(|other| *other != base), "{base} {others:?}");
    }

    #[derive(Deserialize)]
    enum Tree {
        Node(Box<Tree>, Box<Tree>),
        List(Vec<Tree>),
        Leaf(i64),
    }

    #[test]
    fn recursive_types_end() {
        assert_eq!(fingerprint_of::<Tree>(), fingerprint_of::<Tree>());
    }
}
