//! The shape of a type, found by watching the type's own `Deserialize`, and a hash of it.
//!
//! The type deserializes itself from a source that invents each value and records what was
//! requested: the names of structs, fields and variants, and the kinds of the values, at any depth.
//! One pass reads one variant of an enum, so the type is read repeatedly until each variant of each
//! enum has been seen. The result depends only on the type, so equal types have equal hashes.
//!
//! An option, list, map or enum that was traced completely is not traced again: from then on
//! options and lists are empty, and enums are their smallest variant. Each is identified by its
//! visitor, a type without values. So tracing a recursive type ends, and the work is linear in the
//! size of the type's definition. If a type refuses an invented value (a validated name, a date),
//! other values are tried. If it refuses all of them, the shape is known up to that point.
//!
//! # The program's code runs on invented values
//! A type's `Deserialize` may do anything with a value: it may panic, or request values forever.
//! Panics are caught and count as a refusal. Calls are counted, and after [`CALLS_MAX`] calls all
//! further ones are refused. (A loop that requests nothing would also hang on received values.)
//!
//! The idea is that of serde-reflection's tracer.

use std::any::TypeId;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt::{self, Write as _};

use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer as _, Visitor};

use super::node_codec::{self, try_out};
use super::{hash_bytes, hash_tag, known};
use crate::contain::drop_payload;

/// The deepest nesting. A type that is nested deeper is recursive, but not through an option, a
/// list, a map or a derived enum.
const DEPTH_MAX: usize = 96;

/// More rounds than this are not worth it: a type with so many variants is known by then.
const ROUNDS_MAX: usize = 8192;

/// The most values that are invented for one type: about 50 ms of work.
const CALLS_MAX: usize = 1 << 21;

/// How many further calls are refused before the type is made to panic.
const REFUSALS_MAX: usize = 1 << 16;

/// How often to retry a variant that is refused.
const FAILURES_MAX: usize = 4;

/// The result of tracing a type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Shape {
    pub(super) fingerprint: u64,
    /// Some part of the type asks what comes next, so its values need the described form.
    pub(super) asks: bool,
}

/// Returns the fingerprint of `T`'s shape. It is computed once for each type.
///
/// ```
/// use fika_runtime::message::fingerprint_of;
///
/// mod old {
///     #[derive(serde::Deserialize)]
///     pub struct Point { pub x: i32, pub y: i32 }
/// }
///
/// mod new {
///     #[derive(serde::Deserialize)]
///     pub struct Point { pub x: i32, pub y: i32, pub z: i32 }
/// }
///
/// // A receiver notices that a field was added.
/// assert_ne!(fingerprint_of::<old::Point>(), fingerprint_of::<new::Point>());
/// ```
#[must_use]
pub fn fingerprint_of<T: DeserializeOwned>() -> u64 {
    shape_of::<T>().fingerprint
}

pub(super) fn shape_of<T: DeserializeOwned>() -> Shape {
    let known = known::of::<T>();
    if let Some(shape) = known.shape.get() {
        return *shape;
    }
    let shape = trace::<T>(drop);
    *known.shape.get_or_init(|| shape)
}

/// Traces `T`, and passes each invented value of it to `each`, which may panic.
pub(super) fn trace<T: DeserializeOwned>(mut each: impl FnMut(T)) -> Shape {
    trace_with(&mut State::default(), &mut each)
}

fn trace_with<T: DeserializeOwned>(state: &mut State, each: &mut dyn FnMut(T)) -> Shape {
    let mut shapes = hash_tag("");
    for _ in 0..ROUNDS_MAX {
        (state.fresh, state.moved) = (false, false);
        (state.path, state.last) = (0, None);
        let mut tracer = Tracer { state: &mut *state, shape: String::new(), depth: 0 };
        let read = try_out(|| node_codec::decode_invented(|| T::deserialize(&mut tracer)));
        let mut shape = tracer.shape;
        match read {
            Ok(Ok(value)) => {
                try_out(|| each(value)).unwrap_or_else(drop_payload);
            }
            Ok(Err(_)) if state.invent_another() => continue,
            Ok(Err(_)) => shape.push('!'),
            Err(payload) => {
                drop_payload(payload);
                shape.push('!');
                state.recover();
            }
        }
        shapes = hash_bytes(shapes, shape.as_bytes());
        shapes = hash_bytes(shapes, b"\n");
        if !(state.fresh && state.moved) {
            break;
        }
    }
    Shape { fingerprint: shapes, asks: state.asks }
}

