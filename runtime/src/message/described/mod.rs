//! The described form of a value: each part carries its kind, and structs and variants carry the
//! names of their fields.
//!
//! A message has this form if the plain form could not be read back: if a type asks its
//! deserializer what comes next (`serde_json::Value`, `#[serde(untagged)]`, `#[serde(flatten)]`),
//! or if a value leaves something out (`#[serde(skip_serializing_if = "..")]`). `form` chooses the
//! form of a value. The message's fingerprint says which form it has.
//!
//! # Format
//! A value is a [`Kind`], one byte, and the contents for that kind. Numbers, chars and strings are
//! in postcard's encoding, and bytes with their length. Nothing else has a length: the items of a
//! sequence, a tuple or a map, and the fields of a struct, end with [`Kind::End`].
//!
//! | kind | then |
//! |---|---|
//! | `Some` | a value |
//! | `Seq`, `Tuple` | values, `End` |
//! | `Map` | pairs of a key and a value, `End` |
//! | `Struct` | pairs of a name and a value, `End` |
//! | `UnitVariant` | its index, a name |
//! | `NewtypeVariant` | its index, a name, a value |
//! | `TupleVariant`, `StructVariant` | its index, a name, and the contents of a tuple or a struct |
//!
//! A name that was not sent before is the varint `1` and a string. After that, the name with index
//! `n` among the first [`NAMES_MAX`] names is the varint `n + 2`. A `0`, which is `End`, means that
//! no field follows. A newtype struct is encoded as its contents.

mod decoder;
mod encoder;

pub(super) use decoder::{Reading, take};
pub(super) use encoder::{Written, append};

/// How many names are sent only once in a message. Further names are spelled out each time.
const NAMES_MAX: usize = 128;

/// How deep values may be nested. Structs count too, since a recursive type may recurse through any
/// kind.
const DEPTH_MAX: u32 = 256;

/// Stands in place of a name at the end of the fields: `Kind::End`.
const NAME_END: u32 = 0;
/// Precedes a name that was not sent before.
const NAME_NEW: u32 = 1;
/// The number of the first name.
const NAME_FIRST: u32 = 2;

macro_rules! kinds {
    ($($kind:ident $text:literal,)*) => {
        /// The kind of a value.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u8)]
        enum Kind { $($kind),* }

        impl Kind {
            const ALL: &[Kind] = &[$(Kind::$kind),*];

            /// The kind's description for errors.
            fn text(self) -> &'static str {
                match self { $(Kind::$kind => $text),* }
            }
        }
    };
}

kinds! {
    End "an end",
    Unit "a unit",
    False "a bool",
    True "a bool",
    I8 "an i8",
    I16 "an i16",
    I32 "an i32",
    I64 "an i64",
    I128 "an i128",
    U8 "a u8",
    U16 "a u16",
    U32 "a u32",
    U64 "a u64",
    U128 "a u128",
    F32 "an f32",
    F64 "an f64",
    Char "a char",
    Str "a string",
    Bytes "bytes",
    None "an option",
    Some "an option",
    Seq "a sequence",
    Tuple "a tuple",
    Map "a map",
    Struct "a struct",
    UnitVariant "a unit variant",
    NewtypeVariant "a newtype variant",
    TupleVariant "a tuple variant",
    StructVariant "a struct variant",
}
