//! The form of a value that says what it is: each part carries its kind, and structs and variants
//! carry the names of their fields.
//!
//! A message has this form where the plain one cannot be read back: where a type asks its
//! deserializer what comes next (`serde_json::Value`, `#[serde(untagged)]`, `#[serde(flatten)]`),
//! and where a value leaves something out (`#[serde(skip_serializing_if = "..")]`). `form` decides
//! which form a value gets; the fingerprint beside the message says which one it has.
//!
//! # Format
//! A value is a [`Kind`], one byte, and what belongs to it. Numbers, chars and texts follow in
//! postcard's encoding, bytes with their length. Nothing else has a length: the items of a
//! sequence, a tuple and a map, and the fields of a struct, go on until [`Kind::End`].
//!
//! | kind | then |
//! |---|---|
//! | `Some` | a value |
//! | `Seq`, `Tuple` | values, `End` |
//! | `Map` | a key and a value, again and again, `End` |
//! | `Struct` | a name and a value, again and again, `End` |
//! | `UnitVariant` | its index, a name |
//! | `NewtypeVariant` | its index, a name, a value |
//! | `TupleVariant`, `StructVariant` | its index, a name, and what a tuple or a struct has |
//!
//! A name is the varint `1` and a text the first time, and `n + 2` for the `n`th of the first
//! [`NAMES_MAX`] names after that; `0`, which is `End`, stands where no field follows. A newtype struct is what it holds.

mod decoder;
mod encoder;

pub(super) use decoder::{Reading, take};
pub(super) use encoder::{Written, append};

/// So many names are sent once in a message; further ones are spelled out each time.
const NAMES_MAX: usize = 128;

/// So many values may be inside each other. Here structs count as well, since a value may go on
/// inside itself by any kind.
const DEPTH_MAX: u32 = 256;

/// The number of no name: `Kind::End`.
const NAME_END: u32 = 0;
/// The number ahead of a name that was not sent before.
const NAME_NEW: u32 = 1;
/// The number of the first name.
const NAME_FIRST: u32 = 2;

macro_rules! kinds {
    ($($kind:ident $text:literal,)*) => {
        /// What a value is.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u8)]
        enum Kind { $($kind),* }

        impl Kind {
            const ALL: &[Kind] = &[$(Kind::$kind),*];

            /// For errors.
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