/// The results of all passes.
#[derive(Default)]
struct State {
    /// Options, lists and maps, by visitor.
    optional: BTreeMap<TypeId, Optional>,
    /// Enums, by visitor.
    enums: BTreeMap<TypeId, Enum>,
    calls: usize,
    /// A part of the current pass was not traced completely.
    fresh: bool,
    /// The current pass has shown something new.
    moved: bool,
    asks: bool,
    /// The current place in the type: a hash of the path to it.
    path: u64,
    /// The index of the invented value for each place that does not get the first one.
    invented: HashMap<u64, usize>,
    /// The place of the last invented value, its index, and the number of values for that place.
    last: Option<(u64, usize, usize)>,
}

#[derive(Default)]
struct Optional {
    /// The number by which the shape refers to this part.
    number: usize,
    /// The part was traced completely.
    whole: bool,
    /// The part is being traced.
    active: bool,
}

#[derive(Default)]
struct Enum {
    number: usize,
    /// The first variant that was not read yet.
    next: usize,
    /// Variants to read again, because they were not traced completely or were refused, with the
    /// number of refusals.
    again: VecDeque<(usize, usize)>,
    /// The variant that took the fewest calls so far, with that number.
    smallest: Option<(usize, usize)>,
    /// How many times the enum is being traced at the moment.
    active: usize,
}

impl State {
    /// Chooses another value for the place of the last invented value, the likely reason for a
    /// refusal. Returns false if no value is left.
    fn invent_another(&mut self) -> bool {
        if let Some((place, used, _)) = self.last.filter(|_| self.has_another()) {
            self.invented.insert(place, used + 1);
            return true;
        }
        false
    }

    /// Resets what is being traced, after a panic.
    fn recover(&mut self) {
        self.optional.values_mut().for_each(|seen| seen.active = false);
        self.enums.values_mut().for_each(|seen| seen.active = 0);
        self.fresh = true;
    }

    fn has_another(&self) -> bool {
        self.last.is_some_and(|(_, used, of)| used + 1 < of)
    }

    /// Makes a refusal that is not caused by an invented value.
    fn refuse(&mut self) -> Refused {
        self.last = None;
        Refused
    }
}

struct Tracer<'a> {
    state: &'a mut State,
    shape: String,
    depth: usize,
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

    /// Counts a call. Values are invented again even for parts that are already known.
    fn count(&mut self) -> Result<(), Refused> {
        self.state.calls += 1;
        match self.state.calls {
            ..=CALLS_MAX => Ok(()),
            calls if calls > CALLS_MAX + REFUSALS_MAX => {
                panic!("a `Deserialize` keeps asking for values although all are refused")
            }
            _ => Err(self.state.refuse()),
        }
    }

    /// Traces what lies inside, one level deeper.
    fn inside<R>(
        &mut self,
        trace: impl FnOnce(&mut Self) -> Result<R, Refused>,
    ) -> Result<R, Refused> {
        self.count()?;
        if self.depth >= DEPTH_MAX {
            return Err(self.state.refuse());
        }
        self.depth += 1;
        self.shape.push('(');
        let result = trace(self);
        self.shape.push(')');
        self.depth -= 1;
        result
    }

    /// Traces the part at this place.
    fn at<R>(&mut self, place: usize, trace: impl FnOnce(&mut Self) -> R) -> R {
        let outer = self.state.path;
        self.state.path = hash_bytes(outer, &place.to_le_bytes()) | 1;
        let result = trace(self);
        self.state.path = outer;
        result
    }

    /// Returns the first of these values, or a later one if the type has refused it.
    fn invent<T: Clone>(&mut self, values: &[T]) -> Result<T, Refused> {
        self.count()?;
        let place = self.state.path;
        let which = self.state.invented.get(&place).copied().unwrap_or(0).min(values.len() - 1);
        self.state.last = Some((place, which, values.len()));
        Ok(values[which].clone())
    }

    /// Traces an option, a list or a map. Its contents are left out if they were traced before or
    /// are being traced.
    fn optional<V, R>(
        &mut self,
        trace: impl FnOnce(&mut Self, bool) -> Result<R, Refused>,
    ) -> Result<R, Refused> {
        // A visitor with data may behave differently each time.
        if size_of::<V>() != 0 {
            return self.inside(|inner| trace(inner, inner.depth < DEPTH_MAX / 2));
        }
        let id = typeid::of::<V>();
        let number = self.state.optional.len();
        let seen =
            self.state.optional.entry(id).or_insert(Optional { number, ..Optional::default() });
        if seen.whole || seen.active {
            let number = seen.number;
            let _ = write!(self.shape, "#{number} ");
            return trace(self, false);
        }
        seen.active = true;
        self.state.moved |= seen.number == number;
        let outer = std::mem::take(&mut self.state.fresh);
        let result = self.inside(|inner| trace(inner, true));
        let whole = result.is_ok() && !self.state.fresh;
        self.state.fresh |= outer;
        if let Some(seen) = self.state.optional.get_mut(&id) {
            (seen.active, seen.whole) = (false, whole);
        }
        result
    }

    /// Chooses the variant of an enum to read, and returns it with the number of its refusals.
    fn choose(&mut self, id: TypeId, variants: usize) -> Result<(usize, usize), Refused> {
        let number = self.state.enums.len();
        let seen = self.state.enums.entry(id).or_insert(Enum { number, ..Enum::default() });
        let chosen = if seen.next < variants {
            seen.next += 1;
            self.state.moved = true;
            (seen.next - 1, 0)
        } else if let Some((variant, _)) = seen.smallest
            && (seen.active > 0 || seen.again.is_empty())
        {
            seen.active += 1;
            let number = seen.number;
            let _ = write!(self.shape, "#{number} ");
            return Ok((variant, FAILURES_MAX));
        } else if let Some(again) = seen.again.pop_front() {
            self.state.moved = true;
            again
        } else {
            // All variants that could end the recursion are being read.
            return Err(self.state.refuse());
        };
        seen.active += 1;
        Ok(chosen)
    }

    /// Records that a variant was read. `cost` is the number of calls, or `None` if the variant was
    /// refused. `fresh` says that the variant was not traced completely.
    fn chosen(
        &mut self,
        (id, variants): (TypeId, usize),
        (variant, failures): (usize, usize),
        cost: Option<usize>,
        fresh: bool,
    ) {
        let failed = cost.is_none() && !self.state.has_another();
        let Some(seen) = self.state.enums.get_mut(&id) else { return };
        seen.active -= 1;
        if let Some(cost) = cost
            && seen.smallest.is_none_or(|(_, smallest)| cost < smallest)
        {
            seen.smallest = Some((variant, cost));
        }
        if (fresh || cost.is_none()) && failures < FAILURES_MAX {
            seen.again.push_back((variant, failures + usize::from(failed)));
        }
        // Inside the enum itself, unread variants don't require the enclosing parts to be read
        // again.
        let is_left = seen.next < variants || !seen.again.is_empty();
        self.state.fresh |= seen.active == 0 && is_left;
    }
}

macro_rules! scalars {
    ($($method:ident $visit:ident [$($value:expr),*];)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
            self.note(stringify!($method));
            visitor.$visit(self.invent(&[$($value),*])?)
        }
    )*};
}

/// Examples of the strings that well-known types read.
const TEXTS: &[&str] = &[
    "a",
    "a@h",
    "0",
    "1.0.0",
    "127.0.0.1",
    "127.0.0.1:1",
    "::1",
    "http://a/",
    "2000-01-01T00:00:00Z",
    "2000-01-01",
    "00000000-0000-0000-0000-000000000000",
    "",
];

/// Bytes with the lengths of numbers, addresses, identifiers and hashes.
const BYTES: &[&[u8]] =
    &[b"a", &[0; 16], b"", &[0; 4], &[0; 8], &[0; 12], &[0; 20], &[0; 32], &[0; 48], &[0; 64]];

impl<'de> de::Deserializer<'de> for &mut Tracer<'_> {
    type Error = Refused;

    scalars! {
        deserialize_bool visit_bool [false, true];
        deserialize_i8 visit_i8 [1, 0, -1, 100];
        deserialize_i16 visit_i16 [1, 0, -1, 1000];
        deserialize_i32 visit_i32 [1, 0, -1, 1000];
        deserialize_i64 visit_i64 [1, 0, -1, 1000];
        deserialize_i128 visit_i128 [1, 0, -1, 1000];
        deserialize_u8 visit_u8 [1, 0, 100];
        deserialize_u16 visit_u16 [1, 0, 1000];
        deserialize_u32 visit_u32 [1, 0, 1000];
        deserialize_u64 visit_u64 [1, 0, 1000];
        deserialize_u128 visit_u128 [1, 0, 1000];
        deserialize_f32 visit_f32 [1.0, 0.0];
        deserialize_f64 visit_f64 [1.0, 0.0];
        deserialize_char visit_char ['a', '0'];
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.note("deserialize_str");
        visitor.visit_borrowed_str(self.invent(TEXTS)?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.note("deserialize_string");
        visitor.visit_string(self.invent(TEXTS)?.to_owned())
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.note("deserialize_bytes");
        visitor.visit_borrowed_bytes(self.invent(BYTES)?)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.note("deserialize_byte_buf");
        visitor.visit_byte_buf(self.invent(BYTES)?.to_vec())
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.note("unit");
        self.count()?;
        visitor.visit_unit()
    }

    /// The type decides by the value that comes next, so what it takes then is not part of its
    /// shape.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.note("any");
        self.state.asks = true;
        match self.invent(&[0, 1, 2, 3, 4, 5])? {
            0 => visitor.visit_unit(),
            1 => visitor.visit_borrowed_str("a"),
            2 => visitor.visit_u64(1),
            3 => visitor.visit_bool(true),
            4 => visitor.visit_map(Elements { tracer: self, names: &[], left: 0 }),
            _ => visitor.visit_seq(Elements { tracer: self, names: &[], left: 0 }),
        }
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.note("deserialize_identifier");
        self.state.asks = true;
        self.count()?;
        visitor.visit_borrowed_str("a")
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.note("ignored");
        self.state.asks = true;
        self.count()?;
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.note("option");
        self.optional::<V, _>(
            |inner, full| {
                if full { visitor.visit_some(inner) } else { visitor.visit_none() }
            },
        )
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.note(name);
        self.count()?;
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
        self.optional::<V, _>(|inner, full| {
            visitor.visit_seq(Elements { tracer: inner, names: &[], left: full.into() })
        })
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
        self.optional::<V, _>(|inner, full| {
            visitor.visit_map(Elements { tracer: inner, names: &[], left: full.into() })
        })
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
        let id = typeid::of::<(V, V::Value)>();
        let choice = self.choose(id, variants.len())?;
        let variant = choice.0;
        self.note(variants.get(variant).copied().unwrap_or("none"));
        // A program has fewer variants than 2^32.
        let index = variant as u32;
        let outer = std::mem::take(&mut self.state.fresh);
        let calls = self.state.calls;
        let result = self.at(variant, |tracer| {
            tracer.inside(|inner| visitor.visit_enum(Variant { tracer: inner, index }))
        });
        let cost = result.is_ok().then(|| self.state.calls - calls);
        let fresh = self.state.fresh;
        self.state.fresh |= outer;
        self.chosen((id, variants.len()), choice, cost, fresh);
        result
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
        self.tracer.count()?;
        if self.left == 0 {
            return Ok(None);
        }
        if let Some(name) = self.names.get(self.names.len().wrapping_sub(self.left)) {
            self.tracer.note(name);
        }
        let place = self.left;
        self.left -= 1;
        self.tracer.at(place, |tracer| seed.deserialize(tracer)).map(Some)
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
        self.tracer.at(0, |tracer| seed.deserialize(tracer))
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
        let variant = seed.deserialize(index).map_err(|_| self.tracer.state.refuse())?;
        Ok((variant, self))
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
    use serde::{Deserialize, Deserializer};

    /// Each module uses the same names, so only the shapes differ.
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
    fn a_change_at_any_depth_changes_the_fingerprint() {
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
    fn tracing_a_recursive_type_terminates() {
        assert_eq!(fingerprint_of::<Tree>(), fingerprint_of::<Tree>());
    }

    /// Used to take forever, and gigabytes of memory.
    #[derive(Deserialize)]
    struct Wide {
        a: Option<Box<Wide>>,
        b: Option<Box<Wide>>,
        c: Option<Box<Wide>>,
        d: Option<Box<Wide>>,
        list: Vec<Wide>,
        map: BTreeMap<String, Wide>,
        last: u8,
    }

    #[derive(Deserialize)]
    struct Mutual(Option<Box<Other>>, Vec<Other>, Tree);

    #[derive(Deserialize)]
    enum Other {
        Back(Box<Mutual>, Vec<Mutual>),
        Both(Option<Box<Other>>, Option<Box<Mutual>>),
        End,
    }

    /// Returns the number of values that were invented for a type.
    fn calls<T: DeserializeOwned>() -> usize {
        let mut state = State::default();
        trace_with::<T>(&mut state, &mut drop);
        state.calls
    }

    #[test]
    fn the_work_is_linear_in_the_definition() {
        assert!(calls::<Wide>() < 100, "{}", calls::<Wide>());
        assert!(calls::<Tree>() < 100, "{}", calls::<Tree>());
        assert!(calls::<Mutual>() < 200, "{}", calls::<Mutual>());
        assert!(calls::<wide::Flags>() < 20 * 40);
    }

    /// Once all variants were read, the one with the least work is read wherever the enum occurs
    /// again.
    #[test]
    fn the_smallest_variant_stands_for_the_rest() {
        #[derive(Deserialize)]
        enum Pick {
            Large([u8; 32]),
            Small,
        }
        // The type is traced twice. Each large variant would take an eighth of `before`.
        type Before = [[u8; 32]; 8];
        let (before, all) = (calls::<Before>(), calls::<(Before, [Pick; 32])>());
        assert!(all < 3 * before, "{before} {all}");
    }

    #[test]
    fn keys_and_values_of_a_map_are_seen() {
        let shapes = [
            fingerprint_of::<BTreeMap<u8, u8>>(),
            fingerprint_of::<BTreeMap<u8, u16>>(),
            fingerprint_of::<BTreeMap<u16, u8>>(),
            fingerprint_of::<BTreeMap<u16, u16>>(),
        ];
        let different: std::collections::BTreeSet<u64> = shapes.into();
        assert_eq!(different.len(), shapes.len(), "{shapes:?}");
    }

    mod wide {
        use super::*;

        macro_rules! wide {
            ($($variant:ident)*) => {
                #[derive(Deserialize)]
                pub(super) enum Flags { $($variant(u8, Option<Box<Flags>>)),* }
            };
        }
        wide!(A0 A1 A2 A3 A4 A5 A6 A7 A8 A9 B0 B1 B2 B3 B4 B5 B6 B7 B8 B9 C0 C1 C2 C3 C4 C5 C6 C7
            C8 C9 D0 D1 D2 D3 D4 D5 D6 D7 D8 D9);
    }

    /// The part after a checked value belongs to the shape.
    #[test]
    fn a_checked_value_does_not_hide_the_next_field() {
        #[derive(Deserialize)]
        struct Before<T>(crate::Pid, crate::NodeName, std::num::NonZeroU8, T);
        let shapes = [fingerprint_of::<Before<u8>>(), fingerprint_of::<Before<u16>>()];
        assert_ne!(shapes[0], shapes[1]);
    }

    #[test]
    fn nested_enums_are_traced_with_all_variants() {
        let mut seen = std::collections::BTreeSet::new();
        trace::<(u8, Vec<Option<base::Kind>>)>(|(_, kinds)| {
            seen.extend(kinds.into_iter().flatten().map(|kind| match kind {
                base::Kind::A => 'a',
                base::Kind::B { .. } => 'b',
                base::Kind::C(_) => 'c',
            }));
        });
        assert_eq!(seen.into_iter().collect::<String>(), "abc");
    }

    /// Types whose `Deserialize` runs the given code.
    macro_rules! reads {
        ($name:ident $deserializer:ident $read:expr) => {
            struct $name;

            impl<'de> Deserialize<'de> for $name {
                fn deserialize<D: Deserializer<'de>>($deserializer: D) -> Result<Self, D::Error> {
                    $read
                }
            }
        };
    }

    reads!(Panics d {
        let n = u32::deserialize(d)?;
        assert_eq!(n, 77, "only this one");
        Ok(Panics)
    });
    reads!(Endless d {
        struct All;

        impl<'de> Visitor<'de> for All {
            type Value = Endless;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("everything")
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Endless, A::Error> {
                while !matches!(seq.next_element::<u8>(), Ok(Some(255))) {}
                Ok(Endless)
            }
        }

        d.deserialize_seq(All)
    });

    /// Without its limit, this type would recurse forever.
    struct Bottomless;

    impl<'de> Deserialize<'de> for Bottomless {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let Some(_) = Option::<Box<Bottomless>>::deserialize(deserializer)? else {
                return Err(de::Error::custom("it has no end"));
            };
            Ok(Bottomless)
        }
    }

    #[test]
    fn panics_in_user_code_are_contained() {
        let fingerprints = || {
            [
                fingerprint_of::<(Panics, u8)>(),
                fingerprint_of::<(Endless, u8)>(),
                fingerprint_of::<(Bottomless, u8)>(),
            ]
        };
        assert_eq!(fingerprints(), fingerprints());
        trace::<u8>(|_| panic!("what is done with it"));
        // The variant after it is traced.
        #[derive(Deserialize)]
        enum Some<T> {
            Panics(Panics),
            Other(T),
        }
        assert_ne!(fingerprint_of::<Some<u8>>(), fingerprint_of::<Some<u16>>());
    }

    /// The shape of a generic type is computed once, as for other types.
    #[test]
    fn a_fingerprint_is_computed_once() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        static READ: AtomicUsize = AtomicUsize::new(0);
        struct Counts;
        impl<'de> Deserialize<'de> for Counts {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                READ.fetch_add(1, Ordering::Relaxed);
                u8::deserialize(deserializer).map(|_| Counts)
            }
        }
        let first = fingerprint_of::<Vec<Option<Counts>>>();
        let read = READ.load(Ordering::Relaxed);
        assert!(read > 0);
        assert_eq!(fingerprint_of::<Vec<Option<Counts>>>(), first);
        assert_eq!(READ.load(Ordering::Relaxed), read);
    }

    #[test]
    fn a_trace_does_not_depend_on_the_callers_codec_state() {
        let here = trace::<(crate::Pid, u8)>(drop);
        let inside = node_codec::decode_with_nodes(&[], || trace::<(crate::Pid, u8)>(drop));
        let writes = super::super::encode_with_nodes(&mut super::super::NodeList::new(), || {
            trace::<(crate::Pid, u8)>(drop)
        });
        assert_eq!([here, here], [inside, writes]);
    }
}
